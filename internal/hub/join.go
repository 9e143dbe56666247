package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// JoinRequest says how a client joins a room.
type JoinRequest struct {
	Room     string
	Client   *Client
	Name     string            // what the user is called from now on; empty: as before
	Returns  bool              // the client was in the room before, and its name is known
	Since    protocol.Position // zero: none; with Invalid it could not be read as a position of any log
	Invalid  bool
	Last     int // the newest messages; 0 = none. Not with Since
	Presence bool
	State    json.RawMessage // the member's own data; owned by the hub
	Instead  *Member         // a membership of this client in this room, which the new one takes the place of; nil: none
}

// start is where a member's delivery starts from.
type start struct {
	joined protocol.Joined
	replay bool // messages follow, up to joined.Head and on
}

// Join makes receiver a member. joined is called once, with the room locked and before anything is delivered: the
// reply must be queued there, and must not block. It returns an error instead when there is no membership. One that takes
// the place of another goes on where that stood, unless the client says where to begin; nobody is told that anybody came or
// left, and what was being written meanwhile may be delivered once more. ErrNotMember says that the other has ended.
// With an Inline engine Join does not block.
func (h *Hub) Join(ctx context.Context, q JoinRequest, receiver Receiver, joined func(*Member, *protocol.Joined)) error {
	if h.kicks.forbidden(q.Room, q.Client.User) {
		return ErrKicked
	}
	r, err := h.acquire(ctx, q.Room)
	if err != nil {
		return err
	}
	if q.Presence && r.rule().NoPresence {
		r.release()
		return ErrPresenceDisabled
	}
	s, err := r.start(ctx, q)
	if err != nil {
		r.release()
		return err
	}
	m := &Member{room: r, receiver: receiver, client: q.Client, since: time.Now().UnixMilli()}
	m.presence.Store(q.Presence || q.Instead != nil && q.Instead.Presence())
	r.mu.Lock()
	if err := r.admit(&q); err != nil {
		r.mu.Unlock()
		r.release()
		return err
	}
	r.enter(&q)
	r.place(m, &q, &s)
	r.add(m)
	if q.Instead != nil {
		r.end(q.Instead, LeftAsked)
		defer r.release()
	}
	if q.Presence {
		s.joined.WithPresence = true
		s.joined.Present, s.joined.Members = r.presence.some()
	}
	h.metrics.Add(s.metric(), 1)
	joined(m, &s.joined)
	r.mu.Unlock()
	h.CatchUp(m)
	return nil
}

// admit returns an error unless there may be a membership now: since the join began a kick or a leave may not have found
// it. The room is locked.
func (r *room) admit(q *JoinRequest) error {
	switch {
	case r.hub.kicks.forbidden(q.Room, q.Client.User):
		return ErrKicked
	case q.Instead != nil && q.Instead.gone.Load():
		return ErrNotMember
	default:
		return nil
	}
}

// enter notes in the room's presence that there is a membership more, or another one of a user who has been there. The
// room is locked.
func (r *room) enter(q *JoinRequest) {
	if q.Instead == nil {
		r.presence.join(r, *q)
	} else if q.State != nil {
		r.presence.setState(r, q.Client.User, q.State)
	}
}

// place gives a member its place: where the client wants to begin, or where the membership stands that it takes the place
// of, or else at the end. The room is locked.
func (r *room) place(m *Member, q *JoinRequest, s *start) {
	at, j := lag{liveFrom: r.tail.next, replayTo: r.tail.next}, &s.joined
	switch {
	case s.replay:
	case j.Recovered && j.Position != r.tail.head: // more came since the position was proven
		s.replay = true
	case q.Instead != nil && !j.WithSince && q.Last == 0:
		at = q.Instead.stands()
		j.Position, j.Head, j.Count = at.position, r.tail.head, r.count(at.position)
		s.replay = j.Position != r.tail.head || at.liveFrom != r.tail.next || len(at.notices) > 0
	default:
		j.Position, j.Head = r.tail.head, r.tail.head
	}
	r.begin(m, q, s)
	if !s.replay {
		r.goLive(m)
		return
	}
	at.position, at.replay, at.since, at.from = j.Position, true, m.since, m.from
	m.lag = &at
}

// stands returns where a member stands, for one that takes its place: the newest stored message that it was given, the
// first entry of the tail that it was not, and what it was not told yet. A write that is under way counts as not given. The
// room is locked.
func (m *Member) stands() lag {
	l := m.lag
	if l == nil {
		return lag{position: m.stay().At, liveFrom: m.room.flusher.flushed}
	}
	at := lag{position: l.position, liveFrom: l.liveFrom, replayTo: l.replayTo, passed: l.passed, notices: slices.Clone(l.notices)}
	if l.inTail {
		at.liveFrom = max(at.liveFrom, m.cursor)
	}
	return at
}

// count returns how many stored messages there are after a position, about. The room is locked.
func (r *room) count(after protocol.Position) int {
	seq, proven := r.tail.after(after)
	if proven {
		n, _ := r.tail.stored(seq, r.rule().History, time.Now().UnixMilli())
		return n
	}
	if after.Epoch != r.tail.head.Epoch {
		return 0
	}
	return int(r.tail.head.Offset - after.Offset)
}

// begin notes where a membership begins, and tells of what it begins without though the client asked for it. The room is
// locked.
func (r *room) begin(m *Member, q *JoinRequest, s *start) {
	m.from = s.joined.Position
	if r.latest() {
		m.from = s.joined.Head
	}
	if s.joined.WithSince && !s.joined.Recovered && s.joined.Reason != "" {
		r.move(m, string(s.joined.Reason), 0, q.Since, m.from)
	}
}

