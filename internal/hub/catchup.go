package hub

import (
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// replayMessages is how many messages of the log one step of a catch-up reads.
const replayMessages = 256

// lag is the state of a member that is behind; the room's lock guards it. The member's cursor holds while inTail;
// otherwise position says where it stands in the log.
type lag struct {
	since    int64             // when it fell behind, in Unix milliseconds
	from     protocol.Position // where that was
	position protocol.Position // of the newest stored message that the member has
	liveFrom uint64            // entries before it that are not stored are not for the member
	replayTo uint64            // entries before it are the replay of a join, which everybody gets
	inTail   bool
	replay   bool // since the join; otherwise the member was too slow
	passed   bool // entries that are not stored were passed over
	busy     bool // one goroutine catches up; it looks again before it stops
	notices  []protocol.Push
}

// CatchUp delivers what a member missed, until it is live again or its socket is full. It must be called when the
// member's socket takes bytes again; for a live member it does nothing. With an Inline engine it does not block;
// otherwise it reads the log in a goroutine of the hub.
func (h *Hub) CatchUp(m *Member) {
	r := m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	l := m.lag
	if l == nil || l.busy || m.gone.Load() {
		return
	}
	l.busy = true
	r.catchUp(m, h.inline)
}

// catchUp goes on with a member whose lag is busy. The room is locked, but not while anything is read or written.
func (r *room) catchUp(m *Member, mayRead bool) {
	for {
		l := m.lag
		r.enterTail(m)
		if r.caughtUp(m) {
			r.caught(m)
			r.goLive(m)
			return
		}
		if !l.inTail && !mayRead && len(l.notices) == 0 {
			r.hub.background(func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.catchUp(m, true)
			})
			return
		}
		step := r.step(m)
		if !step.ok || !r.take(m, step) {
			return
		}
	}
}

// enterTail finds the member's place in the tail, once its position is there. The room is locked.
func (r *room) enterTail(m *Member) {
	l := m.lag
	if l.inTail && m.cursor < r.tail.first {
		l.inTail, l.passed = false, true
	}
	if l.inTail || r.latest() && l.position != r.tail.head {
		return
	}
	seq, proven := r.tail.after(l.position)
	if !proven {
		return
	}
	l.inTail = true
	l.passed = l.passed || l.liveFrom < r.tail.first
	if l.passed {
		r.move(m, MovedEphemeral, l.since, l.position, l.position)
	}
	m.cursor = max(seq, m.cursor)
	if l.passed && m.presence.Load() {
		l.notices = append(l.notices, r.presence.snapshot(r.name))
		l.liveFrom = r.tail.next
	}
	l.passed = false
}

// caughtUp reports whether nothing is left to deliver. The room is locked.
func (r *room) caughtUp(m *Member) bool {
	return m.lag.inTail && m.cursor == r.tail.next && len(m.lag.notices) == 0
}

// step is what a catch-up delivers in one write: notices, and then entries of the tail or messages of the log.
type step struct {
	ok       bool // false: there is nothing to be had now
	framing  Framing
	frames   []byte
	from, to place // where the member stands before and afterwards
	notices  []protocol.Push
	entries  []passing
	messages []*protocol.Message
	skipped  bool // on the way there are messages that it does not carry
}

// place is where a member stands that catches up.
type place struct {
	cursor   uint64
	position protocol.Position
	notices  int // how many of the lag's notices it has
}

// passing is an entry of the tail that a step delivers.
type passing struct {
	entry  *entry
	cursor uint64 // behind it
}

// each yields the frames of a step, in memory of their own, with where the member stands behind each.
func (s *step) each(yield func(frame []byte, behind place) bool) {
	at := s.from
	for _, p := range s.notices {
		at.notices++
		if !yield(s.framing.AppendFrame(nil, p), at) {
			return
		}
	}
	for _, e := range s.entries {
		at.cursor, at.position = e.cursor, e.entry.upTo
		if !yield(e.entry.frame(s.framing), at) {
			return
		}
	}
	for _, m := range s.messages {
		at.position = m.Position
		if !yield(s.framing.AppendFrame(nil, m), at) {
			return
		}
	}
}

// Cut implements conn.Cutter: the step ends with the frame that was cut.
func (s *step) Cut(n int) []byte {
	s.to = s.from
	for frame, behind := range s.each {
		if n == 0 {
			return nil
		}
		s.to = behind
		if n < len(frame) {
			return frame[n:]
		}
		n -= len(frame)
	}
	return nil
}

