package longpoll

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// maxPushed bounds what is kept for the next poll besides what rooms hold, in bytes.
const maxPushed = 64 << 10

// caller is a client that polls. Its session and its rooms stay for a while between its polls, so that the next one
// goes on without joining anew; whatever it was given it has to prove to have got by its next cursor. Between polls it
// is as a connection whose socket is full. It implements session.Outlet.
//
// Locks are taken in this order: turn, a room of the hub, mu.
type caller struct {
	session   session.Session
	transport *Transport
	user      string
	userName  string // the display name that it came with
	name      string // that the client gave itself; empty if none
	place     sweep.Place

	opened atomic.Bool // the session is; what holds the turn sets it

	turn sync.Mutex // held while a poll begins, or the caller ends: there is one of them at a time
	// Guarded by turn:
	presence bool
	asked    []string // the rooms of the last poll
	number   int64    // of the newest poll, where the client counts them

	mu       sync.Mutex
	reserved bool // a poll is about to begin
	gone     bool
	ending   *ending // why the session shall end
	poll     *poll   // nil between polls
	given
	pushed  envelopes
	idle    time.Time    // since when there is no poll
	network netip.Prefix // where the last poll came from
}

// given is what a client has got, as far as that is known.
type given struct {
	vector   stateless.Vector
	doubtful bool     // an answer was lost: the client may not have what it was given
	told     int64    // the number of the newest poll whose answer had something in it
	again    []string // rooms that the client has not left, and is taken into again
}

// ending is how a session is ended from this side.
type ending struct {
	code   protocol.CloseCode
	reason string
	retry  time.Duration
}

// envelopes are JSON texts with commas between them.
type envelopes struct {
	text  []byte
	count int
}

func (e *envelopes) add(envelope []byte) {
	if e.count > 0 {
		e.text = append(e.text, ',')
	}
	e.text = append(e.text, envelope...)
	e.count++
}

// addAll adds those of another, which is empty then.
func (e *envelopes) addAll(other *envelopes) {
	if other.count > 0 {
		count := e.count + other.count
		e.add(other.text)
		e.count = count
		*other = envelopes{}
	}
}

func (e *envelopes) full() bool { return len(e.text) >= maxBytes || e.count >= maxMessages }

// isThere reports whether the caller is not gone, and shall not end; if it shall, it is of no use to who has reserved
// it, and e says why.
func (c *caller) isThere() (there bool, e *ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there = !c.gone && c.ending == nil
	c.reserved = c.reserved && there
	return there, c.ending
}

// free reports whether a poll may begin without ending another one, and whether the client stands where v says, if it
// says so.
func (c *caller) free(v *stateless.Vector) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone && c.ending == nil && !c.reserved && c.poll == nil && (v == nil || v.String() == c.vector.String())
}

// overtaken reports whether a poll is older than one that has been served, and takes note of its number. The caller's
// turn is locked.
func (c *caller) overtaken(ask *stateless.Ask) bool {
	if ask.Number == 0 || c.name == "" {
		return false
	}
	late := ask.Number < c.number
	c.number = max(c.number, ask.Number)
	return late
}

// reserve keeps others from taking the caller for free.
func (c *caller) reserve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved = true
}

func (c *caller) idleSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

// Framing implements session.Outlet.
func (c *caller) Framing() hub.Framing { return &c.transport.framing }

// Deliver implements session.Outlet.
func (c *caller) Deliver(handed conn.Frames, unless *atomic.Bool) conn.Outcome {
	frames := handed.Bytes
	if len(frames) == 0 {
		return conn.Sent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case unless != nil && unless.Load():
		return conn.Skipped
	case c.gone:
		return conn.Gone
	case !c.takes():
		return conn.Blocked
	}
	for len(frames) > 0 {
		var r stateless.Record
		r, frames = stateless.Next(frames)
		c.poll.add(r.Body)
		if len(r.Room) > 0 {
			c.vector.Move(r.Room, r.Position)
		}
	}
	return conn.Sent
}

// takes reports whether there is a poll that takes what rooms hold. The caller is locked.
func (c *caller) takes() bool { return c.poll != nil && c.poll.open && !c.poll.full() }

// Ready implements session.Outlet.
func (c *caller) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone && c.takes()
}

// Returns implements session.Returning.
func (c *caller) Returns(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.again, room)
}

// Resume implements session.Outlet: nothing is read but the requests of a poll, which are few.
func (c *caller) Resume() {}

// Reply implements session.Outlet. The only requests of a poll are for its rooms.
func (c *caller) Reply(r *protocol.Reply) {
	p := stateless.JoinReply(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll == nil {
		return
	}
	switch p := p.(type) {
	case *stateless.OK:
		if room, position := stateless.Target(p); room != "" { // where it was before, nobody says where it stands
			c.vector.Move([]byte(room), position)
		}
		c.poll.joined(p)
	case *stateless.Failure:
		if !p.Err.Code.Retryable() {
			c.vector.Refuse(p.Room)
		}
		c.poll.failed(p)
	}
}

// Push implements session.Outlet.
func (c *caller) Push(p protocol.Push) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return
	case c.poll != nil:
		if p.Type() != protocol.TypeWelcome || c.poll.first {
			c.poll.add(protocol.AppendPush(nil, p))
		}
		return
	}
	if c.pushed.add(protocol.AppendPush(nil, p)); len(c.pushed.text) > maxPushed && c.ending == nil {
		c.ending = &ending{code: protocol.CloseSlowConsumer, reason: "slow_consumer"}
	}
}

// Close implements session.Outlet. What it takes is done by the poll that waits, or by the sweep.
func (c *caller) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil {
		return
	}
	c.ending = &ending{code: code, reason: reason, retry: retry}
	if c.poll != nil {
		c.poll.wake()
	}
}

// Place implements sweep.Entry.
func (c *caller) Place() *sweep.Place { return &c.place }

// Drain implements sweep.Entry.
func (c *caller) Drain(most time.Duration) {
	retry := max(sweep.Retry(most), time.Millisecond)
	c.Push(&protocol.Draining{ReconnectAfter: retry.Seconds()})
	c.Close(protocol.CloseDraining, string(protocol.CodeDraining), retry)
	c.reap(time.Now())
}

// LookAfter implements sweep.Entry.
func (c *caller) LookAfter(_ uint32, now time.Time) {
	if c.opened.Load() {
		c.session.Tick(now.Unix())
	}
	c.reap(now)
}

// reap ends a caller that has not polled for long, or that shall end. While a poll waits, that ends it.
func (c *caller) reap(now time.Time) {
	if !c.turn.TryLock() {
		return
	}
	defer c.turn.Unlock()
	c.mu.Lock()
	e := c.ending
	over := !c.gone && c.poll == nil && !c.reserved && (e != nil || now.Sub(c.idle) > stay)
	c.mu.Unlock()
	if over {
		c.end(e)
	}
}

// end ends the session; it reports whether it was there until now. The caller's turn is locked.
func (c *caller) end(e *ending) bool {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return false
	}
	c.gone = true
	c.mu.Unlock()
	c.transport.forget(c)
	how := session.Ended{Code: protocol.CloseNormal, Reason: "does not poll any more", Clean: true}
	if e != nil {
		how = session.Ended{Code: e.code, Reason: e.reason, Retry: e.retry, Clean: e.code == protocol.CloseNormal}
	}
	if c.opened.Load() {
		c.session.Close(how)
	}
	return true
}