// metric returns where a join that begins so is counted.
func (s *start) metric() metrics.ID {
	switch {
	case !s.joined.WithSince:
		return metrics.JoinedFresh
	case s.joined.Recovered:
		return metrics.JoinedRecovered
	}
	return metrics.JoinedUnrecovered
}

// start finds where the member starts.
func (r *room) start(ctx context.Context, q JoinRequest) (start, error) {
	s := start{joined: protocol.Joined{Room: r.name, WithSince: q.Invalid || !q.Since.IsZero()}}
	latest := r.latest()
	switch {
	case q.Invalid:
		s.joined.Reason = protocol.ReasonEpoch
		if !latest {
			return s, nil
		}
	case !s.joined.WithSince && q.Last == 0 && !latest:
		return s, nil
	case s.joined.WithSince && !latest && r.startInTail(q.Since, &s):
		return s, nil
	}
	query := engine.Query{Since: q.Since, Last: min(q.Last, protocol.MaxRecover), Limit: 1}
	if latest {
		query = engine.Query{Latest: true, Since: q.Since, Limit: engine.MaxLatest}
	}
	page, err := r.startPage(ctx, query)
	if err != nil {
		return s, err
	}
	if s.joined.Reason == "" {
		s.joined.Reason = page.Refused
	}
	r.startAt(page, latest, &s)
	return s, nil
}

// startPage reads what a join begins with: with a position the part of the log that the replay begins with too, so that
// those who come back together read it once.
func (r *room) startPage(ctx context.Context, q engine.Query) (engine.Page, error) {
	switch {
	case q.Last > 0 && !q.Latest:
		return r.findNewest(ctx, q.Last)
	case q.Latest || q.Since.IsZero():
		return r.readLog(ctx, q)
	}
	p, err := r.part(ctx, q.Since)
	if err != nil {
		return engine.Page{}, err
	}
	return p.page, nil
}

// findNewest finds where the newest n messages of the log begin, and counts them. It reads them in parts and keeps none: they
// are replayed as any others.
func (r *room) findNewest(ctx context.Context, n int) (engine.Page, error) {
	part := engine.Query{Last: n, Limit: min(n, replayMessages), MaxBytes: maxRunBytes}
	page, err := r.readLog(ctx, part)
	page.Count = len(page.Messages)
	for err == nil && page.More && page.Count < n {
		var older engine.Page
		part = engine.Query{Before: page.Messages[0].Position, Limit: min(n-page.Count, replayMessages), MaxBytes: maxRunBytes}
		older, err = r.readLog(ctx, part)
		if len(older.Messages) == 0 { // they have left the log meanwhile
			break
		}
		page.Start, page.Messages, page.More = older.Start, older.Messages, older.More
		page.Count += len(older.Messages)
	}
	return page, err
}

// startInTail starts behind a position that the tail proves, so that those who come back together do not read the
// log each. What has left the log is the log's to tell, though the tail may have it: the answer must not depend on who
// else is in the room.
func (r *room) startInTail(since protocol.Position, s *start) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	seq, proven := r.tail.after(since)
	if !proven || mutNoCoalesce {
		return false
	}
	missed, kept := r.tail.stored(seq, r.rule().History, time.Now().UnixMilli())
	if missed > 0 && !kept {
		return false
	}
	s.joined.Recovered = true
	s.joined.Position, s.joined.Head = since, r.tail.head
	s.joined.Count = missed
	s.replay = missed > 0
	return true
}

// startAt starts where a page of the log says.
func (r *room) startAt(page engine.Page, latest bool, s *start) {
	j := &s.joined
	j.Head, j.Position, j.Count = page.Head, page.Start, page.Count
	switch {
	case latest:
		j.Recovered = j.WithSince && j.Reason == ""
		j.Count = len(page.Messages)
		if j.Count > 0 {
			j.Position = page.Messages[0].Position.Before(page.Messages[0].ID)
		}
	case j.WithSince && j.Reason == "" && page.Count > protocol.MaxRecover:
		j.Reason, j.Count = protocol.ReasonTooMany, 0
		return
	case j.WithSince && j.Reason != "":
		j.Count = 0
		return
	case j.WithSince:
		j.Recovered = true
	}
	s.replay = j.Count > 0
}

// Departure says how a membership ends.
type Departure struct {
	Why   string        // one of Left...; empty is LeftClosed
	Now   bool          // the client said so: the user has left at once
	Grace time.Duration // otherwise the user has left after it; 0 = DefaultGrace
}

// DefaultGrace is how long a user whose connection broke is still present.
const DefaultGrace = 5 * time.Second

// Leave ends a membership; it reports whether there was one. Frames that are being delivered meanwhile are sent
// before whatever is queued after Leave returned, or never.
func (h *Hub) Leave(m *Member, d Departure) bool {
	r := m.room
	r.mu.Lock()
	left := r.end(m, cmp.Or(d.Why, LeftClosed))
	if left {
		r.presence.leave(r, m.client.User, d)
	}
	r.mu.Unlock()
	if left {
		r.release()
	}
	return left
}

// end takes a member out and tells why; it reports whether it was there. The room is locked.
func (r *room) end(m *Member, why string) bool {
	stay := m.stay()
	ended := r.remove(m)
	if o := r.hub.observer; ended && o != nil {
		o.Left(m.client, stay, why)
	}
	return ended
}