// step prepares the next step. The room is locked, but not while the log is read.
func (r *room) step(m *Member) *step {
	l := m.lag
	s := &step{ok: true, framing: m.receiver.Framing(), notices: l.notices}
	s.from = place{cursor: m.cursor, position: l.position}
	s.to = place{cursor: m.cursor, position: l.position, notices: len(l.notices)}
	for _, p := range l.notices {
		s.frames = s.framing.AppendFrame(s.frames, p)
	}
	if len(l.notices) > 0 && !l.inTail {
		return s
	}
	if !l.inTail {
		return r.stepThroughLog(m, s)
	}
	presence := m.presence.Load()
	for _, e := range r.tail.run(nil, m.cursor) {
		replayed := e.stored && s.to.cursor < l.replayTo
		delivered := replayed || m.wants(e, presence) && (e.stored || s.to.cursor >= l.liveFrom)
		s.to.cursor++
		s.to.position = e.upTo
		if delivered {
			s.frames = append(s.frames, e.frame(s.framing)...)
			s.entries = append(s.entries, passing{e, s.to.cursor})
		}
	}
	return s
}

// stepThroughLog reads the next part of the log for a member that the tail cannot serve.
func (r *room) stepThroughLog(m *Member, s *step) *step {
	since := m.lag.position
	if r.latest() {
		return r.stepThroughLatest(m, s)
	}
	r.mu.Unlock()
	p, err := r.part(r.hub.ctx, since)
	r.mu.Lock()
	if err != nil || p.page.Head == since {
		return r.waitForEngine(m, err)
	}
	if p.page.Refused != "" {
		return r.tellGap(m, p.page)
	}
	s.frames, s.messages, s.to.position = p.framesIn(s.framing), p.page.Messages, p.through()
	return s
}

// stepThroughLatest is stepThroughLog where the newest per event are all that is delivered.
func (r *room) stepThroughLatest(m *Member, s *step) *step {
	since := m.lag.position
	r.mu.Unlock()
	page, err := r.readLog(r.hub.ctx, engine.Query{Since: since, Latest: true})
	r.mu.Lock()
	if err != nil || page.Head == since {
		return r.waitForEngine(m, err)
	}
	m.lag.passed = m.lag.passed || m.lag.liveFrom != r.tail.next
	s.messages = page.Messages
	switch page.Refused {
	case "":
	case protocol.ReasonExpired:
		s.messages = newerThan(page.Messages, since)
	default:
		return r.tellGap(m, page)
	}
	s.to.position = page.Head
	s.skipped = since.Epoch != page.Head.Epoch || page.Head.Offset-since.Offset > uint64(len(s.messages))
	for _, p := range s.messages {
		s.frames = s.framing.AppendFrame(s.frames, p)
	}
	return s
}

// waitForEngine has the member try again with the next tick: the engine failed, or the feed is behind the log and the
// tail will have it soon.
func (r *room) waitForEngine(m *Member, err error) *step {
	if err != nil {
		r.hub.warn("a member that is behind waits for the engine", "room", r.name, "error", err)
	}
	m.lag.busy = false
	r.hub.retryLater(m)
	return &step{}
}

// tellGap has the member told that what it missed is gone. The position moves before the gap is delivered: a tail whose
// feed is late may prove the old one meanwhile.
func (r *room) tellGap(m *Member, page engine.Page) *step {
	gap := r.gap(m, page)
	r.move(m, string(gap.Reason), m.lag.since, m.lag.position, page.Head)
	m.lag.notices = append(m.lag.notices, gap)
	m.lag.position = page.Head
	return r.step(m)
}

// gap says why the member cannot have what it missed.
func (r *room) gap(m *Member, page engine.Page) *protocol.Gap {
	reason := page.Refused
	if reason == protocol.ReasonExpired && !m.lag.replay {
		reason = protocol.ReasonLagged
	}
	r.hub.metrics.Add(metrics.GapsLagged, 1)
	return &protocol.Gap{Room: r.name, Reason: reason, Position: page.Head}
}

func newerThan(messages []*protocol.Message, p protocol.Position) []*protocol.Message {
	for len(messages) > 0 && messages[0].Position.Offset <= p.Offset {
		messages = messages[1:]
	}
	return messages
}

// take writes a step and notes how far it came; it reports whether to go on. The room is locked, but not while
// anything is written.
func (r *room) take(m *Member, s *step) bool {
	outcome := conn.Sent
	if len(s.frames) > 0 {
		r.mu.Unlock()
		outcome = m.receiver.Deliver(conn.Frames{Bytes: s.frames, Cut: s}, &m.gone)
		r.mu.Lock()
	}
	l := m.lag
	switch outcome {
	case conn.Sent, conn.Kept:
		r.passed(m, s)
		m.cursor, l.position = s.to.cursor, s.to.position
		l.notices = l.notices[s.to.notices:]
	case conn.Skipped, conn.Gone:
		return false
	}
	if outcome == conn.Sent {
		return true
	}
	// The socket may drain before busy is false, and a CatchUp then finds it busy: look once more.
	l.busy = false
	r.mu.Unlock()
	ready := m.receiver.Ready()
	r.mu.Lock()
	if !ready || m.lag != l || l.busy {
		return false
	}
	l.busy = true
	return true
}
