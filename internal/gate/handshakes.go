package gate

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// handshakesEach is how many new connections are on their way at once, for each processor. net/http takes some 13 KB
	// for each, twelve times what it needs once it has joined a room: when everybody comes back in one second, they wait in
	// the system's queue instead, which costs next to nothing.
	handshakesEach = 128
	// handshakePatience is how long a connection counts as on its way, so that those that say nothing, or are answered
	// late, keep nobody else out for long: with nothing but such, 512 a second are let in for each processor.
	handshakePatience = 250 * time.Millisecond
)

// handshakes are the connections that have been accepted of late, and have not become anything yet.
type handshakes struct {
	turn  chan struct{} // holds one while a listener waits, or takes a place
	freed chan struct{} // holds one when a place has been given back

	mu    sync.Mutex
	held  map[net.Conn]*place
	order []*place // by when they were taken, with those that have been given back
}

// place is that of one connection.
type place struct {
	conn net.Conn // nil when it has been given back
	ends time.Time
}

func newHandshakes() *handshakes {
	return &handshakes{
		turn: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		held: make(map[net.Conn]*place),
	}
}

// mostHandshakes returns how many are on their way at once.
func mostHandshakes() int { return handshakesEach * runtime.GOMAXPROCS(0) }

// begin waits until there is a place for a connection, and takes it. It is called where connections are accepted, so that
// no more are accepted meanwhile.
func (h *handshakes) begin(c net.Conn) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	for wait := h.take(c); wait > 0; wait = h.take(c) {
		timer := time.NewTimer(wait)
		select {
		case <-h.freed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take takes a place, or returns how long it is until there is one at the latest.
func (h *handshakes) take(c net.Conn) (wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for len(h.order) > 0 {
		first := h.order[0]
		if first.conn != nil && first.ends.After(now) {
			break
		}
		delete(h.held, first.conn)
		h.order[0] = nil
		h.order = h.order[1:]
	}
	if len(h.held) >= mostHandshakes() {
		return h.order[0].ends.Sub(now)
	}
	p := &place{c, now.Add(handshakePatience)}
	h.held[c] = p
	h.order = append(h.order, p)
	return 0
}

// end gives the place back, if the connection has one: it has become something, was answered, or is gone.
func (h *handshakes) end(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.held[c]
	if p == nil {
		return
	}
	p.conn = nil
	delete(h.held, c)
	select {
	case h.freed <- struct{}{}:
	default:
	}
}
