package websocket

import (
	"errors"
	"time"

	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// errSilent is why a connection ends whose peer gives no sign of life.
var errSilent = errors.New("no pong in time")

// liveness is what the sweep knows of a connection, in seconds of the table's clock; 0 is never.
type liveness struct {
	pinged uint32 // when the ping was sent that is not answered
	next   uint32 // when the next ping is due
	left   uint32 // bytes that a full socket had to get rid of when it was looked at last
}

// LookAfter implements sweep.Entry: it pings, and ends a connection that is silent, stalled or slow to close.
func (c *connection) LookAfter(clock uint32, now time.Time) {
	if e := c.ending.Load(); e != nil {
		if now.Sub(e.at) > closeTimeout {
			c.socket.Abort(e)
		}
		return
	}
	c.session.Tick(now.Unix())
	if !c.socket.Ready() {
		c.live.pinged = 0 // a ping would be behind all that the peer did not read yet
		if c.stalls(clock) {
			c.closeSlow()
		}
		return
	}
	c.stalled.Store(0)
	c.checkPong(clock)
	if c.live.next == 0 {
		c.live.next = clock + sweep.Spread(c.transport.PingInterval)
	}
	if clock < c.live.next {
		return
	}
	c.live.next = clock + sweep.Spread(c.transport.PingInterval)
	if c.live.pinged == 0 {
		c.live.pinged = clock
	}
	c.ping()
}

// checkPong ends a connection that has given no sign of life since it was pinged. That its peer confirms bytes, and has
// not confirmed all, is one: it reads slowly, and is not at the ping yet. While this side does not read, no sign is seen.
func (c *connection) checkPong(clock uint32) {
	switch {
	case c.live.pinged == 0 || mutNoPong:
	case c.heard.Load() >= c.live.pinged:
		c.live.pinged = 0
	case c.progresses(), c.session.Paused():
		c.live.pinged = clock
	case clock-c.live.pinged > uint32(pongTimeout/time.Second):
		c.socket.Abort(errSilent)
	}
}

// stalls reports whether the socket, which is full, has taken nothing for too long. A peer that reads slowly may keep it
// full for longer than that; while less and less is left it is not stuck.
func (c *connection) stalls(clock uint32) bool {
	since := c.stalled.Load()
	if c.progresses() || since == 0 {
		c.stalled.Store(clock)
		return false
	}
	return clock-since > uint32(stallTimeout/time.Second)
}

// progresses reports whether the peer has confirmed bytes since this was asked last, and has not confirmed all.
func (c *connection) progresses() bool {
	left := uint32(c.socket.Pending())
	progress := left > 0 && left < c.live.left
	c.live.left = left
	return progress
}

// ping asks the peer for a sign of life, in the way that its client can see.
func (c *connection) ping() {
	if c.jsonPing {
		c.Push(&protocol.Ping{})
		return
	}
	c.send(ws.AppendFrame(nil, ws.Ping, nil))
}
