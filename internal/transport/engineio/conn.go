package engineio

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// Conn is one connection, whatever carries it at the moment: requests of HTTP, or a WebSocket. Its methods may be called
// at once and do not block.
//
// Locks are taken in this order: a room of the hub, mu, the socket's. Nothing is called up while mu is held.
type Conn struct {
	transport *Transport
	talk      Talk
	seat      gate.Seat
	id        string // with which requests over HTTP name it; empty if it began as a WebSocket
	presented uint64 // what the first request presented
	ending    atomic.Pointer[ending]
	dying     atomic.Bool // it is closed when what came before was handled: nothing more is taken from the peer
	over      atomic.Bool
	place     sweep.Place
	heard     atomic.Int64 // when the peer gave a sign of life, by the transport's clock
	forged    atomic.Int32 // tokens that nobody signed
	tally     session.Tally

	mu    sync.Mutex
	web   *web     // nil while requests carry the connection
	poll  *polling // nil while a WebSocket does
	pulse pulse
}

// ending is how a connection is closed from this side.
type ending struct {
	code   protocol.CloseCode
	reason string
	retry  time.Duration
	at     time.Time
}

// Error implements error: an ending is why a connection is aborted that is slow to close.
func (e *ending) Error() string { return fmt.Sprintf("closed with %d %s", e.code, e.reason) }

func (e *ending) ended() session.Ended {
	return session.Ended{Code: e.code, Reason: e.reason, Retry: e.retry, Clean: e.code == protocol.CloseNormal}
}

// init begins a connection.
func (c *Conn) init(t *Transport, pass *gate.Pass) {
	c.transport, c.seat, c.presented = t, pass.Seat, pass.Presented
	now := t.now()
	c.heard.Store(now)
	c.pulse.next = now + int64(t.PingInterval)
	c.pulse.due = c.pulse.next - int64(float64(t.PingInterval)*early())
}

// hear notes that the peer is alive.
func (c *Conn) hear() { c.heard.Store(c.transport.now()) }

// packet takes one packet from the peer, in order. It returns false when nothing more is to be read until Resume.
func (c *Conn) packet(p eio.Packet) (more bool) {
	if c.dying.Load() || c.over.Load() || c.ending.Load() != nil {
		return true
	}
	switch p.Type {
	case eio.Message:
		return c.talk.Received(p.Data, p.Binary)
	case eio.Pong, eio.Noop:
		c.control(len(p.Data))
	case eio.Close:
		c.dieBy(c.left)
	default: // what only a server sends, or what belongs to a probe
		c.Malformed("a packet out of place")
	}
	return true
}

// control counts a frame or packet that is for the connection itself, and no session's.
func (c *Conn) control(size int) {
	if c.ending.Load() == nil && !c.transport.Node.Control(&c.tally, size) {
		c.Close(protocol.CloseRateLimited, string(protocol.CodeRateLimited), session.CloseRetry)
	}
}

// left ends a connection whose client said goodbye.
func (c *Conn) left() {
	e := &ending{code: protocol.CloseNormal, reason: "closed by the client", at: time.Now()}
	if !c.ending.CompareAndSwap(nil, e) {
		return
	}
	c.mu.Lock()
	w := c.web
	if w != nil {
		w.finish(ws.CloseNormal, "")
	} else {
		c.poll.farewell([]byte{byte(eio.Noop)})
	}
	c.mu.Unlock()
	if w == nil {
		c.end(e.ended())
	}
}

// Malformed closes a connection whose peer sent what cannot be read, after what came before.
func (c *Conn) Malformed(reason string) {
	c.dieBy(func() { c.Close(protocol.CloseBadRequest, reason, 0) })
}

// dieBy closes the connection by a call after what came before, which may take its time. The first one counts.
func (c *Conn) dieBy(last func()) {
	if c.dying.CompareAndSwap(false, true) {
		c.talk.Then(last)
	}
}

