package bench

import (
	"errors"
	"io"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

// client is one of the clients of a worker, over all of its connections; the worker's lock guards it.
type client struct {
	worker  *worker
	link    *link // nil while it is not connected
	order   order
	began   int64 // when what it is doing now began: dialing, coming back
	awaited int64 // the first publication that waits for it; never
	number  int32 // in the worker
	room    int32 // that it is in, or on its way to
	rank    int32 // among the room's members
	joined  bool
	failed  bool // it could not be placed, and does not try any more
	slow    bool // it is one of those that stop reading for a while
	stopped bool // it does not read
	cut     bool // it is coming back after the storm
	leaving bool // it has asked to leave
	held    bool // it does not publish for a while, because it could not
	tries   uint8
}

// link is one connection of a client.
type link struct {
	socket  conn.Conn
	client  *client
	decoder *ws.Decoder
	rest    []byte // of a line that is not complete; Server-Sent Events
	bye     string // why the server says that it ends
	closing bool   // this side ends it
	// What was agreed on:
	deflated bool
	chunked  bool // the body comes in chunks; Server-Sent Events
	chunk    chunk
}

// Received implements conn.Handler.
func (l *link) Received(p []byte) int {
	w := l.client.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.client.stopped {
		return 0
	}
	w.wake(len(p))
	return w.speak.receive(l, p)
}

// Writable implements conn.Handler.
func (l *link) Writable() {}

// Closed implements conn.Handler.
func (l *link) Closed(err error) {
	if l.decoder != nil {
		l.decoder.Release()
		l.decoder = nil
	}
	w := l.client.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed(l, err)
}

// closed notes the end of a connection, and has the client come back if that is what the scenario is about. The worker
// is locked.
func (w *worker) closed(l *link, err error) {
	c := l.client
	if c.link != l {
		return
	}
	w.counts.Open--
	w.exit(c)
	c.link, c.leaving, c.held = nil, false, false
	if !l.closing {
		w.counts.Lost++
		w.counts.failed("lost: " + reason(l, err))
	}
	if w.pacer.over {
		return
	}
	switch {
	case w.scenario.storms:
		if !c.cut {
			c.cut, c.began, c.tries = true, w.clock.now(), 0
		}
		w.comeBack(c)
	case w.scenario.returns:
		w.pacer.add(0, c, dial)
	}
}

// reason says why a connection ended.
func reason(l *link, err error) string {
	switch {
	case l.bye != "":
		return l.bye
	case err == nil || errors.Is(err, io.EOF):
		return "ended by the server without a word"
	}
	return err.Error()
}

// comeBack has a client that was cut dial again after a random time, at most 20 s, that doubles with every try, as the
// SDKs do. The worker is locked.
func (w *worker) comeBack(c *client) {
	const first, most = 500e6, 20e9
	longest := min(float64(most), first*float64(int64(1)<<min(c.tries, 16)))
	c.tries++
	w.pacer.add(int64(w.random.Float64()*longest), c, dial)
}

// opened makes l the connection of its client, before it carries anything. The worker is locked.
func (w *worker) opened(l *link) {
	l.client.link = l
	w.counts.Open++
	w.counts.Connected++
}

// unconnected notes that a client could not connect. The worker is not locked.
func (w *worker) unconnected(c *client, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Failed++
	w.counts.failed("connect: " + rootCause(err))
	switch {
	case w.pacer.over:
	case w.scenario.storms || w.scenario.returns:
		w.comeBack(c)
	case c.tries < dialTries:
		w.comeBack(c)
	default:
		c.failed = true
	}
}

// dialTries is how often a client tries again that could not connect.
const dialTries = 3

// rootCause returns the innermost error, which names no address.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// placed notes that a client is where it is to be, from an offset on, with what it has missed for good. The worker is
// locked.
func (w *worker) placed(c *client, offset uint64, fresh bool) {
	if fresh {
		c.order.begin(offset)
	}
	w.enter(c, offset)
	switch now := w.clock.now(); {
	case c.cut:
		w.times.measured.record(timeReturn, now-c.began)
		w.counts.Returned++
		c.cut = false
	case c.began > 0:
		w.times.measured.record(timeConnect, now-c.began)
	}
	c.began, c.tries = 0, 0
	if w.pubs.running {
		w.takesPart(c)
	}
}

// takesPart has a client that is where it is to be do what the scenario is about, while there is publishing. The worker
// is locked.
func (w *worker) takesPart(c *client) {
	if w.scenario.wanders || w.scenario.returns {
		w.pacer.addStay(c)
	}
	if w.scenario.alone {
		for range w.options.Window {
			w.askAgain(c)
		}
	}
}
