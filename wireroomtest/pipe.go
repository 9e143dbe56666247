package wireroomtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBytes is how much one side of a connection may be ahead of the other.
const pipeBytes = 64 << 10

// listener is a net.Listener whose connections are in memory.
type listener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newListener() *listener {
	return &listener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	near, far := newPipe()
	select {
	case l.accepted <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return addr{} }

// addr is the address of every connection in memory.
type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "127.0.0.1:0" }

// pipe is one side of a connection in memory. Unlike net.Pipe it buffers, as sockets do.
type pipe struct {
	in, out *stream
	reading deadline
	writing deadline
}

func newPipe() (near, far *pipe) {
	a, b := newStream(), newStream()
	return &pipe{in: a, out: b}, &pipe{in: b, out: a}
}

// stream is the bytes in one direction.
type stream struct {
	mu      sync.Mutex
	bytes   []byte
	ended   bool // nothing more is written
	refused bool // nothing more is read
	changed chan struct{}
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// change wakes whoever waits. The stream is locked.
func (s *stream) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	for {
		if err := p.reading.check(); err != nil {
			return 0, err
		}
		s := p.in
		s.mu.Lock()
		n, done := copy(b, s.bytes), s.refused
		s.bytes = s.bytes[n:]
		ended, changed := s.ended, s.changed
		if n > 0 {
			s.change()
		}
		s.mu.Unlock()
		switch {
		case done:
			return 0, net.ErrClosed
		case n > 0 || len(b) == 0:
			return n, nil
		case ended:
			return 0, io.EOF
		}
		if err := p.reading.wait(changed); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (written int, err error) {
	for {
		if err := p.writing.check(); err != nil {
			return written, err
		}
		s := p.out
		s.mu.Lock()
		if s.ended || s.refused {
			s.mu.Unlock()
			return written, errors.Join(io.ErrClosedPipe, net.ErrClosed)
		}
		n := min(len(b)-written, pipeBytes-len(s.bytes))
		if n > 0 {
			s.bytes = append(s.bytes, b[written:written+n]...)
			s.change()
		}
		changed := s.changed
		s.mu.Unlock()
		if written += n; written == len(b) {
			return written, nil
		}
		if err := p.writing.wait(changed); err != nil {
			return written, err
		}
	}
}

// CloseWrite ends the outgoing bytes, as of *net.TCPConn.
func (p *pipe) CloseWrite() error {
	p.out.end(false)
	return nil
}

// Close implements net.Conn.
func (p *pipe) Close() error {
	p.out.end(false)
	p.in.end(true)
	return nil
}

func (s *stream) end(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.refused = s.refused || refuse
	s.change()
}

// LocalAddr implements net.Conn.
func (p *pipe) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements net.Conn.
func (p *pipe) RemoteAddr() net.Addr { return addr{} }

// SetDeadline implements net.Conn.
func (p *pipe) SetDeadline(t time.Time) error {
	p.reading.set(t)
	p.writing.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.reading.set(t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.writing.set(t)
	return nil
}

// deadline is until when one direction may wait.
type deadline struct {
	mu      sync.Mutex
	at      time.Time // zero: for ever
	changed chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// check returns an error once the deadline has passed.
func (d *deadline) check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.at.IsZero() && !time.Now().Before(d.at) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits until ready is closed or the deadline passes; it may also return early.
func (d *deadline) wait(ready <-chan struct{}) error {
	d.mu.Lock()
	at := d.at
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	changed := d.changed
	d.mu.Unlock()
	var passed <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-ready:
	case <-changed:
	case <-passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}
