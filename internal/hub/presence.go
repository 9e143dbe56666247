package hub

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// summaryFrom is the number of users above which presence events become a summary once a second.
const summaryFrom = 200

// presence is who is in a room; the room's lock guards it. A user is in it from its first connection until its last
// one left, or broke and did not come back in time, on whatever node.
type presence struct {
	users    map[string]*present // nil while empty
	watchers int                 // members that want to know
	changed  bool                // a summary is due
	nodes    nodes
}

// present is one user in a room.
type present struct {
	protocol.Member
	conns   int32     // to this node
	here    bool      // as this node says: it has connections to it, or had them until a moment ago
	away    *away     // nil while other nodes have nothing to say, nor this one to them
	leaveAt time.Time // when conns is 0
}

// join notes a connection of a user; the user's first one is an event.
func (p *presence) join(r *room, q JoinRequest) {
	if r.rule().NoPresence {
		return
	}
	u := p.users[q.Client.User]
	if u == nil {
		u = p.add(r, protocol.Member{User: q.Client.User, Name: q.Name, State: q.State})
		u.name(r)
	} else if !q.Returns {
		p.rename(r, u, q.Name)
	}
	if !u.here {
		u.here = true
		r.tell(u.User)
	}
	u.conns++
}

// add notes a user who was not there; it is an event.
func (p *presence) add(r *room, m protocol.Member) *present {
	if p.users == nil {
		p.users = make(map[string]*present)
	}
	u := &present{Member: m}
	p.users[u.User] = u
	p.event(r, u, false)
	return u
}

// rename takes what a user's newest connection says that the user is called; it is an event where it is something else than
// before.
func (p *presence) rename(r *room, u *present, name string) {
	switch {
	case name == "":
		return
	case name != u.Name:
		u.Name = name
		p.event(r, u, false)
	case !u.elsewhere():
		return
	} // another node may have heard of another name, which is older than this
	u.name(r)
	r.tell(u.User)
}

// leave notes the end of a connection of a user.
func (p *presence) leave(r *room, user string, d Departure) {
	u := p.users[user]
	if u == nil || !u.here {
		return
	}
	if u.conns--; u.conns > 0 {
		return
	}
	if d.Now {
		p.gone(r, u)
		return
	}
	wait := d.Grace
	if wait == 0 {
		wait = DefaultGrace
	}
	u.leaveAt = time.Now().Add(wait)
	r.hub.graces.add(grace{at: u.leaveAt, room: r, user: user})
}

// expire ends the grace of a user who has not come back.
func (p *presence) expire(r *room, user string, now time.Time) {
	if u := p.users[user]; u != nil && u.here && u.conns == 0 && !u.leaveAt.After(now) {
		p.gone(r, u)
	}
}

// gone notes that a user is not on this node any more.
func (p *presence) gone(r *room, u *present) {
	u.here = false
	r.tell(u.User)
	p.drop(r, u)
}

// drop ends the presence of a user who is on no node.
func (p *presence) drop(r *room, u *present) {
	switch {
	case u.here:
	case !u.elsewhere():
		delete(p.users, u.User)
		p.event(r, u, true)
	default:
		p.settle(r, u)
	}
}

// say tells the members that want to know; where there are none nothing is kept. Whoever wants to know later begins
// with the list.
func (p *presence) say(r *room, what protocol.Push) {
	if p.watchers > 0 {
		r.append(&entry{push: what, presence: true, bytes: 256})
	}
}

// unwatch notes that a member does not want to know any more, if it did.
func (p *presence) unwatch(m *Member) {
	if m.presence.Swap(false) {
		p.watchers--
	}
}

// event tells that a user came or went, or is called something else.
func (p *presence) event(r *room, u *present, left bool) {
	if len(p.users) > summaryFrom {
		p.changed = true
		return
	}
	if p.watchers > 0 {
		p.say(r, &protocol.UserEvent{Left: left, Room: r.name, Member: u.Member, Count: len(p.users)})
	}
}

// summary tells the members the number of users, if it changed in a large room.
func (p *presence) summary(r *room) {
	if p.changed {
		p.changed = false
		p.say(r, &protocol.Presence{Room: r.name, Count: len(p.users)})
	}
}

// setState replaces a user's own data; it reports whether the user is there.
func (p *presence) setState(r *room, user string, state json.RawMessage) bool {
	u := p.users[user]
	if u == nil {
		return false
	}
	u.State = state
	p.say(r, &protocol.State{Room: r.name, User: user, State: state})
	if r.shared() {
		a := u.beyond()
		a.stamp = newer(a.stamp)
		r.tell(user)
	}
	return true
}

// some returns the number of users and at most MaxMembers of them: in order if that is all, else any.
func (p *presence) some() (int, []protocol.Member) {
	if len(p.users) <= protocol.MaxMembers {
		members, _ := p.page("", protocol.MaxMembers)
		return len(p.users), members
	}
	members := make([]protocol.Member, 0, protocol.MaxMembers)
	for _, u := range p.users {
		if members = append(members, u.Member); len(members) == protocol.MaxMembers {
			break
		}
	}
	return len(p.users), members
}

// snapshot returns what a member gets instead of the events that it missed.
func (p *presence) snapshot(room string) *protocol.Presence {
	count, members := p.some()
	return &protocol.Presence{Room: room, Count: count, Members: members}
}

// page returns the first users after a name, in the order of their names, and whether there are more.
func (p *presence) page(after string, limit int) (members []protocol.Member, more bool) {
	members = make([]protocol.Member, 0, min(limit, len(p.users))+1)
	compare := func(a, b protocol.Member) int { return strings.Compare(a.User, b.User) }
	for _, u := range p.users {
		if u.User <= after {
			continue
		}
		full := len(members) > limit
		if full && u.User >= members[len(members)-1].User {
			continue
		}
		if full {
			members = members[:len(members)-1]
		}
		i, _ := slices.BinarySearchFunc(members, u.Member, compare)
		members = slices.Insert(members, i, u.Member)
	}
	if len(members) > limit {
		return members[:limit], true
	}
	return members, false
}
