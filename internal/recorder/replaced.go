package recorder

import (
	"sync"

	"github.com/wireroom/wireroom/protocol"
)

const (
	replacedRooms = 256  // that are remembered
	replacedBits  = 4096 // the newest messages of a room of which it is known
)

// replaced is which messages of rooms newer ones took the place of before anybody was given them: a bit for each, half
// a kilobyte a room.
type replaced struct {
	mu    sync.Mutex
	rooms map[string]*marks
	order []string // in the order in which they came
}

// marks are those of one room: of the offsets up to top.
type marks struct {
	epoch protocol.Epoch
	top   uint64
	bits  [replacedBits / 64]uint64
}

func (r *replaced) add(room string, p protocol.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.rooms[room]
	if m == nil {
		if r.rooms == nil {
			r.rooms = make(map[string]*marks)
		}
		if len(r.order) == replacedRooms {
			delete(r.rooms, r.order[0])
			r.order = append(r.order[:0], r.order[1:]...)
		}
		m = new(marks)
		r.rooms[room] = m
		r.order = append(r.order, room)
	}
	m.mark(p)
}

func (m *marks) mark(p protocol.Position) {
	if m.epoch != p.Epoch || p.Offset >= m.top+replacedBits {
		*m = marks{epoch: p.Epoch, top: p.Offset}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.rooms[room]
	return m != nil && m.epoch == p.Epoch && p.Offset <= m.top && p.Offset+replacedBits > m.top &&
		m.bits[p.Offset%replacedBits/64]&(1<<(p.Offset%64)) != 0
}
