package hub

import (
	"context"
	"fmt"
	"sync"
)

// events tells the program that embeds the hub which rooms are occupied, in a goroutine of its own: rooms must not
// wait for it. A room that was emptied and occupied again before it was told of is told of once at the most.
type events struct {
	mu    sync.Mutex
	told  map[string]bool // rooms that are occupied as far as was told
	now   map[string]bool // rooms whose state is to be told
	order []string        // of now
	wake  chan struct{}
	done  chan struct{}
	over  bool // nothing more is told
	tell  func(room string, occupied bool)
}

func (e *events) start(tell func(string, bool)) {
	if tell == nil {
		return
	}
	e.tell = tell
	e.told, e.now = make(map[string]bool), make(map[string]bool)
	e.wake, e.done = make(chan struct{}, 1), make(chan struct{})
	go e.run()
}

// stop returns when nothing is being told any more, or ctx has ended.
func (e *events) stop(ctx context.Context) error {
	if e.tell == nil {
		return nil
	}
	e.mu.Lock()
	if !e.over {
		e.over = true
		close(e.wake)
	}
	e.mu.Unlock()
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("whoever is told of rooms has not returned: %w", context.Cause(ctx))
	}
}

func (e *events) add(room string, occupied bool) {
	if e.tell == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if _, waiting := e.now[room]; !waiting {
		e.order = append(e.order, room)
	}
	e.now[room] = occupied
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *events) run() {
	defer close(e.done)
	for range e.wake {
		for room, occupied, ok := e.take(); ok; room, occupied, ok = e.take() {
			e.tell(room, occupied)
		}
	}
}

// take returns the next room whose state differs from what was told.
func (e *events) take() (room string, occupied, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.order) > 0 {
		room = e.order[0]
		e.order = e.order[1:]
		occupied = e.now[room]
		delete(e.now, room)
		if occupied == e.told[room] {
			continue
		}
		if e.told[room] = occupied; !occupied {
			delete(e.told, room)
		}
		return room, occupied, true
	}
	return "", false, false
}
