package engineio

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wireroom/wireroom/internal/wire/eio"
)

// errSilent is why a connection ends whose peer gives no sign of life.
var errSilent = errors.New("ping timeout")

// pulse is what is known of a connection's life, in nanoseconds of the transport's clock. The connection's lock guards
// it.
type pulse struct {
	due     int64  // when the next ping is sent; before next, so that those who came together are not due together
	next    int64  // by when it is sent; the peer has PingTimeout from then on
	pinged  int64  // when the ping was sent that is not answered; 0 if there is none
	stalled int64  // since when the socket takes nothing; 0 while it does
	left    uint32 // bytes that a full socket had to get rid of when it was looked at last
}

// early is by which part of the interval a ping is sent before it has to be.
func early() float64 { return 0.1 * rand.Float64() }

// answered notes a sign of life since the ping. The connection is locked.
func (c *Conn) answered() {
	p, interval := &c.pulse, int64(c.transport.PingInterval)
	if heard := c.heard.Load(); p.pinged != 0 && heard >= p.pinged {
		p.pinged = 0
		p.next = heard + interval
		p.due = p.next - int64(float64(interval)*early())
	}
}

// expired reports whether the peer has been silent for too long: requests find out at once, before the next sweep does.
func (c *Conn) expired(now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered()
	return c.web == nil && !c.over.Load() && now > c.pulse.next+int64(c.transport.PingTimeout)
}

// LookAfter implements sweep.Entry: it pings, and ends a connection that is silent, stalled or slow to close.
func (c *Conn) LookAfter(_ uint32, now time.Time) {
	if e := c.ending.Load(); e != nil {
		if now.Sub(e.at) > closeTimeout {
			c.abort(e)
		}
		return
	}
	c.talk.Tick(now)
	clock := int64(now.Sub(c.transport.birth))
	silent, slow, ping, trial := c.look(clock, now)
	switch {
	case silent:
		c.abort(errSilent)
	case slow:
		c.closeSlow()
	case ping:
		c.tell([]byte{byte(eio.Ping)})
	}
	if trial != nil {
		trial.socket.Abort(errTrial)
	}
}

// look says what is due.
func (c *Conn) look(clock int64, now time.Time) (silent, slow, ping bool, trial *web) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, timeout := &c.pulse, int64(c.transport.PingTimeout)
	if c.poll != nil && c.poll.trial != nil && now.Sub(c.poll.trial.opened) > c.transport.UpgradeTimeout {
		trial = c.poll.trial
	}
	if c.web != nil && !c.web.socket.Ready() {
		// A ping is behind all that the peer did not read yet: while it reads at all, it is alive.
		if p.pinged != 0 {
			p.pinged = clock
		}
		p.next = max(p.next, clock)
		return false, c.stalls(clock), false, trial
	}
	p.stalled = 0
	c.answered()
	if p.pinged != 0 && c.web != nil && (c.progresses() || c.web.held.Load()) {
		p.pinged, p.next = clock, clock // it reads slowly, and is not at the ping yet; or this side does not read
	}
	switch {
	case clock > p.next+timeout:
		return true, false, false, trial
	case p.pinged == 0 && clock >= p.due:
		p.pinged = clock
		p.next = min(p.next, clock)
		return false, false, true, trial
	}
	return false, false, false, trial
}

// stalls reports whether the socket, which is full, has taken nothing for too long. The connection is locked.
func (c *Conn) stalls(clock int64) bool {
	p := &c.pulse
	if c.progresses() || p.stalled == 0 {
		p.stalled = clock
		return false
	}
	return clock-p.stalled > int64(stallTimeout)
}

// progresses reports whether the peer has confirmed bytes since this was asked last, and has not confirmed all. The
// connection is locked.
func (c *Conn) progresses() bool {
	left := uint32(c.web.socket.Pending())
	progress := left > 0 && left < c.pulse.left
	c.pulse.left = left
	return progress
}
