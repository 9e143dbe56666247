package bench

import "strconv"

// room is one room, as far as a worker's clients are concerned.
type room struct {
	members []int32 // clients that are in it
	awaited int32   // of them, that publications wait for
	turn    int     // of the member that publishes next
	begun   bool    // base is known
	base    uint64  // the offset at which the first of them joined
	head    uint64  // the newest offset seen

	published, refused, replied int64
}

// stored returns how many publications are surely in the room: with replies those that were answered, and otherwise all
// that were not refused.
func (r *room) stored(replies bool) int64 {
	if replies {
		return r.replied
	}
	return r.published - r.refused
}

// name returns the name of the i-th room.
func (o *Options) name(i int32) string { return o.Prefix + "-" + strconv.Itoa(int(i)) }

// enter makes a client a member from an offset on. The worker is locked.
func (w *worker) enter(c *client, offset uint64) {
	r := &w.rooms[c.room]
	if !r.begun || offset < r.base {
		r.base, r.begun = offset, true
	}
	r.head = max(r.head, offset)
	c.rank = int32(len(r.members))
	r.members = append(r.members, c.number)
	c.joined = true
	if !c.slow {
		c.awaited = w.pubs.next
		r.awaited++
	}
	w.counts.Joined++
}

// exit ends a client's membership. The worker is locked.
func (w *worker) exit(c *client) {
	if !c.joined {
		return
	}
	c.joined = false
	w.counts.Joined--
	r := &w.rooms[c.room]
	if c.awaited != never {
		r.awaited--
		w.pubs.left(c.room, c.awaited, c.order.had)
		c.awaited = never
	}
	last := len(r.members) - 1
	r.members[c.rank] = r.members[last]
	w.clients[r.members[c.rank]].rank = c.rank
	r.members = r.members[:last]
}

// publisher returns the member whose turn it is to publish, or nil. Who has asked to leave does not, nor who is to wait.
func (w *worker) publisher(r *room) *client {
	n := len(r.members)
	if w.options.Publishers > 0 {
		n = min(n, w.options.Publishers)
	}
	if w.pubs.window > 0 && r.awaited == 0 {
		return nil
	}
	for range n {
		r.turn++
		if c := &w.clients[r.members[r.turn%n]]; c.link != nil && !c.link.closing && !c.leaving && !c.held {
			return c
		}
	}
	return nil
}

// place is where a client was, in the words of the server: what it comes back with.
type place struct {
	text [40]byte
	len  uint8
}

func (p *place) set(pos []byte) { p.len = uint8(copy(p.text[:], pos)) }

func (p *place) String() string { return string(p.text[:p.len]) }

// Ending is what a worker knows of the rooms at the end, each slice by room.
type Ending struct {
	Begun     []bool
	Bases     []uint64
	Heads     []uint64
	Published []int64  // that are surely there
	Members   []int64  // who are in it and read
	Newest    []uint64 // the sum of the newest offsets that they have

	Unanswered int64 // publishes over connections that are still there
}

// ending returns what is known of the rooms. The worker is locked.
func (w *worker) ending() *Ending {
	n := len(w.rooms)
	e := &Ending{
		Begun: make([]bool, n), Bases: make([]uint64, n), Heads: make([]uint64, n),
		Published: make([]int64, n), Members: make([]int64, n), Newest: make([]uint64, n),
		Unanswered: w.pubs.unanswered(),
	}
	for i := range w.rooms {
		r := &w.rooms[i]
		e.Begun[i], e.Bases[i], e.Heads[i], e.Published[i] = r.begun, r.base, r.head, r.stored(w.options.Replies)
		e.Members[i] = int64(len(r.members))
		for _, m := range r.members {
			e.Newest[i] += w.clients[m].order.newest
		}
	}
	return e
}

// unanswered returns how many publishes were not answered, by connections that are still there.
func unanswered(endings []*Ending) (n int64) {
	for _, e := range endings {
		n += e.Unanswered
	}
	return n
}

// missing returns how many messages the members that are left never got: for each, what its room has from the newest
// that it has on.
func missing(endings []*Ending) int64 {
	if len(endings) == 0 {
		return 0
	}
	total := int64(0)
	for i := range endings[0].Heads {
		var base, head uint64
		var published int64
		begun := false
		for _, e := range endings {
			published += e.Published[i]
			head = max(head, e.Heads[i])
			if e.Begun[i] && (!begun || e.Bases[i] < base) {
				base, begun = e.Bases[i], true
			}
		}
		head = max(head, base+uint64(max(published, 0)))
		for _, e := range endings {
			total += e.Members[i]*int64(head) - int64(e.Newest[i])
		}
	}
	return total
}
