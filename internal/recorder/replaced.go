package recorder

import (
	"hash/maphash"
	"sync"

	"github.com/wireroom/wireroom/protocol"
)

const (
	replacedShards = 16
	replacedRooms  = 32   // of a shard that are remembered
	replacedBits   = 4096 // the newest messages of a room of which it is known
)

// replaced is which messages of rooms newer ones took the place of before anybody was given them: a bit for each, half
// a kilobyte a room. Rooms that are busy at once seldom wait for each other.
type replaced struct {
	seed   maphash.Seed
	shards [replacedShards]replacedShard
}

type replacedShard struct {
	mu    sync.Mutex
	rooms map[string]*marks
	ring  [replacedRooms]*marks // in the order in which they came, from next on
	next  int
	_     [64]byte // the next shard is another processor's
}

// marks are those of one room: of the offsets up to top.
type marks struct {
	room  string
	epoch protocol.Epoch
	top   uint64
	bits  [replacedBits / 64]uint64
}

func (r *replaced) shard(room string) *replacedShard {
	return &r.shards[maphash.String(r.seed, room)%replacedShards]
}

func (r *replaced) add(room string, p protocol.Position) {
	s := r.shard(room)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.rooms[room]
	if m == nil {
		m = s.remember(room)
	}
	m.mark(p)
}

// remember returns marks for a room that has none, those of the room that came longest ago if there are so many.
func (s *replacedShard) remember(room string) *marks {
	if s.rooms == nil {
		s.rooms = make(map[string]*marks)
	}
	m := s.ring[s.next]
	if m == nil {
		m = new(marks)
		s.ring[s.next] = m
	} else {
		delete(s.rooms, m.room)
	}
	*m = marks{room: room}
	s.rooms[room] = m
	s.next = (s.next + 1) % replacedRooms
	return m
}

func (m *marks) mark(p protocol.Position) {
	if m.epoch != p.Epoch || p.Offset >= m.top+replacedBits {
		m.epoch, m.top, m.bits = p.Epoch, p.Offset, [replacedBits / 64]uint64{}
	}
	for m.top < p.Offset {
		m.top++
		m.bits[m.top%replacedBits/64] &^= 1 << (m.top % 64)
	}
	if p.Offset+replacedBits > m.top {
		m.bits[p.Offset%replacedBits/64] |= 1 << (p.Offset % 64)
	}
}

// has reports whether a message was replaced, as far as that is known.
func (r *replaced) has(room string, p protocol.Position) bool {
	s := r.shard(room)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.rooms[room]
	return m != nil && m.epoch == p.Epoch && p.Offset <= m.top && p.Offset+replacedBits > m.top &&
		m.bits[p.Offset%replacedBits/64]&(1<<(p.Offset%64)) != 0
}
