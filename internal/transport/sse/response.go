package sse

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// response is the answer to a request as a net.Conn, where net/http does not give the connection away: with HTTP/2
// there is no connection of one stream alone. The handler stays until it is closed.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // it is the request's, whose end is what Read waits for
	peer    net.Addr
	closed  chan struct{}

	writing sync.Mutex // held while w is written to; the handler returns with it held, since w is not to be used then

	mu    sync.Mutex // below writing
	busy  bool       // a Write is under way
	ended bool       // Close was called
	over  bool       // the handler returns
}

func newResponse(w http.ResponseWriter, r *http.Request) *response {
	c := &response{w: w, control: http.NewResponseController(w), ctx: r.Context(), closed: make(chan struct{})}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.peer = net.TCPAddrFromAddrPort(peer)
	}
	return c
}

// wait returns when the response is closed and nothing uses the ResponseWriter any more.
func (c *response) wait() {
	<-c.closed
	c.writing.Lock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// Read implements net.Conn: nothing comes but the end.
func (c *response) Read([]byte) (int, error) {
	select {
	case <-c.ctx.Done():
		return 0, io.EOF
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Write implements net.Conn.
func (c *response) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.begin() {
		return 0, net.ErrClosed
	}
	n, err := c.w.Write(p)
	if err == nil {
		err = c.control.Flush()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return n, err
}

// begin notes that a Write is under way, unless the response is closed.
func (c *response) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.ended
	return c.busy
}

// Close implements net.Conn. It ends a Write that is under way.
func (c *response) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	c.ended = true
	if c.busy {
		_ = c.control.SetWriteDeadline(time.Unix(1, 0)) // where there is none the Write ends with the request
	}
	close(c.closed)
	return nil
}

// LocalAddr implements net.Conn.
func (c *response) LocalAddr() net.Addr { return c.peer }

// RemoteAddr implements net.Conn.
func (c *response) RemoteAddr() net.Addr { return c.peer }

// SetDeadline implements net.Conn.
func (c *response) SetDeadline(t time.Time) error { return c.SetWriteDeadline(t) }

// SetReadDeadline implements net.Conn: nobody waits for what cannot come.
func (c *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *response) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return net.ErrClosed
	}
	return c.control.SetWriteDeadline(t)
}
