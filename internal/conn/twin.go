package conn

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// firstRead is the buffer in which an idle twin waits. With its goroutine's stack and what the net.Conn itself holds
	// a twin over TCP costs 3.7 KB, where a connection of an event loop costs 0.1.
	firstRead = 512
	// twinBuffer is how many bytes a twin takes before it says that it is full, as a socket's own buffer would.
	twinBuffer = 64 << 10
	// linger is how long a twin goes on sending what it took after the peer closed its sending half, as a kernel
	// would for a closed socket.
	linger = 5 * time.Second
)

// twins are the connections of a Poller that have a goroutine.
type twins struct {
	mu     sync.Mutex
	closed bool
	set    map[*twin]struct{} // those whose goroutines run
}

func (s *twins) add(t *twin) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.set == nil {
		s.set = make(map[*twin]struct{})
	}
	s.set[t] = struct{}{}
	t.poller.count.Add(1)
	t.poller.crew.hire()
	return true
}

func (s *twins) remove(t *twin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.set, t)
}

// close refuses later twins and cuts those there are.
func (s *twins) close() {
	s.mu.Lock()
	s.closed = true
	open := make([]*twin, 0, len(s.set))
	for t := range s.set {
		open = append(open, t)
	}
	s.mu.Unlock()
	for _, t := range open {
		t.conn.Abort(net.ErrClosed)
		t.cut() // one that lingers is gone already
	}
}

// twin carries one connection over any net.Conn: a goroutine that reads and calls the handler, and another that writes
// while there is something to write. Its memory for outgoing bytes plays the part of the socket's buffer, so that a
// Conn behaves as it does on an event loop.
type twin struct {
	poller *Poller
	conn   *Conn
	nc     net.Conn

	up   sync.Mutex // held while a method of the handler runs; above the connection's mutex
	over bool       // Closed was called; guarded by up

	// Guarded by the connection's mutex:
	wakeup  sync.Cond // a paused reader waits for Resume or the end
	out     *buffer   // taken by send and not given to nc yet
	flying  int       // bytes that nc.Write has
	writing bool      // the writer runs
	half    bool      // close the outgoing half behind out
	last    bool      // the reader has left: the writer closes nc

	first [firstRead]byte
}

func (p *Poller) adoptTwin(c *Conn, nc net.Conn, early []byte, h Handler) error {
	t := &twin{poller: p, conn: c, nc: nc}
	t.wakeup.L = &c.mu
	c.adopt(t, -1, nc.RemoteAddr(), early, h)
	if !p.twins.add(t) {
		c.mu.Lock()
		_ = c.retire(nil)
		c.mu.Unlock()
		t.cut()
		return net.ErrClosed
	}
	go t.read()
	return nil
}

func (t *twin) queued(*Conn) int { return t.flying + t.pending() }

func (t *twin) owner() *Poller { return t.poller }

func (t *twin) send(_ *Conn, p []byte) (int, error) {
	n := min(len(p), twinBuffer-t.flying-t.pending())
	if n > 0 {
		t.out = t.poller.pool.grow(t.out, p[:n])
		t.write()
	}
	return n, nil
}

func (t *twin) pending() int {
	if t.out == nil {
		return 0
	}
	return t.out.len()
}

func (t *twin) halfClose(*Conn) {
	t.half = true
	t.write()
}

func (t *twin) shut(*Conn) {
	t.cut()
	t.wakeup.Broadcast()
}

func (t *twin) wake(*Conn) { t.wakeup.Broadcast() }

// cut ends reads and writes of nc that are under way. A TLS connection's own Close may wait to say goodbye.
func (t *twin) cut() {
	if outer, ok := t.nc.(interface{ NetConn() net.Conn }); ok {
		outer.NetConn().Close()
		return
	}
	t.nc.Close()
}

// write has the writer run; the connection's mutex is held.
func (t *twin) write() {
	if t.writing {
		return
	}
	t.writing = true
	t.poller.crew.hire()
	go t.writeOut()
}

// writeOut is the writer.
func (t *twin) writeOut() {
	defer t.poller.crew.leave()
	for {
		switch out, what := t.next(); what {
		case writeBytes:
			if t.written(out, t.writeAll(out.bytes())) {
				t.callWritable()
			}
		case writeHalfClose:
			t.closeWrite()
		case writeLast:
			t.end()
			return
		case writeNothing:
			return
		}
	}
}

// writePiece is how much the writer writes at once: a peer that reads slowly is seen to take something each time.
const writePiece = 16 << 10

// writeAll writes p.
func (t *twin) writeAll(p []byte) error {
	for len(p) > 0 {
		n, err := t.nc.Write(p[:min(len(p), writePiece)])
		if err != nil {
			return err
		}
		p = p[n:]
		t.conn.mu.Lock()
		t.flying -= n
		t.conn.mu.Unlock()
	}
	return nil
}

