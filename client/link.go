package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// stall is how long one write may take, after which the connection counts as dead.
const stall = 20 * time.Second

// readSize is how many bytes are read at once, at most.
const readSize = 8 << 10

// link is one WebSocket connection. Its methods may be called at once, but for read.
type link struct {
	conn   net.Conn
	rest   []byte // came with the handshake
	config ws.Config

	writing sync.Mutex // one write at a time

	mu    sync.Mutex
	cause error // with which it was aborted
}

// dial connects and shakes hands (RFC 6455, section 4.1).
func (c *Client) dial(ctx context.Context, token string) (*link, error) {
	conn, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	hand := ws.Request{Key: ws.NewKey()}
	if c.options.Compress {
		hand.Deflate = &ws.DeflatePolicy{}
	}
	q := &http.Request{Method: http.MethodGet, URL: &c.address.url, Header: c.options.HTTPHeader.Clone()}
	if q.Header == nil {
		q.Header = make(http.Header)
	}
	hand.AddTo(q.Header)
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	var agreed ws.Agreement
	response, rest, err := exchange(ctx, conn, q, http.StatusSwitchingProtocols)
	if err == nil {
		agreed, err = hand.Check(response)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	l := &link{conn: conn, rest: rest, config: ws.Config{Client: true, MaxMessage: c.options.MaxIncoming}}
	if agreed.Deflate != nil {
		l.config.Deflate, l.config.Takeover = true, agreed.Deflate.ServerTakeover
	}
	return l, nil
}

// read hands what comes to s until the connection ends, and returns why.
func (l *link) read(ctx context.Context, s *session) error {
	err := l.readAll(&receiver{ctx: ctx, link: l, session: s})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return l.cause
	}
	return err
}

// readAll reads until the connection ends or what comes is not to be read on.
func (l *link) readAll(r *receiver) error {
	var decoder *ws.Decoder
	defer func() {
		if decoder != nil {
			decoder.Release()
		}
	}()
	buf := make([]byte, readSize)
	for p := l.rest; ; {
		_, broken := l.config.Decode(&decoder, p, r)
		if broken != nil {
			_ = l.write(appendClose(nil, broken.Code, broken.Reason))
			return fmt.Errorf("the server broke the protocol: %w", broken)
		}
		if r.err != nil {
			return r.err
		}
		n, err := l.conn.Read(buf)
		if n == 0 && err != nil {
			return fmt.Errorf("connection lost: %w", err)
		}
		r.session.heard()
		p = buf[:n]
	}
}

// receiver takes what the decoder reads.
type receiver struct {
	ctx     context.Context // of read
	link    *link
	session *session
	err     error // why nothing more is to be read
}

// Message implements ws.Sink.
func (r *receiver) Message(op ws.Opcode, payload []byte) (more bool) {
	if op == ws.Text {
		r.err = r.session.text(r.ctx, payload)
	} else {
		r.err = r.session.binary(r.ctx, payload)
	}
	return r.err == nil
}

// Control implements ws.Sink. A close frame is answered (RFC 6455, section 5.5.1); answering it a second time does no
// harm.
func (r *receiver) Control(op ws.Opcode, payload []byte) (more bool) {
	switch op {
	case ws.Ping:
		r.session.pinged(payload)
	case ws.Close:
		code, reason := ws.ParseClose(payload)
		_ = r.link.write(appendClose(nil, code, ""))
		r.err = newCloseError(uint16(code), reason)
	}
	return r.err == nil
}

// errDead ends a connection that takes nothing any more.
var errDead = errors.New("the server reads nothing")

// write writes whole frames.
func (l *link) write(frames []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.conn.SetWriteDeadline(time.Now().Add(stall))
	if err == nil {
		_, err = l.conn.Write(frames)
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return errDead
	case err != nil:
		return fmt.Errorf("connection lost: %w", err)
	}
	return nil
}

// abort ends the connection; read returns err, if it is the first.
func (l *link) abort(err error) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = err
	}
	l.mu.Unlock()
	_ = l.conn.Close()
}

// appendFrame appends a frame of this side.
func appendFrame(b []byte, op ws.Opcode, payload []byte) []byte {
	var key [4]byte
	_, _ = rand.Read(key[:]) // never fails
	return ws.AppendMasked(b, op, key, payload)
}

// appendClose appends a close frame of this side.
func appendClose(b []byte, code ws.CloseCode, reason string) []byte {
	return appendFrame(b, ws.Close, ws.AppendClose(nil, code, reason))
}
