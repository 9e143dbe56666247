package conformance

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wireroom/wireroom/internal/wire/ws/flatetest"
)

// patience is how long the server may take for anything. It only ends what would never end.
const patience = 30 * time.Second

// peer is a client that can do everything wrong.
type peer struct {
	socket  halves
	reader  *bufio.Reader
	deflate *deflate // nil without compression
}

// halves is a connection of which one half can be closed.
type halves interface {
	net.Conn
	CloseWrite() error
}

// dial opens a connection to the server, with TLS to one that speaks it: with whatever certificate it has.
func dial(target *url.URL) (*peer, error) {
	conn, err := net.DialTimeout("tcp", target.Host, patience)
	if err != nil {
		return nil, err
	}
	socket := conn.(halves)
	if target.Scheme == "wss" {
		socket = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return &peer{socket: socket, reader: bufio.NewReader(socket)}, nil
}

// request returns a request for an upgrade, the key being that of RFC 6455, section 1.3.
func request(target *url.URL, fields ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\n", target.RequestURI()) + strings.Join(append([]string{
		"Host: " + target.Host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, fields...), "\r\n") + "\r\n\r\n"
}

// connect opens a WebSocket, with an offer of extensions unless it is empty.
func connect(target *url.URL, offer string) (*peer, error) {
	p, err := dial(target)
	if err != nil {
		return nil, err
	}
	var fields []string
	if offer != "" {
		fields = append(fields, "Sec-WebSocket-Extensions: "+offer)
	}
	if _, err := io.WriteString(p.socket, request(target, fields...)); err != nil {
		return nil, err
	}
	if err := p.readAnswer(offer); err != nil {
		_ = p.socket.Close()
		return nil, err
	}
	return p, nil
}

// readAnswer reads the answer to the upgrade.
func (p *peer) readAnswer(offer string) error {
	r, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return err
	}
	accept := r.Header.Get("Sec-WebSocket-Accept")
	if r.StatusCode != 101 || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return fmt.Errorf("answered %s, %v", r.Status, r.Header)
	}
	agreed := r.Header[textproto.CanonicalMIMEHeaderKey("Sec-WebSocket-Extensions")]
	if len(agreed) == 0 {
		return nil
	}
	if p.deflate, err = newDeflate(offer, strings.Join(agreed, ", ")); err != nil {
		return err
	}
	return nil
}

// send writes bytes; an error is seen when the answer is read.
func (p *peer) send(b []byte) {
	_ = p.socket.SetDeadline(time.Now().Add(patience)) // fails with the socket, which the reader sees
	_, _ = p.socket.Write(b)
}

// next reads a message or a control frame, as one frame, decompressed.
func (p *peer) next() (frame, error) {
	var message frame
	open := false
	_ = p.socket.SetDeadline(time.Now().Add(patience)) // fails with the socket, as the read does
	for {
		f, err := readFrame(p.reader)
		if err != nil {
			return f, err
		}
		if err := checkFrame(f, p.deflate != nil); err != nil {
			return f, err
		}
		switch {
		case f.op >= 8 && !open:
			return f, nil
		case f.op >= 8:
			return f, errors.New("a control frame between fragments, which the suite does not expect")
		case (f.op == opContinuation) != open:
			return f, fmt.Errorf("out of order: %v", f)
		case !open:
			message, open = frame{op: f.op, rsv: f.rsv}, true
		}
		message.payload = append(message.payload, f.payload...)
		if f.more {
			continue
		}
		if message.rsv != 0 {
			if message.payload, err = p.deflate.inflate(message.payload); err != nil {
				return message, err
			}
			message.rsv = 0
		}
		if message.op == opText && !utf8.Valid(message.payload) {
			return message, errors.New("the server's text is not UTF-8")
		}
		return message, nil
	}
}

// closing is how a server ended a connection.
type closing struct {
	code  int  // of its close frame; 1005 without one in it, 0 without a close frame
	reset bool // instead of an end
}

// rest reads what comes until the server has ended the connection.
func (p *peer) rest() (got []frame, c closing, err error) {
	for {
		f, err := p.next()
		if ended(err) {
			return got, closing{reset: !errors.Is(err, io.EOF)}, nil
		}
		if err != nil {
			return got, closing{}, err
		}
		if f.op == opClose {
			c, err := p.lastWords(f.payload)
			return got, c, err
		}
		got = append(got, f)
	}
}

// lastWords reads a close frame's payload, and that nothing but the end follows.
func (p *peer) lastWords(payload []byte) (closing, error) {
	c := closing{code: 1005}
	switch {
	case len(payload) == 1:
		return c, errors.New("a close frame of one byte")
	case len(payload) >= 2:
		c.code = int(binary.BigEndian.Uint16(payload))
		if !utf8.Valid(payload[2:]) {
			return c, errors.New("a close reason that is not UTF-8")
		}
	}
	behind, err := io.ReadAll(p.reader)
	if len(behind) > 0 {
		return c, fmt.Errorf("%d bytes behind the close frame: % .40x", len(behind), behind)
	}
	if err != nil && !ended(err) {
		return c, fmt.Errorf("the server does not end the connection after its close frame: %w", err)
	}
	c.reset = err != nil
	return c, nil
}

// ended reports whether an error is that the server is gone, and not that it takes too long.
func ended(err error) bool {
	var slow net.Error
	var wire *net.OpError
	if errors.As(err, &slow) && slow.Timeout() {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &wire)
}

// deflate is an agreed permessage-deflate, by the standard library.
type deflate struct {
	takeover struct{ own, server bool }
	distance int // in bytes, how far back the server's messages may refer
	written  bytes.Buffer
	writer   *flate.Writer
	reader   io.ReadCloser
	window   []byte
}

// newDeflate checks the server's answer against the offer (RFC 7692, section 7.1).
func newDeflate(offer, answer string) (*deflate, error) {
	d := new(deflate)
	d.takeover.own, d.takeover.server = true, true
	d.distance = 1 << 15
	parts := strings.Split(answer, ";")
	if strings.TrimSpace(parts[0]) != "permessage-deflate" {
		return nil, fmt.Errorf("the server chose %q", answer)
	}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "server_no_context_takeover":
			d.takeover.server = false
		case "client_no_context_takeover":
			d.takeover.own = false
		case "server_max_window_bits":
			if strings.Contains(offer, name) && !strings.Contains(offer, name+"="+value) {
				return nil, fmt.Errorf("the server answered %q to %q", answer, offer)
			}
			bits, err := strconv.Atoi(value)
			if err != nil || bits < 8 || bits > 15 {
				return nil, fmt.Errorf("the server answered %q", answer)
			}
			d.distance = 1 << bits
		default: // client_max_window_bits is never offered: the standard library has one window only
			return nil, fmt.Errorf("the server answered %q to %q", answer, offer)
		}
	}
	if strings.HasPrefix(offer, "permessage-deflate; server_no_context_takeover") && !strings.Contains(offer, ",") && d.takeover.server {
		return nil, fmt.Errorf("the server answered %q to %q", answer, offer)
	}
	var err error
	d.writer, err = flate.NewWriter(&d.written, 6)
	d.reader = flate.NewReader(nil)
	return d, err
}

// compress returns the payload of a compressed message.
func (d *deflate) compress(payload []byte) ([]byte, error) {
	d.written.Reset()
	if !d.takeover.own {
		d.writer.Reset(&d.written)
	}
	if _, err := d.writer.Write(payload); err != nil {
		return nil, err
	}
	if err := d.writer.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(d.written.Bytes(), []byte("\x00\x00\xff\xff")), nil
}

// inflate returns what a compressed message of the server holds.
func (d *deflate) inflate(content []byte) ([]byte, error) {
	whole := io.MultiReader(bytes.NewReader(content), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	if err := d.reader.(flate.Resetter).Reset(whole, d.window); err != nil {
		return nil, err
	}
	payload, err := io.ReadAll(d.reader)
	if err != nil {
		return nil, fmt.Errorf("inflate the server's message: %w", err)
	}
	if err := d.checkDistance(content); err != nil {
		return nil, err
	}
	if d.takeover.server {
		d.window = append(d.window, payload...)
		d.window = d.window[max(0, len(d.window)-32<<10):]
	}
	return payload, nil
}

// checkDistance returns an error if a message refers further back than was agreed on. It is slow, so it looks at small
// messages only; those are larger than the windows that the cases ask for.
func (d *deflate) checkDistance(content []byte) error {
	if d.distance == 1<<15 || len(content) > 8<<10 {
		return nil
	}
	stream, err := flatetest.Inflate(content, d.window)
	if err == nil && stream.Distance > d.distance {
		err = fmt.Errorf("the server's message refers back by %d bytes, which is more than %d", stream.Distance, d.distance)
	}
	return err
}