// Close ends the connection with a code, a reason, and where retry is not 0 the time after which to come back.
func (c *Conn) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	e := &ending{code: code, reason: reason, retry: retry, at: time.Now()}
	if !c.ending.CompareAndSwap(nil, e) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.web == nil {
		c.poll.farewell([]byte{byte(eio.Close)})
		return
	}
	if retry > 0 {
		reason += ";retry=" + strconv.FormatFloat(retry.Seconds(), 'f', 1, 64)
	}
	c.web.finish(ws.CloseCode(code), reason)
}

// closeSlow ends a connection whose client leaves too much unread.
func (c *Conn) closeSlow() {
	c.transport.Metrics.Add(metrics.ClosedSlow, 1)
	c.Close(protocol.CloseSlowConsumer, "slow_consumer", 0)
}

// abort ends the connection at once.
func (c *Conn) abort(err error) {
	c.mu.Lock()
	w := c.web
	if w == nil {
		c.poll.farewell([]byte{byte(eio.Close)})
	}
	c.mu.Unlock()
	if w != nil {
		w.socket.Abort(err)
		return
	}
	c.end(c.ended(err))
}

// ended says how the connection ended.
func (c *Conn) ended(err error) session.Ended {
	if e := c.ending.Load(); e != nil {
		return e.ended()
	}
	reason := "connection lost"
	if err != nil && !errors.Is(err, io.EOF) {
		reason = err.Error()
	}
	return session.Ended{Code: closeAbnormal, Reason: reason}
}

// end is the end of the connection. A client that says goodbye in one request may have another under way, which finds
// the connection for a moment longer.
func (c *Conn) end(e session.Ended) {
	if !c.over.CompareAndSwap(false, true) {
		return
	}
	t := c.transport
	t.table.Remove(c)
	c.mu.Lock()
	var trial *web
	if c.poll != nil {
		trial = c.poll.trial
		c.poll.trial = nil
	}
	c.mu.Unlock()
	switch {
	case c.id == "":
	case e.Clean:
		time.AfterFunc(lingerTime, func() { t.unname(c) })
	default:
		t.unname(c)
	}
	if trial != nil { // only now: a client that sees it end must not find the connection any more, unless it said goodbye
		trial.socket.Abort(errGone)
	}
	c.talk.Closed(e)
	c.seat.Failed(int(c.forged.Load()))
	c.seat.Release(e.Blame())
}

// Forged counts tokens of the client that nobody signed, against its address.
func (c *Conn) Forged(n int) { c.forged.Add(int32(n)) }

// errGone is why the trial of an upgrade ends whose connection has ended.
var errGone = errors.New("the connection to upgrade is gone")

// Ready reports whether the connection takes what rooms hold.
func (c *Conn) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.web != nil {
		return c.web.early == nil && c.web.socket.Ready()
	}
	return c.ending.Load() == nil && c.poll.takes()
}

// Hold has nothing more be read until the next Resume: one that came before does not count. A Talk calls it from within
// Received, which then returns false.
func (c *Conn) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.web != nil {
		c.web.held.Store(true)
		return
	}
	c.poll.forgetResume()
}

// Resume reads on after Talk.Received said that there was no room for more.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.web != nil {
		c.web.held.Store(false)
		c.web.socket.Resume()
		return
	}
	wake(c.poll.resume)
}

// Ending reports whether the connection is being closed.
func (c *Conn) Ending() bool { return c.ending.Load() != nil }

// wake lets whoever waits for a channel see that something changed.
func wake(changed chan struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// Place implements sweep.Entry.
func (c *Conn) Place() *sweep.Place { return &c.place }

// Drain implements sweep.Entry.
func (c *Conn) Drain(most time.Duration) {
	retry := max(sweep.Retry(most), time.Millisecond)
	c.talk.Drain(retry)
	c.Close(protocol.CloseDraining, string(protocol.CodeDraining), retry)
}
