package session

import (
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

const (
	lookInterval = 100 * time.Millisecond // between two looks at how long publishes wait
	wholeShare   = 1 << 16
	leastShare   = wholeShare / 64 // is always let in, so that the end of an overload is noticed
	longestRetry = 5 * time.Second // that a client is asked for
)

// admission lets in as many publishes as need not wait for too long, and refuses the others before anything of them is
// stored. Those that are let in then wait about as long as they may, however many come.
//
// While nobody waits that long a publish costs one load. A goroutine looks now and then how long publishes have to
// wait: for the event loop, as Options.Waited says, and for an engine that answers later. Two looks in a row must find
// it too long, since a process that stood still for once is not overloaded.
//
// For an engine, as many may then wait as it answers within the bound. For the loop, sessions take turns: a share of them
// is let in until the next look, and it falls and rises with the wait, no faster than what it did can be seen. A session
// that was refused stays so until the next look, because a publish that is refused makes those behind it in a pipeline
// useless.
type admission struct {
	logger *slog.Logger

	overloaded atomic.Bool   // some may be refused
	refused    atomic.Uint32 // share of the sessions; 0 is none
	round      atomic.Uint32 // the looks, counted
	lottery    atomic.Uint64 // of whose turn it is
	retry      atomic.Int64  // after which a client may try again, in nanoseconds
	engine     pending

	// The looking goroutine's own:
	late bool  // the last look found that the loop is too late
	hold int64 // until when the share stays as it is, in nanoseconds of the node's clock
}

// turn is whether a session is let in at present. It is the session's.
type turn struct {
	round uint32 // for which it holds
	in    bool
}

// admit reports whether a session may publish.
func (a *admission) admit(t *turn) bool {
	if mutInbound || !a.overloaded.Load() {
		return true
	}
	if round := a.round.Load(); t.round != round {
		t.round, t.in = round, a.draw(wholeShare-a.refused.Load())
	}
	t.in = t.in && !a.engine.full()
	return t.in
}

// draw reports true to a share of those who call it, evenly.
func (a *admission) draw(share uint32) bool {
	n := a.lottery.Add(uint64(share))
	return n/wholeShare != (n-uint64(share))/wholeShare
}

// look takes in how long publishes had to wait for the loop lately, and have to for the engine; bound is the most that
// they should, and 0 is no bound. It has one caller.
func (a *admission) look(now int64, waited, bound time.Duration) {
	longest := max(a.engine.look(now, bound), a.lookAtLoop(now, waited, bound))
	a.retry.Store(int64(min(max(longest, bound, shortestRetry), longestRetry)))
	a.round.Add(1)
	overloaded := a.refused.Load() > 0 || a.engine.limit.Load() > 0
	if a.overloaded.Swap(overloaded) == overloaded {
		return
	}
	if overloaded {
		a.logger.Warn("overloaded: some publishes are refused", "waited", longest, "bound", bound)
		return
	}
	a.logger.Info("no longer overloaded: all publishes are let in")
}

// lookAtLoop sets the share that is refused for the sake of the loop.
func (a *admission) lookAtLoop(now int64, waited, bound time.Duration) time.Duration {
	before := wholeShare - a.refused.Load()
	share, late := before, bound > 0 && waited > bound
	switch {
	case bound <= 0:
		share = wholeShare
	case before == wholeShare && (!late || !a.late), now < a.hold:
	case late:
		share = before * uint32(max(wholeShare*bound/waited, wholeShare/4)) / wholeShare
	case waited > bound/2:
		share += share / 16
	default:
		share += share / 4
	}
	a.late = late
	if share = min(max(share, leastShare), wholeShare); share != before {
		a.hold = now + int64(waited)
		a.refused.Store(wholeShare - share)
	}
	return waited
}

// pending is the publishes that wait for an engine that answers later. Its methods may be called at once, but for look;
// times are in nanoseconds of the node's clock.
type pending struct {
	count    atomic.Int64 // publishes that are not answered
	limit    atomic.Int64 // of count, from which on publishes are refused; 0 is none
	answers  atomic.Int64 // since the last look
	answered atomic.Int64 // when there was one last, or when there began to be publishes
	longest  atomic.Int64 // that one took, since the last look

	// The looking goroutine's own:
	rate float64 // answers between two looks, smoothed
	late bool    // the last look found too long a wait
}

func (p *pending) begin(now int64) {
	if p.count.Add(1) == 1 {
		p.answered.Store(now)
	}
}

func (p *pending) end(began, now int64) {
	p.answered.Store(now)
	p.count.Add(-1)
	p.answers.Add(1)
	if took := now - began; took > p.longest.Load() {
		p.longest.Store(took)
	}
}

// full reports whether as many wait as may.
func (p *pending) full() bool {
	limit := p.limit.Load()
	return limit > 0 && p.count.Load() >= limit
}

// look sets how many may wait, and returns how long one has to. It is too long when so many wait that the last will be
// answered too late, and it is seen that they wait: many at once are nothing yet for an engine that answers many at once.
func (p *pending) look(now int64, bound time.Duration) time.Duration {
	count, waited := p.count.Load(), time.Duration(p.longest.Swap(0))
	if count > 0 {
		waited = max(waited, time.Duration(now-p.answered.Load()))
	}
	p.rate += (float64(p.answers.Swap(0)) - p.rate) / 4
	most := int64(p.rate * float64(bound) / float64(lookInterval)) // that are answered in time
	late := bound > 0 && count > most && waited > bound/2
	on := p.limit.Load() > 0
	switch {
	case late && (on || p.late), on && bound > 0 && count > most/2:
		p.limit.Store(max(most, 1))
	default:
		p.limit.Store(0)
	}
	p.late = late
	return waited
}

// admitLoop looks how long publishes wait, until the node stops.
func (n *Node) admitLoop() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		waited := time.Duration(0)
		if n.Waited != nil {
			waited = n.Waited()
		}
		n.admission.look(n.clock(), waited, n.limits.Load().PublishWait)
	}
}

// Admit returns an error for a publish that comes without a session and would wait too long.
func (n *Node) Admit() *protocol.Error {
	if n.admission.admit(new(turn)) {
		return nil
	}
	return n.overloaded()
}

// overloaded is the error of a publish that is not let in. Clients come back spread out.
func (n *Node) overloaded() *protocol.Error {
	n.Metrics.Add(metrics.RefusedOverloaded, 1)
	after := time.Duration(n.admission.retry.Load())
	return overloadedFor(after + rand.N(after))
}

// overloadedFor returns the error of a publish that may be tried again after some time.
func overloadedFor(after time.Duration) *protocol.Error {
	return &protocol.Error{
		Code: protocol.CodeOverloaded, Message: "the server has too much to do; nothing was stored",
		RetryAfter: after.Round(time.Millisecond).Seconds(),
	}
}
