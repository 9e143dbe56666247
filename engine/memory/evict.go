package memory

import (
	"time"

	"github.com/wireroom/wireroom/engine"
)

// over returns how many bytes of logs have to go before there is space for p's message.
func (e *Engine) over(p *engine.Publication) int64 {
	if e.options.MaxBytes < 0 || p.Retention.Messages <= 0 && !p.Retention.Latest {
		return 0
	}
	return e.bytes.Load() + int64(p.Message.Size()) - e.options.MaxBytes
}

// spaceFor makes space for p's message, and reports whether there is some. No lock is held.
func (e *Engine) spaceFor(p *engine.Publication) bool {
	if int64(p.Message.Size()) > e.options.MaxBytes {
		return false
	}
	for over := e.over(p); over > 0; over = e.over(p) {
		if !e.evict(over) {
			return false
		}
	}
	return true
}

// evict lets about that many bytes go of the log that was published to longest ago, or, where there are no logs, a
// whole room. It reports whether it got on. No lock is held.
func (e *Engine) evict(bytes int64) bool {
	r := e.logs.first()
	if r == nil {
		return e.forgetOldest()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return true
	}
	for bytes > 0 && r.log.entries.n > 0 {
		size := r.log.drop()
		e.bytes.Add(-size)
		bytes -= size
	}
	if r.log.entries.n == 0 {
		e.logs.remove(&r.inLogs)
	}
	return true
}

// spaceForRoom makes space for one more room, or refuses. No lock is held.
func (e *Engine) spaceForRoom() error {
	for e.options.MaxRooms > 0 && e.idle.len() >= e.options.MaxRooms {
		if !e.forgetOldest() {
			return engine.ErrStorageFull
		}
	}
	return nil
}

// forgetOldest forgets the room that nobody is subscribed to and that was published to longest ago, unless duplicates
// of its messages must still be recognised. It reports whether it got on. No lock is held.
func (e *Engine) forgetOldest() bool {
	r := e.idle.first()
	if r == nil {
		return false
	}
	_, now := e.clock()
	needed := false
	e.forget(r, func(r *room) bool {
		needed = now-r.used <= engine.KeyWindow
		return !needed
	})
	return !needed
}

// over reports whether nothing of r is needed any more, unless somebody is subscribed to it. Its lock is held.
func (r *room) over(now time.Duration) bool {
	life := max(engine.RoomLife, r.retention.Age+engine.RoomSlack) // which its producers do not outlive
	return r.log.entries.n == 0 && r.latest == nil && now-r.used > life
}
