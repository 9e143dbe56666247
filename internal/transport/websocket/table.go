package websocket

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sweepSlices = 10 // parts of the table, each of which is swept once a second
	sweepChunk  = 512
)

// table is the connections of a transport, and the one goroutine that looks after them all: there is no timer a
// connection.
type table struct {
	clock atomic.Uint32 // seconds since start, as of the last tick
	birth time.Time
	quit  chan struct{}
	done  chan struct{}

	mu          sync.Mutex
	connections []*connection
}

func (t *table) start(owner *Transport) {
	t.birth = time.Now()
	t.clock.Store(1) // so that 0 means never
	t.quit, t.done = make(chan struct{}), make(chan struct{})
	go t.run(owner)
}

func (t *table) stop() {
	close(t.quit)
	<-t.done
}

// Places of a connection that is not in the table.
const (
	slotNone int32 = -1 // not yet
	slotGone int32 = -2 // no more, or never
)

// add adds a connection that carries bytes; one that is gone already is left out.
func (t *table) add(c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.slot == slotGone {
		return
	}
	c.slot = int32(len(t.connections))
	t.connections = append(t.connections, c)
}

// remove takes a connection out that is gone, whether it was added or not.
func (t *table) remove(c *connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.slot < 0 {
		c.slot = slotGone
		return
	}
	last := len(t.connections) - 1
	t.connections[c.slot] = t.connections[last]
	t.connections[c.slot].slot = c.slot
	t.connections[last] = nil
	t.connections = t.connections[:last]
	c.slot = slotGone
}

func (t *table) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.connections)
}

func (t *table) all() []*connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*connection(nil), t.connections...)
}

// run sweeps a slice of the table with every tick.
func (t *table) run(owner *Transport) {
	defer close(t.done)
	ticker := time.NewTicker(time.Second / sweepSlices)
	defer ticker.Stop()
	for slice := 0; ; slice = (slice + 1) % sweepSlices {
		select {
		case <-t.quit:
			return
		case now := <-ticker.C:
			t.clock.Store(uint32(now.Sub(t.birth)/time.Second) + 1)
			t.sweep(slice, now)
			owner.Node.Hub.Flush()
		}
	}
}

// sweep looks after one slice. A connection that moves within the table meanwhile is looked after a second later.
func (t *table) sweep(slice int, now time.Time) {
	var chunk [sweepChunk]*connection
	clock := t.clock.Load()
	for done := 0; ; done += len(chunk) {
		n := t.chunk(slice, done, chunk[:])
		for _, c := range chunk[:n] {
			c.lookAfter(clock, now)
		}
		if n < len(chunk) {
			return
		}
	}
}

// chunk copies connections of a slice, from its skip-th on, and returns how many.
func (t *table) chunk(slice, skip int, chunk []*connection) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.connections)
	from, end := slice*n/sweepSlices+skip, (slice+1)*n/sweepSlices
	if from >= end {
		return 0
	}
	return copy(chunk, t.connections[from:end])
}

// spread returns d in seconds, up to 10 % more or less.
func spread(d time.Duration) uint32 {
	return uint32(max(1, d.Seconds()*(0.9+0.2*rand.Float64())))
}
