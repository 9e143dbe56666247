package redis

import (
	"sync"

	"github.com/wireroom/wireroom/engine"
)

// calls counts the calls that are under way.
type calls struct {
	idle chan struct{} // closed when nothing is taken on any more and no call is under way

	mu     sync.Mutex
	count  int
	closed bool
}

// begin counts a call that end ends; it returns engine.ErrClosed once the engine is closed.
func (e *Engine) begin() error {
	c := &e.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return engine.ErrClosed
	}
	c.count++
	return nil
}

func (e *Engine) end() {
	c := &e.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count--; c.count == 0 && c.closed {
		close(c.idle)
	}
}

// close has no more calls taken on, and reports whether that is new.
func (c *calls) close() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.closed
	c.closed = true
	if first && c.count == 0 {
		close(c.idle)
	}
	return first
}
