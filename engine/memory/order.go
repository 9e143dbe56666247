package memory

import (
	"container/list"
	"sync"
)

// order is a queue of rooms, the one touched longest ago first. A room's place in it is a field of the room, guarded by
// the room's lock.
type order struct {
	mu    sync.Mutex
	rooms list.List // of *room
}

// touch moves r to the end, or puts it there.
func (o *order) touch(r *room, place **list.Element) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if *place == nil {
		*place = o.rooms.PushBack(r)
		return
	}
	o.rooms.MoveToBack(*place)
}

// remove takes a room out, if it is in.
func (o *order) remove(place **list.Element) {
	if *place == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rooms.Remove(*place)
	*place = nil
}

// first returns the room touched longest ago, or nil.
func (o *order) first() *room {
	o.mu.Lock()
	defer o.mu.Unlock()
	if front := o.rooms.Front(); front != nil {
		return front.Value.(*room)
	}
	return nil
}

// len returns how many rooms are in.
func (o *order) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rooms.Len()
}
