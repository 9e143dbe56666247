package websocket

import (
	"errors"
	"time"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// errSilent is why a connection ends whose peer gives no sign of life.
var errSilent = errors.New("no pong in time")

// liveness is what the sweep knows of a connection, in seconds of the table's clock; 0 is never.
type liveness struct {
	pinged uint32 // when the ping was sent that is not answered
	next   uint32 // when the next ping is due
}

// lookAfter does what is due: it pings, and ends a connection that is silent, stalled or slow to close.
func (c *connection) lookAfter(clock uint32, now time.Time) {
	if e := c.ending.Load(); e != nil {
		if now.Sub(e.at) > closeTimeout {
			c.socket.Abort(e)
		}
		return
	}
	c.session.Tick(now.Unix())
	if c.stalls(clock) {
		c.closeSlow()
		return
	}
	c.checkPong(clock)
	if c.live.next == 0 {
		c.live.next = clock + spread(c.transport.PingInterval)
	}
	if clock < c.live.next {
		return
	}
	c.live.next = clock + spread(c.transport.PingInterval)
	if c.live.pinged == 0 {
		c.live.pinged = clock
	}
	c.ping()
}

// checkPong ends a connection that has given no sign of life since it was pinged.
func (c *connection) checkPong(clock uint32) {
	switch {
	case c.live.pinged == 0:
	case c.heard.Load() >= c.live.pinged:
		c.live.pinged = 0
	case clock-c.live.pinged > uint32(pongTimeout/time.Second):
		c.socket.Abort(errSilent)
	}
}

// stalls reports whether the socket has been full for too long without taking anything.
func (c *connection) stalls(clock uint32) bool {
	switch since := c.stalled.Load(); {
	case c.socket.Ready():
		c.stalled.Store(0)
	case since == 0:
		c.stalled.Store(clock)
	default:
		return clock-since > uint32(stallTimeout/time.Second)
	}
	return false
}

// ping asks the peer for a sign of life, in the way that its client can see.
func (c *connection) ping() {
	if c.jsonPing {
		c.Push(&protocol.Ping{})
		return
	}
	c.send(ws.AppendFrame(nil, ws.Ping, nil))
}