// task is what the writer does next.
type task uint8

const (
	writeNothing   task = iota // stop, until there is something
	writeBytes                 // and go on
	writeHalfClose             // and go on
	writeLast                  // close, the reader has left
)

// next returns the writer's next task, and its bytes.
func (t *twin) next() (*buffer, task) {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if out := t.out; out != nil {
		t.out = nil
		t.flying = out.len()
		return out, writeBytes
	}
	if t.half {
		t.half = false
		return nil, writeHalfClose
	}
	t.writing = false
	if t.last {
		return nil, writeLast
	}
	return nil, writeNothing
}

// written notes the outcome of a write, and reports whether Writable is to be called.
func (t *twin) written(out *buffer, err error) bool {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	t.flying = 0
	t.poller.pool.put(out)
	if err == nil {
		return c.drained()
	}
	t.poller.pool.put(t.out)
	t.out, t.half = nil, false
	if c.state&(broken|gone) == 0 {
		c.fail(err)
	}
	return false
}

// closeWrite closes the outgoing half, or everything where there are no halves.
func (t *twin) closeWrite() {
	halves, ok := t.nc.(interface{ CloseWrite() error })
	if !ok {
		t.nc.Close()
		return
	}
	_ = halves.CloseWrite()
}

// end closes nc when neither goroutine needs it any more.
func (t *twin) end() {
	t.nc.Close()
	t.poller.twins.remove(t)
}

func (t *twin) callWritable() {
	t.up.Lock()
	if !t.over {
		t.conn.handler.Writable()
	}
	t.up.Unlock()
	t.poller.turnEnd()
}

// read is the reader.
func (t *twin) read() {
	defer t.poller.crew.leave()
	err := t.receive()
	lingers, err := t.retire(err)
	t.poller.count.Add(-1)
	t.up.Lock()
	t.over = true
	t.conn.handler.Closed(err)
	t.up.Unlock()
	t.poller.turnEnd()
	if lingers {
		// An error means that the writer has closed nc by now.
		_ = t.nc.SetWriteDeadline(time.Now().Add(linger))
		return
	}
	t.end()
}

// receive reads until the end, whose error it returns.
func (t *twin) receive() error {
	t.conn.mu.Lock()
	in := t.conn.takeIn()
	t.conn.mu.Unlock()
	if in != nil {
		ok := t.hand(in.bytes())
		t.poller.pool.put(in)
		if !ok {
			return net.ErrClosed
		}
	}
	for {
		full, err := t.readInto(t.first[:])
		for full && err == nil {
			large := t.poller.pool.get(twinBuffer)
			full, err = t.readInto(large.data[:cap(large.data)])
			t.poller.pool.put(large)
		}
		if err != nil {
			return err
		}
	}
}

// readInto reads once and hands over what came. It reports whether p was filled.
func (t *twin) readInto(p []byte) (bool, error) {
	n, err := t.nc.Read(p)
	if n > 0 && !t.hand(p[:n]) {
		return false, net.ErrClosed
	}
	return n == len(p), err
}

// hand gives p to the handler, waiting for Resume as often as it takes less than all. It reports false when the
// connection was broken meanwhile.
func (t *twin) hand(p []byte) bool {
	for {
		n, ok := t.callReceived(p)
		if !ok {
			return false
		}
		p = p[n:]
		if len(p) == 0 {
			return true
		}
		if !t.waitResumed() {
			return false
		}
	}
}

func (t *twin) callReceived(p []byte) (int, bool) {
	t.up.Lock()
	ok := t.begin()
	n := 0
	if ok {
		n = t.conn.received(p)
	}
	t.up.Unlock()
	if ok {
		t.poller.turnEnd()
		t.conn.endTurn()
	}
	return n, ok
}

// begin starts a turn, unless the connection is broken.
func (t *twin) begin() bool {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state&broken != 0 {
		return false
	}
	c.state &^= resumed
	c.state |= gathering
	return true
}

func (t *twin) waitResumed() bool {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.state&(resumed|broken) == 0 {
		t.wakeup.Wait()
	}
	return c.state&broken == 0
}

// retire takes the connection out of use, and reports whether the writer goes on with what it has.
func (t *twin) retire(err error) (bool, error) {
	c := t.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state&halved != 0 && (errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)) {
		err = io.EOF // what has no halves was closed whole
	}
	ended := err == io.EOF && c.state&broken == 0
	err = c.retire(err)
	if ended && t.writing {
		t.last = true
		return true, err
	}
	t.poller.pool.put(t.out)
	t.out, t.half = nil, false
	return false, err
}
