package hub

import (
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Observer is told of what members are not given, and of memberships that ended, for whoever asks later why a user did
// not get a message. What members are given is not told: it follows from where they began and where they stand. It
// decides nothing. Its methods must not block, may be called at once, and are called with the room locked.
type Observer interface {
	// Left tells of a membership that ended, and why: one of the Left... below.
	Left(c *Client, s Stay, why string)
	// Moved tells that a member was moved on without something that it would have been given otherwise; all members of
	// the room on this node where c is nil.
	Moved(c *Client, room string, m Move)
	// Replaced tells that a stored message is given to no live member, since a newer one of the same event went out with
	// the same write: the room's rule is latest.
	Replaced(room string, p protocol.Position)
}

// Why memberships end.
const (
	LeftAsked     = "left"      // the client, or the application, said so
	LeftClosed    = "closed"    // its connection ended
	LeftKicked    = "kicked"    // an administrator put the user out
	LeftForbidden = "forbidden" // the user may not be in the room any more
)

// Stay is a membership: where it began, and how far it has come.
type Stay struct {
	Room   string
	Since  int64             // Unix milliseconds
	From   protocol.Position // it is given what was stored after it
	At     protocol.Position // it was given what was stored up to it; a write that is under way counts as not given yet
	Behind int64             // since when its socket does not take what there is, in Unix milliseconds; 0 while it does
	Latest bool              // the rule is latest: of what was stored up to From it was given the newest of each event
	// Waiting is how many stored messages it was not given yet.
	Waiting uint64
}

// Move is a member's way past something that it is not given.
type Move struct {
	Why      string            // a protocol.Reason, or one of the Moved... below
	Since    int64             // since when the member was behind, in Unix milliseconds; 0 where it was not
	From, To protocol.Position // what was stored after From, up to To; where both are the same, what is not stored
}

// Why members are moved, besides the reasons of gaps.
const (
	MovedLatest    = "latest"    // of each event it was given the newest alone
	MovedEphemeral = "ephemeral" // what is not stored had left the tail before the socket took it
	MovedLate      = "late"      // nothing is missing: it was given all of it, but seconds later
)

// lateAfter is how long a member is behind until that is told, in milliseconds.
const lateAfter = 1000

// Stay returns the membership as it is now. Of one that has ended it says how far the room has come.
func (m *Member) Stay() Stay {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	return m.stay()
}

// stay returns the membership as it is now. The room is locked.
func (m *Member) stay() Stay {
	r := m.room
	s := Stay{Room: r.name, Since: m.since, From: m.from, At: r.flusher.position, Latest: r.latest()}
	if l := m.lag; l != nil {
		s.At = l.position
		if !l.replay {
			s.Behind = l.since
		}
	}
	past := s.At // of which nothing is waiting
	if s.At.Epoch == s.From.Epoch && s.At.Offset < s.From.Offset {
		past = s.From // what is before it is the newest of each event, if anything
	}
	if m.lag == nil {
		s.At = past // it went live while what is before it was still to be flushed
	}
	if head := r.tail.head; m.lag != nil && head.Epoch == past.Epoch {
		s.Waiting = head.Offset - past.Offset
	}
	return s
}

// move tells that a member was moved. The room is locked.
func (r *room) move(m *Member, why string, since int64, from, to protocol.Position) {
	if o := r.hub.observer; o != nil {
		o.Moved(m.client, r.name, Move{Why: why, Since: since, From: from, To: to})
	}
}

// caught tells that a member that was behind is live again, if it took long. The room is locked.
func (r *room) caught(m *Member) {
	l := m.lag
	if !l.replay && time.Now().UnixMilli()-l.since >= lateAfter {
		r.move(m, MovedLate, l.since, l.from, r.tail.head)
	}
}

// passed tells that a member was moved past a part of the log of which it is given the newest per event alone. The
// room is locked.
func (r *room) passed(m *Member, s *step) {
	if s.skipped {
		r.move(m, MovedLatest, m.lag.since, m.lag.position, s.to.position)
	}
}

// replaced tells which messages of a batch newer ones of it replace.
func (r *room) replaced(b *batch) {
	if r.hub.observer == nil {
		return
	}
	for i, older := range b.older {
		if older {
			r.hub.observer.Replaced(r.name, b.entries[i].upTo)
		}
	}
}
