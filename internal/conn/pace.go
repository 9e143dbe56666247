package conn

import (
	"sync/atomic"
	"time"
)

// pace is how long the turns of an event loop take: what comes during one waits until the next. Its methods may be
// called at once, begin and end by the loop alone. Times are in nanoseconds of the poller's clock.
type pace struct {
	began   atomic.Int64 // the turn under way; 0 is none
	longest atomic.Int64 // of the turns that have ended since the last look
}

func (p *pace) begin(now int64) { p.began.Store(now) }

func (p *pace) end(now int64) {
	took := now - p.began.Load()
	p.began.Store(0)
	if took > p.longest.Load() {
		p.longest.Store(took)
	}
}

// look returns the longest turn since the last look; the one under way counts with what it has taken so far.
func (p *pace) look(now int64) time.Duration {
	longest := p.longest.Swap(0)
	if began := p.began.Load(); began != 0 {
		longest = max(longest, now-began)
	}
	return time.Duration(longest)
}

// clock returns nanoseconds, never 0, that do not follow the wall clock.
func (p *Poller) clock() int64 { return int64(time.Since(p.birth)) + 1 }

// Waited returns how long what came from clients had to wait for its event loop since the last call, at worst: the
// longest turn. It has one caller. Bytes that come faster than they are read wait besides in their own socket.
func (p *Poller) Waited() time.Duration { return p.loops.waited(p.clock()) }
