package hub

import (
	"errors"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// repairDelay is how long a repair waits before it asks an engine again that did not answer.
const repairDelay = 250 * time.Millisecond

// accept appends a message that the engine fed, if it follows the newest one. One that the tail has already is
// dropped; after a hole it is held until the hole is filled. The room is locked.
func (r *room) accept(m *protocol.Message) {
	switch {
	case r.dead:
	case m.Position.IsZero():
		r.append(&entry{push: m, exclude: m.Exclude, bytes: 2 * m.Size()})
	case r.early != nil:
		if len(r.early) < maxEarly {
			r.early = append(r.early, m)
		}
	case m.Position.Follows(r.tail.head, m.ID):
		r.append(&entry{push: m, upTo: m.Position, stored: true, exclude: m.Exclude, bytes: 2 * m.Size()})
	case m.Position.Offset <= r.tail.head.Offset && !r.tail.contradicts(m.Position):
	default:
		r.hub.metrics.Add(metrics.FeedHoles, 1)
		r.early = []*protocol.Message{m}
		r.hub.background(r.repair)
	}
}

// repair fills the hole behind the tail's head from the engine's log, once for all members of this node; they notice
// nothing. Where the log is gone or another one, they get a gap.
func (r *room) repair() {
	r.mu.Lock()
	head, held := r.tail.head, len(r.early)
	r.mu.Unlock()
	for {
		page, err := r.readLog(r.hub.ctx, engine.Query{Since: head, Limit: replayMessages, MaxBytes: maxRunBytes})
		if r.hub.ctx.Err() != nil || errors.Is(err, engine.ErrClosed) {
			return
		}
		if err != nil {
			r.hub.warn("repair waits for the engine", "room", r.name, "error", err)
			r.hub.sleep(repairDelay)
			continue
		}
		r.mu.Lock()
		done := r.splice(page, held)
		head, held = r.tail.head, len(r.early)
		r.mu.Unlock()
		if done {
			r.hub.Flush()
			return
		}
	}
}

// splice appends what a repair read, then what was held back, and reports whether the tail is whole again. Of what was
// held back, the first so many messages had been fed before the log was read: what neither follows nor is in the log
// then was of a log that is no more, as after a fail-over, and is dropped. The room is locked.
func (r *room) splice(page engine.Page, held int) bool {
	early := r.early
	r.early = nil
	if r.dead {
		return true
	}
	if page.Refused != "" {
		r.hub.metrics.Add(metrics.GapsFeed, 1)
		if o := r.hub.observer; o != nil {
			o.Moved(nil, r.name, Move{Why: string(page.Refused), From: r.tail.head, To: page.Head})
		}
		r.reset(page.Head)
		r.append(&entry{push: &protocol.Gap{Room: r.name, Reason: page.Refused, Position: page.Head}, bytes: 256})
	}
	for _, m := range page.Messages {
		r.accept(m)
	}
	if page.More {
		r.early = early
		return false
	}
	for i, m := range early {
		if i >= held || m.Position.Follows(r.tail.head, m.ID) {
			r.accept(m)
		}
	}
	return true
}

// sleep waits, or until the hub is closed.
func (h *Hub) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.ctx.Done():
	}
}
