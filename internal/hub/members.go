package hub

import (
	"encoding/json"

	"github.com/wireroom/wireroom/protocol"
)

// Members returns the users in a room after the name next, at most limit of them, in the order of their names, with
// the number of all and, where more follow, the name to continue with.
func (h *Hub) Members(room, next string, limit int) (*protocol.Presence, error) {
	if h.Rule(room).NoPresence {
		return nil, ErrPresenceDisabled
	}
	result := &protocol.Presence{Room: room}
	r := h.lookup(room)
	if r == nil {
		away, err := h.elsewhere(room)
		if err != nil {
			return nil, err
		}
		r = away
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	members, more := r.presence.page(next, limit)
	result.Count, result.Members = len(r.presence.users), members
	if more {
		result.Next = members[len(members)-1].User
	}
	return result, nil
}

// elsewhere returns a room that this node does not have, with those who are in it on others.
func (h *Hub) elsewhere(name string) (*room, error) {
	r := &room{hub: h, name: name}
	r.ruled.Store(h.rules.Load().For(name))
	rolls, err := r.openPresence(h.ctx)
	r.takeRolls(rolls, nil)
	return r, err
}

// SetState replaces the own data of m's user in m's room, which the hub owns from then on. It reports whether there
// is such a user; the next Flush tells the members.
func (h *Hub) SetState(m *Member, state json.RawMessage) bool {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	return !m.gone.Load() && m.room.presence.setState(m.room, m.client.User, state)
}

// Rename says what m's user is called from now on; an empty name says nothing. The next Flush tells the members.
func (h *Hub) Rename(m *Member, name string) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	p := &m.room.presence
	if u := p.users[m.client.User]; u != nil && !m.gone.Load() {
		p.rename(m.room, u, name)
	}
}

// IsMember reports whether a user is in a room by any connection; without presence, by any to this node. Where the
// engine is not Inline it may have to be asked, which fails when it does not answer.
func (h *Hub) IsMember(room, user string) (bool, error) {
	if h.Rule(room).NoPresence {
		return len(h.membersOf(room, user)) > 0, nil
	}
	r := h.lookup(room)
	if r == nil {
		away, err := h.elsewhere(room)
		if err != nil {
			return false, err
		}
		r = away
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.presence.users[user]
	return u != nil && (u.conns > 0 || u.elsewhere()), nil
}
