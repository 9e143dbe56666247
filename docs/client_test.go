package docs_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// client is one WebSocket connection of an example.
type client struct {
	stage  *stage
	status int // of the answer to the upgrade
	conn   *websocket.Conn
	early  []frame // received, but not by the line that it was read for
	ended  bool
}

// frame is what the server sent.
type frame struct {
	text     []byte
	envelope any
	binary   bool
	payload  []byte
}

// dial connects a client. A refused upgrade is no error, until the example wants more of the client.
func dial(s *stage, path, key, value string) (*client, error) {
	o := &websocket.DialOptions{HTTPHeader: make(http.Header)}
	switch {
	case key == "Sec-WebSocket-Protocol":
		o.Subprotocols = strings.Split(value, ", ")
	case key != "":
		o.HTTPHeader.Set(key, value)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, s.url+path, o)
	if response == nil {
		return nil, err
	}
	c := &client{stage: s, status: response.StatusCode, conn: conn, ended: err != nil}
	if conn != nil {
		conn.SetReadLimit(2 << 20)
	}
	return c, nil
}

func (c *client) leave() {
	if c != nil && c.conn != nil {
		_ = c.conn.CloseNow() // may have ended already
	}
}

// wasAnswered says how the answer to the upgrade differs from the example's.
func (c *client) wasAnswered(status, subprotocol string) error {
	if got := strconv.Itoa(c.status); got != status {
		return fmt.Errorf("status %s, want %s", got, status)
	}
	if c.conn != nil && c.conn.Subprotocol() != subprotocol {
		return fmt.Errorf("subprotocol %q, want %q", c.conn.Subprotocol(), subprotocol)
	}
	return nil
}

func (c *client) send(text string, s step) error {
	if c.ended {
		return errors.New("the connection has ended")
	}
	ctx, cancel := context.WithTimeout(c.stage.t.Context(), patience)
	defer cancel()
	if !s.binary {
		return c.conn.Write(ctx, websocket.MessageText, []byte(text))
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(len(text)))
	b = append(append(b, text...), s.payload...)
	return c.conn.Write(ctx, websocket.MessageBinary, b)
}

// receive says how what the server sends next differs from the example. The reply to a publish may come before or
// after other frames.
func (c *client) receive(s step) error {
	want, err := templateOf(s.text)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i == len(c.early) {
			f, err := c.next()
			if err != nil {
				return fmt.Errorf("want %s: %w", s.text, err)
			}
			c.early = append(c.early, f)
		}
		f := c.early[i]
		err := c.stage.matches(want, f, s)
		if err == nil {
			c.early = slices.Delete(c.early, i, i+1)
			return nil
		}
		if !publishReply(want) && !publishReply(f.envelope) {
			return fmt.Errorf("received %s, want %s: %w", f.text, s.text, err)
		}
	}
}

// publishReply reports whether an envelope answers a publish.
func publishReply(envelope any) bool {
	object, ok := envelope.(map[string]any)
	return ok && object["of"] == "publish"
}

// matches says how a frame differs from what the example has, and remembers the token that it gives.
func (s *stage) matches(want any, f frame, example step) error {
	if f.binary != example.binary || string(f.payload) != string(example.payload) {
		return fmt.Errorf("payload % x (binary: %v), want % x (binary: %v)", f.payload, f.binary, example.payload, example.binary)
	}
	bound := s.bound.clone()
	if err := bound.match(want, f.envelope); err != nil {
		return err
	}
	s.bound = bound
	if object, ok := f.envelope.(map[string]any); ok {
		if given, ok := object["token"].(string); ok {
			s.given = given
		}
	}
	return nil
}

// next reads a frame.
func (c *client) next() (frame, error) {
	if c.ended {
		return frame{}, errors.New("the connection has ended")
	}
	ctx, cancel := context.WithTimeout(c.stage.t.Context(), patience)
	defer cancel()
	kind, text, err := c.conn.Read(ctx)
	if err != nil {
		c.ended = true
		return frame{}, err
	}
	f := frame{text: text}
	if kind == websocket.MessageBinary {
		end := 2 + int(binary.BigEndian.Uint16(text))
		f = frame{text: text[2:end], binary: true, payload: text[end:]}
	}
	if !strings.HasPrefix(string(f.text), `{"type":"`) {
		return f, fmt.Errorf("%s does not begin with its type", f.text)
	}
	f.envelope, err = decode(f.text)
	return f, err
}

// isClosed says how the server's close frame differs from the example's.
func (c *client) isClosed(code, reason string) error {
	f, err := c.next()
	var closed websocket.CloseError
	switch {
	case err == nil:
		return fmt.Errorf("received %s, want a close frame", f.text)
	case !errors.As(err, &closed):
		return fmt.Errorf("want a close frame: %w", err)
	case strconv.Itoa(int(closed.Code)) != code || !glob(reason, closed.Reason):
		return fmt.Errorf("closed with %d %s, want %s %s", closed.Code, closed.Reason, code, reason)
	}
	return nil
}

// hasHeardAll says what the server has sent that the example does not have.
func (c *client) hasHeardAll() error {
	if !c.ended {
		if err := c.send(`{"type":"ping","ts":"the end"}`, step{}); err != nil {
			return err
		}
		if err := c.receive(step{text: `{"type":"pong","ts":"the end","server_ts":…}`}); err != nil {
			return err
		}
	}
	if len(c.early) > 0 {
		return fmt.Errorf("received %s besides", c.early[0].text)
	}
	return nil
}
