package hub

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
)

const (
	heraldRooms = 64  // that are told of at once
	heraldUsers = 256 // of a room at once
)

// herald tells the other nodes who is in rooms on this one. What changes again before it was told is told once.
type herald struct {
	hub       *Hub
	wake      chan struct{}
	comparing atomic.Bool

	mu     sync.Mutex
	rooms  map[string]map[string]bool // users to tell of, by room; all of them where it is nil
	active map[string]bool            // rooms that are being told of
}

func (a *herald) init(h *Hub) {
	a.hub, a.wake = h, make(chan struct{}, 1)
	a.rooms, a.active = make(map[string]map[string]bool), make(map[string]bool)
}

// add has a user told of. It may be called with the room locked.
func (a *herald) add(room, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	users, whole := a.rooms[room]
	switch {
	case whole && users == nil:
	case users == nil:
		a.rooms[room] = map[string]bool{user: true}
	default:
		users[user] = true
	}
	a.stir()
}

// addWhole has all users of a room told of. It may be called with the room locked.
func (a *herald) addWhole(room string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rooms[room] = nil
	a.stir()
}

func (a *herald) stir() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// waits reports whether there is something to be told of a room, or is being told.
func (a *herald) waits(room string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, waits := a.rooms[room]
	return waits || a.active[room]
}

// errand is what is to be told of a room.
type errand struct {
	room  string
	users map[string]bool // nil: all
}

// take returns what is to be told next.
func (a *herald) take() []errand {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.active)
	var errands []errand
	for room, users := range a.rooms {
		if len(errands) == heraldRooms {
			break
		}
		errands = append(errands, errand{room, users})
		a.active[room] = true
		delete(a.rooms, room)
	}
	return errands
}

// back has something told again that could not be.
func (a *herald) back(e errand) {
	if e.users == nil {
		a.addWhole(e.room)
	}
	for user := range e.users {
		a.add(e.room, user)
	}
}

// run tells until the hub is closed.
func (a *herald) run() {
	for {
		select {
		case <-a.hub.ctx.Done():
			return
		case <-a.wake:
		}
		for errands := a.take(); len(errands) > 0 && a.hub.ctx.Err() == nil; errands = a.take() {
			var failed atomic.Bool
			var all sync.WaitGroup
			for _, e := range errands {
				all.Go(func() {
					if err := a.tell(e); err != nil {
						a.back(e)
						failed.Store(true)
						if a.hub.ctx.Err() == nil {
							a.hub.warn("other nodes wait to be told who is here", "room", e.room, "error", err)
						}
					}
				})
			}
			all.Wait()
			if failed.Load() {
				a.hub.sleep(repairDelay)
			}
		}
	}
}

// tell tells of a room.
func (a *herald) tell(e errand) error {
	r := a.hub.lookup(e.room)
	var users []engine.Sighting
	switch r {
	case nil: // nobody is there any more, whatever was said of the room
		var nobody presence
		for user := range e.users {
			users = append(users, nobody.sighting(user))
		}
	default:
		r.mu.Lock()
		if e.users == nil {
			users = r.presence.local()
		}
		for user := range e.users {
			users = append(users, r.presence.sighting(user))
		}
		r.mu.Unlock()
	}
	whole := e.users == nil
	if len(users) == 0 {
		return a.say(r, e.room, nil, whole)
	}
	for part := range slices.Chunk(users, heraldUsers) {
		if err := a.say(r, e.room, part, whole); err != nil {
			return err
		}
		whole = false
	}
	return nil
}

// say tells of some users of a room, which is nil when this node does not have it any more.
func (a *herald) say(r *room, name string, users []engine.Sighting, whole bool) error {
	version, err := a.hub.presence.SetPresent(a.hub.ctx, name, users, whole)
	if err != nil || r == nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.presence.nodes.said = version
	return nil
}
