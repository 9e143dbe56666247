package memory

import (
	"time"
)

// sweepEvery is how often memory is given back that nobody asks for: what is read or published to is always exact.
const sweepEvery = 30 * time.Second

// sweep runs until the engine is closed.
func (e *Engine) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
			e.sweepOnce()
		}
	}
}

// sweepOnce trims every room, and lets go what has expired.
func (e *Engine) sweepOnce() {
	var rooms []*room
	for i := range e.shards {
		rooms = e.shards[i].list(rooms[:0])
		for j, r := range rooms {
			e.tidy(r)
			rooms[j] = nil
		}
	}
	_, now := e.clock()
	e.keys.expire(now)
	e.keys.shrink()
	e.records.expire(time.Now())
}

// tidy trims r, and forgets it when it is over.
func (e *Engine) tidy(r *room) {
	_, now := e.clock()
	r.mu.Lock()
	if !r.gone {
		e.trim(r, now)
		r.log.entries.shrink()
		r.expireProducers(&e.quota, now)
	}
	over := r.over(now)
	r.mu.Unlock()
	if over {
		e.forget(r, func(r *room) bool { return r.over(now) })
	}
}
