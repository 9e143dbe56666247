package hub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Other nodes tell who is in a room on them, each change with a number. A number that is missing has the room's whole
// presence read; so has one that a comparison shows, since after the last change nothing comes that would.

const (
	compareEvery     = 5  // seconds
	compareManyEvery = 60 // on a node with manyRooms
)

// cluster is what a hub has beside those of other nodes.
type cluster struct {
	presence engine.Presence // nil where nodes do not tell each other who is where
	herald   herald
	probe    probe
	relay    relay
	listener atomic.Pointer[Listener]
}

// shared reports whether nodes tell each other who is in the room. An inbox has one user, wherever.
func (r *room) shared() bool {
	if r.hub.presence == nil || r.rule().NoPresence {
		return false
	}
	_, inbox := protocol.InboxUser(r.name)
	return !inbox
}

// tell has the other nodes told of a user on this one. The room is locked.
func (r *room) tell(user string) {
	if r.shared() {
		r.hub.herald.add(r.name, user)
	}
}

// Seen implements engine.Neighbours.
func (h *Hub) Seen(name, node string, version uint64, users []engine.Sighting) {
	r := h.lookup(name)
	if r == nil || !r.shared() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.presence.nodes.versions[node]
	switch {
	case r.dead || version <= known:
	case version > known+1:
		r.readPresence()
	default:
		for _, s := range users {
			r.presence.hear(r, node, s)
		}
		r.presence.nodes.hear(node, version)
	}
}

// readPresence has the room's presence read. The room is locked.
func (r *room) readPresence() {
	n := &r.presence.nodes
	if n.reading {
		n.again = true
		return
	}
	n.reading = true
	r.hub.background(func() {
		for !r.refreshPresence() {
			r.hub.sleep(repairDelay)
		}
		r.hub.Flush()
	})
}

// refreshPresence reads the room's presence, and reports whether there is no need to read it again.
func (r *room) refreshPresence() bool {
	r.mu.Lock()
	r.presence.nodes.again = false
	before := maps.Clone(r.presence.nodes.versions)
	r.mu.Unlock()
	rolls, err := r.hub.presence.ListPresent(r.hub.ctx, r.name)
	if r.hub.ctx.Err() != nil || errors.Is(err, engine.ErrClosed) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.dead:
		return true
	case err != nil:
		r.hub.warn("presence waits for the engine", "room", r.name, "error", err)
		return false
	}
	r.takeRolls(rolls, before)
	if r.presence.nodes.again {
		return false
	}
	r.presence.nodes.reading = false
	return true
}

// takeRolls takes what nodes say of the room, but for those of whom more was heard since before. The room is locked.
func (r *room) takeRolls(rolls []engine.Roll, before map[string]uint64) {
	n := &r.presence.nodes
	for _, roll := range rolls {
		if roll.Node == r.hub.presence.Node() || n.versions[roll.Node] != before[roll.Node] && n.versions[roll.Node] >= roll.Version {
			continue
		}
		r.presence.take(r, roll)
	}
	for _, node := range n.gone {
		r.presence.forget(r, node, nil)
		delete(n.versions, node)
	}
	n.gone = nil
}

// openPresence reads who is in the room on other nodes, before it is used.
func (r *room) openPresence(ctx context.Context) ([]engine.Roll, error) {
	if !r.shared() {
		return nil, nil
	}
	return r.hub.presence.ListPresent(ctx, r.name)
}

// NodeLeft implements engine.Neighbours.
func (h *Hub) NodeLeft(node string) {
	h.background(func() {
		for _, r := range h.all() {
			r.mu.Lock()
			n := &r.presence.nodes
			if n.reading {
				n.gone = append(n.gone, node)
			}
			if _, known := n.versions[node]; known {
				r.presence.forget(r, node, nil)
				delete(n.versions, node)
			}
			r.mu.Unlock()
		}
		h.Flush()
	})
}

// Recorded implements engine.Neighbours.
func (h *Hub) Recorded(r engine.Record) {
	h.background(func() {
		h.SetKicks([]engine.Record{r})
		if l := h.listener.Load(); l != nil {
			(*l).Recorded(r)
		}
	})
}

// Listener wants to know what the engine says of things that are not the hub's. Its methods do not block.
type Listener interface {
	Recorded(r engine.Record) // a record was put, on any node
	Interrupted()             // such words may have been lost
	Forgotten()               // what this node has said of itself is not known any more
}

// Listen has l told from now on.
func (h *Hub) Listen(l Listener) { h.listener.Store(&l) }

// Forgotten implements engine.Neighbours.
func (h *Hub) Forgotten() {
	if l := h.listener.Load(); l != nil {
		(*l).Forgotten()
	}
	h.background(func() {
		for _, r := range h.all() {
			if r.shared() {
				h.herald.addWhole(r.name)
			}
		}
	})
}

// comparePresence compares, now and then, what was heard of rooms with what nodes have said of them.
func (h *Hub) comparePresence(second int) {
	rooms := h.all()
	every := compareEvery
	if len(rooms) > manyRooms {
		every = compareManyEvery
	}
	if h.presence == nil || second%every != 0 || !h.herald.comparing.CompareAndSwap(false, true) {
		return
	}
	h.background(func() {
		defer h.herald.comparing.Store(false)
		_ = h.compareVersions(rooms) // what failed is asked again
	})
}

// compareVersions compares what was heard of rooms with what nodes have said of them, and has them say it again where this
// node's own word is not known.
func (h *Hub) compareVersions(rooms []*room) error {
	if h.presence == nil {
		return nil
	}
	rooms = slices.DeleteFunc(slices.Clone(rooms), func(r *room) bool {
		select {
		case <-r.opened:
			return r.openErr != nil || !r.shared()
		default:
			return true
		}
	})
	for part := range slices.Chunk(rooms, engine.MaxHeads) {
		names, before := make([]string, len(part)), make([]nodes, len(part))
		for i, r := range part {
			r.mu.Lock()
			names[i], before[i] = r.name, nodes{versions: maps.Clone(r.presence.nodes.versions), said: r.presence.nodes.said}
			r.mu.Unlock()
		}
		versions, err := h.presence.PresenceVersions(h.ctx, names)
		if err != nil {
			return err
		}
		for i, r := range part {
			r.compareVersions(versions[i], before[i])
		}
	}
	return nil
}

// compareVersions acts on what nodes have said of the room.
func (r *room) compareVersions(now map[string]uint64, before nodes) {
	own := r.hub.presence.Node()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &r.presence.nodes
	if now[own] != before.said && n.said == before.said && !r.hub.herald.waits(r.name) {
		r.hub.herald.addWhole(r.name)
	}
	for node, version := range now {
		if node != own && version != before.versions[node] && n.versions[node] == before.versions[node] {
			r.readPresence()
			return
		}
	}
}
