package main

import (
	"slices"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// holes is what was lost of the feed and not fetched from the log yet, and how long that took where it was.
type holes struct {
	mu        sync.Mutex
	open      map[string][]*hole // by room, as they were lost
	known     map[string]uint64  // the newest message that was read of the log, by room
	afterNext []time.Duration    // since the next message came, which shows the hole
	atEnd     []time.Duration    // since the loss, where nothing followed
	engine    []time.Duration    // of which the engine took so much, each time that something was fetched
}

// hole is a message that was lost.
type hole struct {
	offset      uint64
	began, next time.Time // next is zero until something follows
}

// lost notes that a message was lost on its way.
func (h *holes) lost(m *protocol.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.Position.Offset <= h.known[m.Room] {
		return // it is no loss
	}
	if h.open == nil {
		h.open = make(map[string][]*hole)
	}
	h.open[m.Room] = append(h.open[m.Room], &hole{offset: m.Position.Offset, began: time.Now()})
}

// came notes that a message has come.
func (h *holes) came(m *protocol.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.open[m.Room] {
		if one.next.IsZero() && one.offset < m.Position.Offset {
			one.next = time.Now()
		}
	}
}

// read notes what was read of a log, and how long the engine took for it.
func (h *holes) read(room string, page engine.Page, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(page.Messages) == 0 {
		return
	}
	if h.known == nil {
		h.known = make(map[string]uint64)
	}
	upTo := page.Messages[len(page.Messages)-1].Position.Offset
	h.known[room] = max(h.known[room], upTo)
	if h.open[room] == nil {
		return
	}
	before := len(h.open[room])
	h.open[room] = slices.DeleteFunc(h.open[room], func(one *hole) bool {
		switch {
		case one.offset > upTo:
			return false
		case one.next.IsZero():
			h.atEnd = append(h.atEnd, time.Since(one.began))
		default:
			h.afterNext = append(h.afterNext, time.Since(one.next))
		}
		return true
	})
	if len(h.open[room]) < before {
		h.engine = append(h.engine, took)
	}
}

// count returns how many holes there are.
func (h *holes) count() (n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, of := range h.open {
		n += int64(len(of))
	}
	return n
}

// slowest returns how long it took for all but one in so many, after the next message or at the end, in microseconds.
func (h *holes) slowest(of *[]time.Duration, oneIn int) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(*of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(*of))
	return sorted[len(sorted)-1-len(sorted)/oneIn].Microseconds()
}
