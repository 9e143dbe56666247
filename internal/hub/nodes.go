package hub

import (
	"bytes"
	"slices"
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
	stamp int64     // of the user's own data; -1: the nodes that are left know other data, which are being read
	named int64     // of the user's name; -1 likewise
}

// sighted is what a node has said last of a user.
type sighted struct {
	node         string
	stamp, named int64
}

// at returns where a node stands in nodes, or -1.
func (a *away) at(node string) int {
	return slices.IndexFunc(a.nodes, func(s sighted) bool { return s.node == node })
}

// vouched reports whether a node on which the user is said what is held to be newest.
func (a *away) vouched() bool {
	return slices.ContainsFunc(a.nodes, func(s sighted) bool { return s.stamp == a.stamp }) &&
		slices.ContainsFunc(a.nodes, func(s sighted) bool { return s.named == a.named })
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
		s.Stamp, s.Named = max(u.away.stamp, 0), max(u.away.named, 0)
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
	said := sighted{node: node, stamp: s.Stamp, named: s.Named}
	if i := a.at(node); i >= 0 {
		a.nodes[i] = said
	} else {
		a.nodes = append(a.nodes, said)
	}
	if s.Stamp > a.stamp {
		changed := !bytes.Equal(u.State, s.State)
		a.stamp, u.State = s.Stamp, s.State
		if changed && r.occupants() > 0 {
			p.say(r, &protocol.State{Room: r.name, User: u.User, State: u.State})
		}
		if u.here { // whoever asks this node is to hear of it, too
			r.tell(u.User)
		}
	}
	if s.Named > a.named || s.Named == a.named && s.Name > u.Name { // any order will do, if all nodes have the same one
		p.renamed(r, u, s)
	}
}

// renamed takes note that a user is called something else, as another node says.
func (p *presence) renamed(r *room, u *present, s engine.Sighting) {
	known := u.Name
	u.away.named, u.Name = s.Named, s.Name
	if u.here { // whoever asks this node is to hear of it, too
		r.tell(u.User)
	}
	if u.Name != known && r.occupants() > 0 {
		p.event(r, u, false)
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
