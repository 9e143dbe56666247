package client

import (
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// place is how far a room has come in its log. The client's mu guards it.
type place struct {
	// position is that of the newest message or gap that was put in the queue: what a rejoin continues after.
	position protocol.Position
	// behind says that the queue was full, and that what follows position is to be fetched from the history, up to
	// live at least, before messages are put in the queue again as they come.
	behind bool
	live   protocol.Position
	// anew says that the log has become another one since history was asked: the page that is on its way may be of the
	// one before, and does not end being behind.
	anew bool
	// stale says that events of presence were dropped, and that the list is to be fetched.
	stale    bool
	fetching bool // a page of history or a list of presence is on its way
	moved    bool // the room is another one now, which is to be told as a gap
}

// reached reports whether nothing that was dropped is left to be fetched.
func (p *place) reached() bool {
	return p.position.Epoch == p.live.Epoch && p.position.Offset >= p.live.Offset
}

// emptyPageHold is how long to wait before history is asked again that did not have what was seen live.
const emptyPageHold = time.Second

// message takes a message of the server.
func (r *Room) message(m *protocol.Message) {
	p := &r.place
	switch {
	case m.Position.IsZero():
		if !p.behind && !r.queue.full() {
			r.push(m)
		}
		return
	case p.behind:
		p.live = m.Position
		return
	case m.Position.Epoch != p.position.Epoch:
		r.gap(&protocol.Gap{Room: r.name, Reason: protocol.ReasonEpoch, Position: p.position})
	case m.Position.Offset <= p.position.Offset:
		return
	}
	if p.behind || r.queue.full() {
		p.behind, p.live = true, m.Position
		return
	}
	r.push(m)
	p.position = m.Position
}

// gap takes a gap. For a room that is behind, or has to fall behind for it, the history decides whether anything is
// missing. The history may have been ahead of what came live: in what it has told nothing is missing.
func (r *Room) gap(g *protocol.Gap) {
	p := &r.place
	sameLog := g.Reason != protocol.ReasonEpoch && g.Reason != protocol.ReasonDiverged && g.Position.Epoch == p.position.Epoch
	if sameLog && g.Position.Offset <= p.position.Offset {
		return
	}
	if p.behind || r.queue.full() {
		p.behind, p.live, p.anew = true, g.Position, p.anew || !sameLog
		return
	}
	r.pushGap(g.Reason, g.Position)
}

// pushGap puts a gap in the queue, full or not.
func (r *Room) pushGap(reason protocol.Reason, position protocol.Position) {
	r.push(&protocol.Gap{Room: r.name, Reason: reason, Position: position})
	r.place.position = position
}

// passing takes an event of presence, which is made up for by the whole list if there is no place for it.
func (r *Room) passing(e Event) {
	if r.place.behind || r.place.stale || r.queue.full() {
		r.place.stale = true
		return
	}
	r.push(e)
}

// push puts an event in the queue.
func (r *Room) push(e Event) {
	r.queue.push(e)
	r.signal()
}

// signal wakes a reader.
func (r *Room) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// wantsMore reports whether the room is behind and has place again.
func (r *Room) wantsMore() bool {
	return r.stage == stageJoined && (r.place.behind || r.place.stale) && !r.place.fetching && r.queue.halfEmpty()
}

// page takes a page of history.
func (r *Room) page(h *protocol.History) {
	p := &r.place
	before := p.position
	if h.Refused != "" {
		r.pushGap(h.Refused, h.Position)
	}
	for _, m := range h.Messages {
		if m.Position.Epoch == p.position.Epoch && m.Position.Offset > p.position.Offset {
			r.push(m)
			p.position = m.Position
		}
	}
	if !h.More && h.Position.Epoch == p.position.Epoch && h.Position.Offset > p.position.Offset {
		p.position = h.Position
	}
	switch {
	case p.anew:
		// The history is asked again, which refuses what is not of the log that there is now.
	case !h.More && p.reached():
		p.behind = false
	case p.position == before:
		r.hold = time.Now().Add(emptyPageHold)
	}
}

// noPage gives up on what was dropped, as the server does not hand its history out.
func (r *Room) noPage() {
	r.pushGap(protocol.ReasonLagged, r.place.live)
	r.place.behind = false
}
