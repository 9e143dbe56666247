package hub

import (
	"slices"
	"strings"

	"github.com/wireroom/wireroom/protocol"
)

// RoomState is what can be seen of a room on this node.
type RoomState struct {
	Room    string            `json:"room"`
	Members int               `json:"members"`       // sessions
	Users   int               `json:"users"`         // 0 where there is no presence
	Behind  int               `json:"behind"`        // members that are behind
	Head    protocol.Position `json:"head,omitzero"` // of the newest message, as this node has it; zero while the room opens
	Entries uint64            `json:"entries"`       // messages and events since this node opened the room: it only rises
}

// Rooms returns what can be seen of the rooms that this node has open whose names are wanted, in the order of their names,
// at most limit of them; more tells that others follow.
func (h *Hub) Rooms(limit int, wanted func(room string) bool) (states []RoomState, more bool) {
	var found []*room
	for _, r := range h.all() {
		if wanted(r.name) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *room) int { return strings.Compare(a.name, b.name) })
	if len(found) > limit {
		found, more = found[:limit], true
	}
	states = make([]RoomState, len(found))
	for i, r := range found {
		states[i] = r.state()
	}
	return states, more
}

// state returns what can be seen of the room.
func (r *room) state() RoomState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RoomState{
		Room: r.name, Members: r.occupants(), Users: len(r.presence.users), Head: r.tail.head, Entries: r.tail.next,
	}
	for _, m := range r.members {
		if m != nil && m.lag != nil {
			s.Behind++
		}
	}
	return s
}

// Count returns how many rooms this node has open.
func (h *Hub) Count() int {
	n := 0
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		n += len(s.rooms)
		s.mu.Unlock()
	}
	return n
}

// Behind reports whether the member is behind.
func (m *Member) Behind() bool {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	return m.lag != nil
}
