package hub

import (
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// Receiver is what the hub delivers to: a session. Its methods do not block, and may be called with a room locked.
type Receiver interface {
	// Framing says in which form the receiver wants what it gets. It never changes.
	Framing() Framing
	// Deliver hands over frames, to be sent before whatever is handed over later. unless is read under the connection's
	// mutex: whoever sets it and then queues a reply knows that no such frames follow the reply. A receiver that sends
	// other bytes than it gets does not ask frames.Cut, and is Kept once it took all.
	Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome
	// Ready reports whether the socket takes bytes. After a Deliver that was Kept or Blocked either Ready reports true
	// or the receiver calls CatchUp later.
	Ready() bool
	// Removed tells that the hub ended the membership, and why.
	Removed(m *Member, why *protocol.Kicked)
}

// Framing turns what a room holds into the bytes of a transport. It is made once and shared by all receivers of its
// kind; two framings are the same when they are ==.
type Framing interface {
	// AppendFrame appends p as one frame: the same bytes each time.
	AppendFrame(dst []byte, p protocol.Push) []byte
}

// Client says whose memberships a receiver has. It never changes while there are any.
type Client struct {
	ID   string
	User string
	Name string
}

// Member is one receiver in one room. A member whose socket takes what it is given has no state but its place in the
// tail; one whose socket is full has a lag besides.
type Member struct {
	room     *room
	receiver Receiver
	client   *Client
	lag      *lag   // nil while the member is live; guarded by room.mu
	cursor   uint64 // the next entry to deliver; the flusher's while live, the catch-up's while behind
	since    int64  // when it joined, in Unix milliseconds
	from     protocol.Position
	index    int32 // in room.members; guarded by room.mu
	gone     atomic.Bool
	presence atomic.Bool // wants presence and state entries
	notes    atomic.Uint32
}

// Rule returns the rule of the member's room.
func (m *Member) Rule() *rule.Rule { return m.room.rule() }

// Notes is the receiver's own: the hub does not look at it. It is 0 at first.
func (m *Member) Notes() *atomic.Uint32 { return &m.notes }

// Presence reports whether the member is told who comes and goes.
func (m *Member) Presence() bool { return m.presence.Load() }

// EndPresence has the member not be told any more.
func (m *Member) EndPresence() {
	r := m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.presence.unwatch(m)
}

// Room returns the name of the member's room.
func (m *Member) Room() string { return m.room.name }

// wants reports whether the member gets e. presence is whether it wants presence, as of the beginning of a batch.
func (m *Member) wants(e *entry, presence bool) bool {
	return (!e.presence || presence) && (e.exclude == "" || !e.excludes(m.client))
}

// excludes reports whether e is not for a client. Clients may choose their names: one that leaves itself out does so
// for its own user alone.
func (e *entry) excludes(c *Client) bool {
	if e.exclude != c.ID {
		return false
	}
	m, ok := e.push.(*protocol.Message)
	return !ok || m.From.Client != c.ID || m.From.User == c.User
}
