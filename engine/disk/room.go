package disk

import (
	"container/list"

	"github.com/cockroachdb/pebble/v2"
)

// room is a room as the committer knows it: what is synced, and what the turn under way adds to it.
type room struct {
	state
	name      string
	producers map[string]*producer // those that were used; others are in the store only
	latest    *latest              // nil until it was used
	grown     uint64               // the turn in which a message was stored last
	changed   uint64               // the turn in which the state changed last
	dropped   uint64               // the turn in which something was deleted that can be read until it is committed
	noted     int64                // what its record says of used
	place     *list.Element        // in rooms.order
	weight    int
}

// rooms keeps the rooms that were used last. Only the committer uses it.
type rooms struct {
	byName map[string]*room
	order  list.List // of *room, the one used longest ago first
	weight int       // of all, in rooms, producers and events
	max    int
}

// maxWeight bounds what is kept of rooms in memory, in rooms, producers and events: about 30 MB.
const maxWeight = 65_536

func (s *rooms) init(max int) { s.byName, s.max = make(map[string]*room), max }

// hold returns the room, from the store if it must.
func (s *rooms) hold(src pebble.Reader, name string) (*room, error) {
	if r := s.byName[name]; r != nil {
		s.order.MoveToBack(r.place)
		return r, nil
	}
	known, err := readState(src, name)
	if err != nil {
		return nil, err
	}
	r := &room{state: known, name: name, noted: known.used}
	r.place = s.order.PushBack(r)
	s.byName[name] = r
	s.weigh(r, 1)
	return r, nil
}

// weigh adds to the weight of a room.
func (s *rooms) weigh(r *room, more int) {
	r.weight += more
	s.weight += more
}

// adopt notes a producer of a room.
func (s *rooms) adopt(r *room, name string, p *producer) {
	if r.producers == nil {
		r.producers = make(map[string]*producer)
	}
	r.producers[name] = p
	s.weigh(r, 1)
}

// disown drops what is known of a producer of a room.
func (s *rooms) disown(r *room, name string) {
	if r.producers[name] != nil {
		delete(r.producers, name)
		s.weigh(r, -1)
	}
}

// drop drops what is known of a room.
func (s *rooms) drop(r *room) {
	s.order.Remove(r.place)
	delete(s.byName, r.name)
	s.weight -= r.weight
}

// shrink drops the rooms used longest ago where there is too much. It is called between turns, at the given wall clock:
// a room that had an ephemeral message of a later time stays, since its time must not fall.
func (s *rooms) shrink(wall int64) {
	for looked := s.order.Len(); s.weight > s.max && looked > 0; looked-- {
		r := s.order.Front().Value.(*room)
		if r.time > wall {
			s.order.MoveToBack(r.place)
			continue
		}
		s.drop(r)
	}
}
