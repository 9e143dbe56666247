package client

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listener is where a test's client finds its scripted server, in memory.
type listener struct {
	t     *testing.T
	conns chan net.Conn
}

func listen(t *testing.T) *listener { return &listener{t, make(chan net.Conn, 16)} }

// dial is an Options.Dial.
func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// accept waits for the client to connect and reads its handshake.
func (l *listener) accept() *peer {
	l.t.Helper()
	p := &peer{t: l.t, conn: <-l.conns}
	p.reader = bufio.NewReader(p.conn)
	request, err := http.ReadRequest(p.reader)
	if err != nil {
		l.t.Fatalf("the client's handshake: %v", err)
	}
	p.request = request
	l.t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

// open accepts, upgrades and welcomes.
func (l *listener) open() *peer {
	l.t.Helper()
	p := l.accept()
	p.upgrade()
	p.welcome(`"user":"alice"`)
	return p
}

// peer is the server's side of one connection, as a test's script moves it.
type peer struct {
	t       *testing.T
	conn    net.Conn
	reader  *bufio.Reader
	request *http.Request
}

// upgrade answers the handshake.
func (p *peer) upgrade() {
	sum := sha1.Sum([]byte(p.request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	p.raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// refuse answers the handshake with an HTTP error.
func (p *peer) refuse(status int, header, body string) {
	p.t.Helper()
	if err := writeResponse(p.conn, status, header, body); err != nil {
		p.t.Fatalf("the client does not read: %v", err)
	}
}

// writeResponse writes an HTTP response.
func writeResponse(w io.Writer, status int, header, body string) error {
	_, err := fmt.Fprintf(w, "HTTP/1.1 %d Refused\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
	return err
}

func (p *peer) raw(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatalf("the client does not read: %v", err)
	}
}

// welcome sends a welcome with some more fields.
func (p *peer) welcome(more string) {
	p.t.Helper()
	if more != "" {
		more = "," + more
	}
	p.send(`{"type":"welcome","client":"c1","node":"n1","protocol":1,"ping_interval":25,"max_message":65536` + more + `}`)
}

// send sends a text frame.
func (p *peer) send(text string) { p.t.Helper(); p.frame(1, []byte(text)) }

// frame sends a whole frame.
func (p *peer) frame(opcode byte, payload []byte) {
	p.t.Helper()
	if err := writeFrame(p.conn, opcode, payload); err != nil {
		p.t.Fatalf("the client does not read: %v", err)
	}
}

// writeFrame writes an unmasked frame (RFC 6455, section 5.2).
func writeFrame(w io.Writer, opcode byte, payload []byte) error {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	_, err := w.Write(append(b, payload...))
	return err
}

// readFrame reads a masked frame that is a whole message.
func readFrame(r io.Reader) (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 == 0 {
		return 0, nil, fmt.Errorf("a frame that begins with %x", head)
	}
	size := uint64(head[1] & 0x7f)
	var long [8]byte
	switch size {
	case 126:
		_, err = io.ReadFull(r, long[:2])
		size = uint64(binary.BigEndian.Uint16(long[:2]))
	case 127:
		_, err = io.ReadFull(r, long[:])
		size = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	masked := make([]byte, 4+size)
	if _, err = io.ReadFull(r, masked); err != nil {
		return 0, nil, err
	}
	payload = masked[4:]
	for i := range payload {
		payload[i] ^= masked[i%4]
	}
	return head[0] & 0xf, payload, nil
}

// envelope is what the client sent.
type envelope struct {
	Type, Room, Since, Before, Next, Event, Key, Producer, Token, Name string

	ID            json.RawMessage
	Data, State   json.RawMessage
	Seq           uint64
	Last, Limit   int
	Presence      bool
	Echo          *bool
	Ephemeral     bool
	Payload       []byte `json:"-"`
	Binary        bool   `json:"-"`
	fieldsPresent map[string]json.RawMessage
}

// readEnvelope reads the next request of a client; closed is set for a close frame.
func readEnvelope(r io.Reader) (e *envelope, closed []byte, err error) {
	opcode, payload, err := readFrame(r)
	if err != nil {
		return nil, nil, err
	}
	e = new(envelope)
	switch opcode {
	case 8:
		return nil, payload, nil
	case 2:
		n := 2 + int(binary.BigEndian.Uint16(payload))
		e.Binary, e.Payload, payload = true, payload[n:], payload[2:n]
	case 1:
	default:
		return nil, nil, fmt.Errorf("opcode %d", opcode)
	}
	if err := json.Unmarshal(payload, e); err != nil {
		return nil, nil, err
	}
	return e, nil, json.Unmarshal(payload, &e.fieldsPresent)
}

// expect reads the next request, which must be of a type. Pings are answered unless one is expected.
func (p *peer) expect(name string) *envelope {
	p.t.Helper()
	e, closed, err := readEnvelope(p.reader)
	for began := time.Now(); e != nil && e.Type == "ping" && name != "ping"; {
		if time.Since(began) > time.Hour { // which passes at once
			p.t.Fatalf("waiting for %s in vain", name)
		}
		p.send(`{"type":"pong","server_ts":1}`)
		e, closed, err = readEnvelope(p.reader)
	}
	if err != nil {
		p.t.Fatalf("waiting for %s: %v", name, err)
	}
	if closed != nil {
		p.t.Fatalf("waiting for %s: the client closed with %x", name, closed)
	}
	if e.Type != name {
		p.t.Fatalf("the client sent %s, want %s", e.Type, name)
	}
	return e
}

// silent reports an error if the client sends something now.
func (p *peer) silent() {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Microsecond))
	if opcode, payload, err := readFrame(p.reader); err == nil {
		p.t.Errorf("the client sent opcode %d %s", opcode, payload)
	}
	_ = p.conn.SetReadDeadline(time.Time{})
}

// expectClose reads the client's close frame, answers it, and returns its code.
func (p *peer) expectClose() uint16 {
	p.t.Helper()
	_, closed, err := readEnvelope(p.reader)
	if err != nil || len(closed) < 2 {
		p.t.Fatalf("waiting for a close frame: %x, %v", closed, err)
	}
	_ = writeFrame(p.conn, 8, closed[:2])
	if secure, ok := p.conn.(*tls.Conn); ok {
		_ = secure.NetConn().Close() // no farewell of TLS: the client in the same memory would have to read it
	}
	_ = p.conn.Close()
	return binary.BigEndian.Uint16(closed)
}

// expectEnd reads until the client has hung up, without a request in between.
func (p *peer) expectEnd() {
	p.t.Helper()
	opcode, payload, err := readFrame(p.reader)
	if err == nil && opcode == 8 {
		_, _, err = readFrame(p.reader)
	}
	if err == nil || !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "closed pipe") {
		p.t.Fatalf("waiting for the client to hang up: opcode %d %s, %v", opcode, payload, err)
	}
}

// ok answers e with some fields.
func (p *peer) ok(e *envelope, fields string) {
	p.t.Helper()
	if fields != "" {
		fields = "," + fields
	}
	p.send(fmt.Sprintf(`{"type":"ok","id":%s,"of":%q%s}`, e.ID, e.Type, fields))
}

// fail answers e with an error.
func (p *peer) fail(e *envelope, code, more string) {
	p.t.Helper()
	if more != "" {
		more = "," + more
	}
	p.send(fmt.Sprintf(`{"type":"error","id":%s,"of":%q,"code":%q,"message":"told to"%s}`, e.ID, e.Type, code, more))
}

// joined answers a join: delivery starts from an offset.
func (p *peer) joined(e *envelope, offset int) {
	p.t.Helper()
	p.ok(e, fmt.Sprintf(`"room":%q,"pos":%q,"head":%q,"count":0`, e.Room, at(offset), at(offset)))
}

// published answers a publish.
func (p *peer) published(e *envelope, offset int) {
	p.t.Helper()
	p.ok(e, fmt.Sprintf(`"room":%q,"pos":%q,"ts":1`, e.Room, at(offset)))
}

// message sends a message of a room.
func (p *peer) message(room string, offset int) {
	p.t.Helper()
	p.send(fmt.Sprintf(`{"type":"message","room":%q,"pos":%q,"from":{"user":"bob"},"ts":1,"data":%d}`, room, at(offset), offset))
}

// close closes with a code.
func (p *peer) close(code int, reason string) {
	p.t.Helper()
	p.frame(8, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
	opcode, payload, err := readFrame(p.reader)
	for err == nil && opcode != 8 {
		opcode, payload, err = readFrame(p.reader)
	}
	if err != nil || len(payload) != 2 || int(binary.BigEndian.Uint16(payload)) != code {
		p.t.Errorf("a close with %d was answered with opcode %d %x, %v", code, opcode, payload, err)
	}
	_ = p.conn.Close()
}

// cut ends the connection without a word.
func (p *peer) cut() { _ = p.conn.Close() }

// at returns the text of a position.
func at(offset int) string { return fmt.Sprintf("aaaaaaab.%d.00000000", offset) }
