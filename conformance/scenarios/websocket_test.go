package scenarios

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// socket is a session over a WebSocket, whose frames somebody else's library makes.
type socket struct {
	conn *websocket.Conn
	mail *mail
	read sync.WaitGroup
}

func dialWebSocket(at address, m *mail) (session, error) {
	target := "ws" + strings.TrimPrefix(at.url, "http") + "/ws"
	target += "?token=" + url.QueryEscape(at.token)
	if at.Query != "" {
		target += "&" + at.Query
	}
	dialer := websocket.Dialer{HandshakeTimeout: patience, NetDialContext: dialNarrow}
	conn, answer, err := dialer.Dial(target, at.header())
	if errors.Is(err, websocket.ErrBadHandshake) {
		return nil, turned(answer)
	}
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	s := &socket{conn: conn, mail: m}
	s.read.Go(s.receive)
	return s, nil
}

// dialNarrow opens a connection on whose way little can be: who does not read is soon seen not to.
func dialNarrow(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if tcp, ok := c.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(256 << 10)
	}
	return c, err
}

// receive reads until the connection has ended.
func (s *socket) receive() {
	for {
		kind, payload, err := s.conn.ReadMessage()
		if err == nil && kind == websocket.BinaryMessage {
			payload, err = unpack(payload)
		}
		var a arrival
		if err == nil {
			a, err = arrive("", payload)
		}
		var goodbye *websocket.CloseError
		if errors.As(err, &goodbye) {
			err = &closing{goodbye.Code, goodbye.Text}
		}
		if err != nil {
			s.mail.finish(err)
			return
		}
		s.mail.add(a)
	}
}

// unpack returns the envelope of a binary frame with its payload in it, as carriers without such frames have it.
func unpack(frame []byte) ([]byte, error) {
	if len(frame) < 2 || len(frame) < 2+int(binary.BigEndian.Uint16(frame)) {
		return nil, fmt.Errorf("a binary frame of %d bytes: % x", len(frame), frame)
	}
	end := 2 + int(binary.BigEndian.Uint16(frame))
	envelope, found := strings.CutSuffix(string(frame[2:end]), "}")
	if !found {
		return nil, fmt.Errorf("the envelope of a binary frame: %s", frame[2:end])
	}
	return []byte(envelope + `,"bytes":"` + base64.StdEncoding.EncodeToString(frame[end:]) + `"}`), nil
}

func (s *socket) welcome() (arrival, error) { return s.mail.push() }

func (s *socket) ask(q *request) error {
	if q.payload == nil {
		return s.say(q.text, nil)
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(len(q.text)))
	return s.conn.WriteMessage(websocket.BinaryMessage, append(append(frame, q.text...), q.payload...))
}

func (s *socket) say(text []byte, _ []string) error {
	return s.conn.WriteMessage(websocket.TextMessage, text)
}

// header returns the header of a request of this client.
func (at *address) header() http.Header {
	h := make(http.Header)
	if at.Browser {
		h.Set("Origin", at.url)
	}
	return h
}

func (s *socket) end(clean bool) {
	if clean {
		goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if s.conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(patience)) == nil {
			s.read.Wait()
		}
	}
	_ = s.conn.Close()
	s.read.Wait()
}

func (s *socket) ended(want *ending) error {
	_, err := s.mail.ended()
	var how *closing
	if !errors.As(err, &how) || how.code != want.Close || word(how.reason) != want.Code {
		return fmt.Errorf("%w, want %d %s", err, want.Close, want.Code)
	}
	return nil
}
