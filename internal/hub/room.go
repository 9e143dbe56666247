package hub

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// maxEarly bounds the messages held while a room opens or a hole is being filled; what is dropped is a hole again.
const maxEarly = 1024

// room is one room on this node.
type room struct {
	hub   *Hub
	name  string
	ruled atomic.Pointer[rule.Rule]

	// The shard's lock guards the life of the room: it is opened by its first joiner and closed by the tick when it
	// had no pins for a while.
	pins     int // members, and joins under way
	empty    time.Time
	closing  bool
	opened   chan struct{} // closed when openErr is set
	openErr  error
	deserted bool          // openErr is only that the first joiner went away
	closed   chan struct{} // closed when the engine has unsubscribed

	mu       sync.Mutex
	dead     bool      // closed: whoever still has the room appends nothing
	members  []*Member // nil where one left during a flush
	tail     tail
	early    []*protocol.Message // fed while the tail cannot take them; not nil means opening or repairing
	presence presence
	flusher  flusher
	quiet    quiet
}

// acquire returns the named room with one more pin, opened.
func (h *Hub) acquire(ctx context.Context, name string) (*room, error) {
	s := h.shard(name)
	for {
		s.mu.Lock()
		r := s.rooms[name]
		if r == nil {
			r = &room{
				hub: h, name: name, pins: 1,
				opened: make(chan struct{}), closed: make(chan struct{}), early: []*protocol.Message{},
			}
			r.presence.nodes.reading = true
			r.ruled.Store(h.rules.Load().For(name))
			s.rooms[name] = r
			s.mu.Unlock()
			return r, r.open(ctx)
		}
		wait := r.opened
		if r.closing {
			wait = r.closed
		} else {
			r.pins++
		}
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			if wait == r.opened {
				r.release()
			}
			return nil, context.Cause(ctx)
		}
		if wait == r.closed {
			continue
		}
		if r.deserted {
			continue
		}
		if r.openErr != nil {
			return nil, r.openErr
		}
		return r, nil
	}
}

// open subscribes the room and reads its head. When that fails the room is gone, for those who wait for it too; but
// when it failed because ctx ended, they try themselves.
func (r *room) open(ctx context.Context) error {
	page, rolls, err := r.subscribe(ctx)
	if err != nil {
		s := r.hub.shard(r.name)
		s.mu.Lock()
		delete(s.rooms, r.name)
		s.mu.Unlock()
		r.openErr, r.deserted = fmt.Errorf("open %q: %w", r.name, err), ctx.Err() != nil
		close(r.opened)
		close(r.closed)
		return r.openErr
	}
	r.mu.Lock()
	r.reset(page.Head)
	r.flusher.position = page.Head
	early := r.early
	r.early = nil
	for _, m := range early {
		r.accept(m)
	}
	r.takeRolls(rolls, nil)
	n := &r.presence.nodes
	if n.reading = false; n.again {
		n.again = false
		r.readPresence()
	}
	r.mu.Unlock()
	close(r.opened)
	return nil
}

func (r *room) subscribe(ctx context.Context) (engine.Page, []engine.Roll, error) {
	if err := r.hub.engine.Subscribe(ctx, r.name); err != nil {
		return engine.Page{}, nil, err
	}
	page, err := r.hub.engine.Read(ctx, r.name, engine.Query{})
	var rolls []engine.Roll
	if err == nil {
		rolls, err = r.openPresence(ctx)
	}
	if err != nil {
		r.hub.engine.Unsubscribe(r.name)
	}
	return page, rolls, err
}

// release takes one pin off.
func (r *room) release() {
	s := r.hub.shard(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.pins--; r.pins == 0 {
		r.empty = time.Now()
	}
}

// closeIfIdle ends the room when nobody has had a pin on it since before then. A joiner that comes meanwhile waits
// until it is closed, and opens it anew.
func (r *room) closeIfIdle(then time.Time) {
	s := r.hub.shard(r.name)
	s.mu.Lock()
	idle := r.pins == 0 && !r.closing && r.empty.Before(then)
	r.closing = r.closing || idle
	s.mu.Unlock()
	if !idle {
		return
	}
	if !mutForgotten {
		r.hub.engine.Unsubscribe(r.name)
	}
	r.mu.Lock()
	r.dead = true
	r.reset(r.tail.head)
	r.mu.Unlock()
	s.mu.Lock()
	delete(s.rooms, r.name)
	s.mu.Unlock()
	close(r.closed)
}

// reset forgets the tail; the log goes on after head. The room is locked.
func (r *room) reset(head protocol.Position) {
	r.hub.tailBytes.Add(-int64(r.tail.bytes))
	r.tail.reset(head)
}

// append puts an entry onto the tail and asks for a flush. The room is locked.
func (r *room) append(e *entry) {
	if r.dead {
		return
	}
	h := r.hub
	rise := r.tail.append(e)
	if h.tailBytes.Add(int64(rise)) > h.tailLimit {
		before := r.tail.bytes
		for r.tail.next-r.tail.first > 1 && r.tail.bytes > before/2 {
			r.tail.drop()
		}
		h.tailBytes.Add(int64(r.tail.bytes - before))
	}
	r.flusher.ask(r)
}

// add makes m a member. The room is locked.
func (r *room) add(m *Member) {
	m.index = int32(len(r.members))
	r.members = append(r.members, m)
	if m.presence.Load() {
		r.presence.watchers++
	}
	if r.occupants() == 1 {
		r.hub.events.add(r.name, true)
	}
}

// remove ends m's membership; it reports whether there was one. Of a Deliver that is under way only what it has
// written already reaches the member. The room is locked.
func (r *room) remove(m *Member) bool {
	if m.gone.Swap(true) {
		return false
	}
	r.presence.unwatch(m)
	if r.flusher.active {
		r.members[m.index] = nil // the flusher walks by index; it closes the holes when it is done
		r.flusher.holes++
	} else {
		last := len(r.members) - 1
		r.members[m.index] = r.members[last]
		r.members[m.index].index = m.index
		r.members[last] = nil
		r.members = r.members[:last]
	}
	if r.occupants() == 0 {
		r.members, r.flusher.holes = r.members[:0], 0
		r.hub.events.add(r.name, false)
	}
	return true
}

// occupants returns the number of members. The room is locked.
func (r *room) occupants() int { return len(r.members) - r.flusher.holes }
