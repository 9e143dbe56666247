package faultproxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Sizes of what is read at once.
const (
	smallRead = 2 << 10
	largeRead = 32 << 10
)

// pipe carries the bytes of one connection one way. One goroutine reads, another one writes.
type pipe struct {
	link   *link
	random *rand.Rand    // the reader's
	ready  chan struct{} // something is there to be written, or may be
	space  chan struct{} // something was written

	mu      sync.Mutex
	way     Way
	changed chan struct{} // closed when way is replaced
	chunks  []chunk
	held    int   // bytes in chunks
	left    int64 // how many bytes may still go; less than 0 is no bound
	closed  bool  // the receiver is to be told that nothing more comes
}

// chunk is a piece of what was read.
type chunk struct {
	data  []byte
	due   time.Time
	end   bool // the sender is at its end
	reset bool // the sender is gone
}

func newPipe(l *link, w Way, random *rand.Rand) *pipe {
	return &pipe{
		link: l, random: random, ready: make(chan struct{}, 1), space: make(chan struct{}, 1),
		way: w, changed: make(chan struct{}), left: w.cut(random),
	}
}

// set replaces what happens to bytes, those that are held too.
func (p *pipe) set(w Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.CutAfter != p.way.CutAfter || w.CutSpread != p.way.CutSpread {
		p.left = w.cut(p.random)
	}
	p.way = w
	close(p.changed)
	p.changed = make(chan struct{})
}

// shut tells the receiver that nothing more comes.
func (p *pipe) shut() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	signal(p.ready)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run carries bytes until one end is gone.
func (p *pipe) run(from, to *net.TCPConn) {
	var reader sync.WaitGroup
	reader.Go(func() { p.read(from) })
	p.write(to)
	reader.Wait()
}

// read reads until the sender's end.
func (p *pipe) read(from *net.TCPConn) {
	b := make([]byte, smallRead)
	for {
		n, err := from.Read(b)
		if n > 0 && !p.put(chunk{data: append([]byte(nil), b[:n]...)}) {
			return
		}
		if err != nil {
			end := errors.Is(err, io.EOF)
			p.put(chunk{end: end, reset: !end})
			return
		}
		if n == len(b) && n < largeRead {
			b = make([]byte, largeRead)
		}
	}
}

// put queues a chunk once there is space. It reports whether the connection stands.
func (p *pipe) put(c chunk) bool {
	p.mu.Lock()
	for p.held > MaxHeld {
		p.mu.Unlock()
		select {
		case <-p.space:
		case <-p.link.life.Done():
			return false
		}
		p.mu.Lock()
	}
	c.due = time.Now().Add(p.way.late(p.random))
	if last := len(p.chunks) - 1; last >= 0 && c.due.Before(p.chunks[last].due) {
		c.due = p.chunks[last].due
	}
	p.chunks, p.held = append(p.chunks, c), p.held+len(c.data)
	p.mu.Unlock()
	signal(p.ready)
	return true
}

// write writes what was read, when it is due, until the end.
func (p *pipe) write(to *net.TCPConn) {
	told := false // the receiver, that nothing more comes
	for {
		c, ok := p.next(told)
		switch {
		case !ok:
			return
		case c == nil:
			told = true
			_ = to.CloseWrite() // it may be gone
			continue
		case c.end:
			if !told && p.arrive(c) {
				_ = to.CloseWrite()
			}
			return
		case c.reset:
			if p.arrive(c) {
				p.link.reset()
			}
			return
		case !told && !p.pass(to, c):
			p.link.reset()
			return
		}
		p.done(c)
	}
}

// next returns the oldest chunk, waiting for it, or nil where the receiver is to be told that nothing more comes. It
// reports whether the connection stands.
func (p *pipe) next(told bool) (c *chunk, ok bool) {
	for {
		p.mu.Lock()
		if len(p.chunks) > 0 {
			c = &p.chunks[0]
		}
		shut := p.closed && !told
		p.mu.Unlock()
		switch {
		case shut:
			return nil, true
		case c != nil:
			return c, true
		case !p.wait():
			return nil, false
		}
	}
}

// wait waits for something to write. It reports whether the connection stands.
func (p *pipe) wait() bool {
	select {
	case <-p.ready:
		return true
	case <-p.link.life.Done():
		return false
	}
}

// done drops the oldest chunk.
func (p *pipe) done(c *chunk) {
	p.mu.Lock()
	p.held -= len(c.data)
	p.chunks[0] = chunk{}
	p.chunks = p.chunks[1:]
	p.mu.Unlock()
	signal(p.space)
}

// pass writes a chunk. It reports whether the connection goes on.
func (p *pipe) pass(to *net.TCPConn, c *chunk) bool {
	if !p.arrive(c) {
		return false
	}
	for data := c.data; len(data) > 0; {
		piece, last := p.piece(data)
		if !p.passable() {
			return false
		}
		if _, err := to.Write(piece); err != nil || last {
			return false
		}
		data = data[len(piece):]
	}
	return true
}

// piece returns how much of data may be written now, after the time that it takes, and whether that was all that may
// go at all.
func (p *pipe) piece(data []byte) (piece []byte, last bool) {
	p.mu.Lock()
	if bandwidth := p.way.Bandwidth; bandwidth > 0 {
		data = data[:min(len(data), max(bandwidth/20, 1))]
		pause := time.Duration(len(data)) * time.Second / time.Duration(bandwidth)
		p.mu.Unlock()
		p.sleep(pause)
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	if p.left < 0 {
		return data, false
	}
	piece = data[:min(int64(len(data)), p.left)]
	p.left -= int64(len(piece))
	return piece, p.left == 0
}

// arrive waits until a chunk is due. It reports whether the connection stands.
func (p *pipe) arrive(c *chunk) bool { return p.sleep(time.Until(c.due)) && p.passable() }

// sleep waits. It reports whether the connection stands.
func (p *pipe) sleep(d time.Duration) bool {
	if d <= 0 {
		return p.link.life.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.link.life.Done():
		return false
	}
}

// passable waits until the way is no black hole. It reports whether the connection stands.
func (p *pipe) passable() bool {
	for {
		p.mu.Lock()
		hole, changed := p.way.BlackHole, p.changed
		p.mu.Unlock()
		if !hole {
			return p.link.life.Err() == nil
		}
		select {
		case <-changed:
		case <-p.link.life.Done():
			return false
		}
	}
}
