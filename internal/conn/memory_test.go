package conn

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction of a connection in memory, bounded as a socket is.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond
	bytes   []byte
	limit   int
	ended   bool // by the writer, behind bytes
	cut     bool // by either side, at once
	expired bool // the write deadline has passed
}

func newStream(limit int) *stream {
	s := &stream{limit: limit}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bytes) == 0 && !s.ended && !s.cut {
		s.changed.Wait()
	}
	if s.cut {
		return 0, io.ErrClosedPipe
	}
	if len(s.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.bytes)
	s.bytes = s.bytes[n:]
	s.changed.Broadcast()
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written := 0
	for written < len(p) {
		for len(s.bytes) >= s.limit && !s.ended && !s.cut && !s.expired {
			s.changed.Wait()
		}
		if s.ended || s.cut {
			return written, io.ErrClosedPipe
		}
		if s.expired {
			return written, os.ErrDeadlineExceeded
		}
		n := min(len(p)-written, s.limit-len(s.bytes))
		s.bytes = append(s.bytes, p[written:written+n]...)
		written += n
		s.changed.Broadcast()
	}
	return written, nil
}

func (s *stream) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.changed.Broadcast()
}

// memoryConn is one end of a connection in memory.
type memoryConn struct{ in, out *stream }

func memoryPair(limit int) (a, b memoryConn) {
	x, y := newStream(limit), newStream(limit)
	return memoryConn{x, y}, memoryConn{y, x}
}

func (m memoryConn) Read(p []byte) (int, error)  { return m.in.read(p) }
func (m memoryConn) Write(p []byte) (int, error) { return m.out.write(p) }

func (m memoryConn) CloseWrite() error {
	m.out.set(func() { m.out.ended = true })
	return nil
}

func (m memoryConn) Close() error {
	m.in.set(func() { m.in.cut = true })
	return m.CloseWrite()
}

func (m memoryConn) SetWriteDeadline(at time.Time) error {
	time.AfterFunc(time.Until(at), func() { m.out.set(func() { m.out.expired = true }) })
	return nil
}

func (m memoryConn) LocalAddr() net.Addr             { return nil }
func (m memoryConn) RemoteAddr() net.Addr            { return nil }
func (m memoryConn) SetDeadline(time.Time) error     { return os.ErrNoDeadline }
func (m memoryConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }
