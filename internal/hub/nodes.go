package hub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// nodes is what has been said of a room, by node; the room's lock guards it.
type nodes struct {
	versions map[string]uint64 // of what another node has said, as far as it was heard here
	said     uint64            // the version of what this node has said; 0 for nothing
	reading  bool              // all of it is being read; from the beginning on, until the room is open
	again    bool              // something came meanwhile that is not in it
	gone     []string          // nodes whose lease ended meanwhile, of which it may tell yet
}

// away is what is known of a user beyond this node.
type away struct {
	nodes []sighted // on which the user is, too
	stamp int64     // of the user's own data
	named int64     // of the user's name
}

// sighted is what a node has said last of a user.
type sighted struct {
	node  string
	name  string
	named int64
	state json.RawMessage
	stamp int64
}

// byState and byName order what is said of a user's own data and name: the greater is newer. Where two are of one moment any
// order will do, if all nodes have the same one.
func byState(x, y sighted) int {
	return cmp.Or(cmp.Compare(x.stamp, y.stamp), bytes.Compare(x.state, y.state))
}

func byName(x, y sighted) int {
	return cmp.Or(cmp.Compare(x.named, y.named), strings.Compare(x.name, y.name))
}

// at returns where a node stands in nodes, or -1.
func (a *away) at(node string) int {
	return slices.IndexFunc(a.nodes, func(s sighted) bool { return s.node == node })
}

// elsewhere reports whether the user is on another node.
func (u *present) elsewhere() bool { return u.away != nil && len(u.away.nodes) > 0 }

// beyond returns what is known of the user beyond this node, to be changed.
func (u *present) beyond() *away {
	if u.away == nil {
		u.away = new(away)
	}
	return u.away
}

// name marks the user's name, if it has one, as newer than any that was heard of.
func (u *present) name(r *room) {
	if u.Name != "" && r.shared() {
		a := u.beyond()
		a.named = newer(a.named)
	}
}

// newer returns a stamp that is newer than one that was heard of.
func newer(stamp int64) int64 { return max(stamp+1, time.Now().UnixMilli()) }

// sighting is what this node says of a user.
func (p *presence) sighting(user string) engine.Sighting {
	u := p.users[user]
	if u == nil || !u.here {
		return engine.Sighting{Member: protocol.Member{User: user}, Left: true}
	}
	s := engine.Sighting{Member: u.Member}
	if u.away != nil {
		s.Stamp, s.Named = u.away.stamp, u.away.named
	}
	return s
}

// local returns who is in the room as this node says.
func (p *presence) local() []engine.Sighting {
	var all []engine.Sighting
	for user, u := range p.users {
		if u.here {
			all = append(all, p.sighting(user))
		}
	}
	return all
}

// hear takes note of what another node says of a user.
func (p *presence) hear(r *room, node string, s engine.Sighting) {
	u := p.users[s.User]
	switch {
	case s.Left && u == nil:
		return
	case s.Left:
		p.leaves(r, u, node)
		return
	case u == nil:
		u = p.add(r, s.Member)
		a := u.beyond()
		a.stamp, a.named = s.Stamp, s.Named
	}
	a := u.beyond()
	said := sighted{node, s.Name, s.Named, s.State, s.Stamp}
	if bytes.Equal(said.state, u.State) {
		said.state = u.State // which is kept once
	}
	if i := a.at(node); i >= 0 {
		a.nodes[i] = said
	} else {
		a.nodes = append(a.nodes, said)
	}
	known := sighted{node, u.Name, a.named, u.State, a.stamp}
	if byState(said, known) > 0 {
		p.takeState(r, u, said)
	}
	if byName(said, known) > 0 {
		p.takeName(r, u, said)
	}
}

// takeState takes a user's own data as another node says them.
func (p *presence) takeState(r *room, u *present, said sighted) {
	changed := !bytes.Equal(u.State, said.state)
	u.away.stamp, u.State = said.stamp, said.state
	if changed && r.occupants() > 0 {
		p.say(r, &protocol.State{Room: r.name, User: u.User, State: u.State})
	}
	if u.here { // whoever asks this node is to hear of it, too
		r.tell(u.User)
	}
}

// takeName takes a user's name as another node says it.
func (p *presence) takeName(r *room, u *present, said sighted) {
	changed := u.Name != said.name
	u.away.named, u.Name = said.named, said.name
	if changed && r.occupants() > 0 {
		p.event(r, u, false)
	}
	if u.here {
		r.tell(u.User)
	}
}

// settle has a user who is on other nodes alone be what the newest of them says: of what only this one knew, or one that is
// gone, they never hear.
func (p *presence) settle(r *room, u *present) {
	known := sighted{name: u.Name, named: u.away.named, state: u.State, stamp: u.away.stamp}
	if newest := slices.MaxFunc(u.away.nodes, byState); byState(newest, known) != 0 {
		p.takeState(r, u, newest)
	}
	if newest := slices.MaxFunc(u.away.nodes, byName); byName(newest, known) != 0 {
		p.takeName(r, u, newest)
	}
}

// leaves takes note that a user is not on another node any more.
func (p *presence) leaves(r *room, u *present, node string) {
	if u.away == nil {
		return
	}
	a := u.away
	i := a.at(node)
	if i < 0 {
		return
	}
	a.nodes = slices.Delete(a.nodes, i, i+1)
	p.drop(r, u)
}

// forget takes note that nobody is on a node any more, or nobody but some.
func (p *presence) forget(r *room, node string, but map[string]bool) {
	for user, u := range p.users {
		if !but[user] {
			p.leaves(r, u, node)
		}
	}
}

// take replaces what a node has said by all that it says now.
func (p *presence) take(r *room, roll engine.Roll) {
	there := make(map[string]bool, len(roll.Users))
	for _, s := range roll.Users {
		there[s.User] = true
		p.hear(r, roll.Node, s)
	}
	p.forget(r, roll.Node, there)
	p.nodes.hear(roll.Node, roll.Version)
}

func (n *nodes) hear(node string, version uint64) {
	if n.versions == nil {
		n.versions = make(map[string]uint64)
	}
	n.versions[node] = version
}
