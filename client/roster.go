package client

import (
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// roster holds the rooms of a client. The client's mu guards it.
type roster struct {
	rooms map[string]*Room
	inbox *Room     // nil before the first welcome, and with Options.NoInbox
	due   time.Time // when some room may have something to ask of the server; zero: never
}

// soon makes the rooms be looked through now.
func (r *roster) soon() { r.by(time.Unix(0, 1)) }

// by makes the rooms be looked through at t or before.
func (r *roster) by(t time.Time) {
	if r.due.IsZero() || t.Before(r.due) {
		r.due = t
	}
}

// write appends what the rooms have to ask of the server to out.
func (r *roster) write(s *session, out *frames, now time.Time) {
	if r.due.IsZero() || now.Before(r.due) {
		return
	}
	r.due = time.Time{}
	for _, room := range r.rooms {
		if out.full() {
			r.soon()
			return
		}
		asks := room.stage == stageJoining && !room.asked || room.wantsMore()
		if !asks {
			continue
		}
		if now.Before(room.hold) {
			r.by(room.hold)
			continue
		}
		room.write(s, out)
	}
}

// disconnected makes every room ask to be joined again.
func (r *roster) disconnected() {
	for _, room := range r.rooms {
		room.stage, room.asked, room.place.fetching = stageJoining, false, false
		room.hold, room.tries = time.Time{}, 0
	}
	r.soon()
}

// welcomed joins the inbox of the user that the client is now. When that is another user than before, the one room
// stands for the new inbox, and says so with a gap.
func (r *roster) welcomed(c *Client, inbox string) {
	if c.options.NoInbox || inbox == "" {
		return
	}
	if r.inbox == nil {
		state, _ := encodeJSON(c.options.Inbox.State) // Dial has checked it
		r.inbox = newRoom(c, inbox, c.options.Inbox, state)
		r.rooms[inbox] = r.inbox
		return
	}
	if room := r.inbox; room.stage != stageEnded && room.name != inbox {
		delete(r.rooms, room.name)
		room.name, room.place, room.options.Since = inbox, place{moved: true}, protocol.Position{}
		r.rooms[inbox] = room
	}
}

// end ends a room: what was received can still be read, then a gap if something was dropped, then err.
func (r *roster) end(room *Room, err error) {
	if room.stage == stageEnded {
		return
	}
	if room.place.behind {
		room.noPage()
	}
	room.stage, room.ended = stageEnded, err
	if r.rooms[room.name] == room {
		delete(r.rooms, room.name)
	}
	if room.isSettling() {
		close(room.joined)
	}
	room.signal()
}

// isSettling reports whether the first join was not answered yet.
func (r *Room) isSettling() bool {
	select {
	case <-r.joined:
		return false
	default:
		return true
	}
}

// write appends what the room has to ask of the server to out.
func (r *Room) write(s *session, out *frames) {
	p := &r.place
	var q protocol.Request
	var ask asker
	q.Room = []byte(r.name)
	switch {
	case r.stage == stageJoining:
		r.joinRequest(&q)
		ask = joinAsk{r, q.Has.Has(protocol.HasSince)}
		r.asked = true
	case p.behind:
		q.Type, q.Since = []byte(protocol.TypeHistory), []byte(p.position.String())
		q.Limit = max(1, min(r.queue.most-len(r.queue.events), protocol.MaxHistory))
		q.Has = protocol.HasRoom | protocol.HasSince | protocol.HasLimit
		ask = pageAsk{r}
		p.fetching, p.anew = true, false
	default:
		q.Type, q.Limit = []byte(protocol.TypePresence), protocol.MaxMembers
		q.Has = protocol.HasRoom | protocol.HasLimit
		ask = listAsk{r}
		p.fetching = true
	}
	s.request(out, &q, ask)
}

// joinRequest fills in the request to join: where the room stands already it continues there. A room that is behind
// fetches what it missed from the history anyway and joins at the head.
func (r *Room) joinRequest(q *protocol.Request) {
	q.Type, q.Has = []byte(protocol.TypeJoin), protocol.HasRoom
	since := r.place.position
	if since.IsZero() && r.options.Last > 0 {
		q.Last = r.options.Last
		q.Has |= protocol.HasLast
	} else if since.IsZero() {
		since = r.options.Since
	}
	if !since.IsZero() && !r.place.behind {
		q.Since = []byte(since.String())
		q.Has |= protocol.HasSince
	}
	if r.options.Presence {
		q.Presence = true
		q.Has |= protocol.HasPresence
	}
	if r.state != nil {
		q.State = r.state
		q.Has |= protocol.HasState
	}
}

// joinAnew leaves and joins again, as the server says that the client is in the room already, and does not say where it
// stands.
func (r *Room) joinAnew() {
	c := r.client
	c.session.calls = append(c.session.calls, leaveCall(r.name))
	if r.tries > 0 {
		r.hold = time.Now().Add(retryWait(&protocol.Error{}, r.tries))
	}
	r.tries++
	c.roster.soon()
}

// welcome takes the answer to a join.
func (r *Room) welcome(j *protocol.Joined, withSince bool) {
	p := &r.place
	r.stage, r.asked, r.tries = stageJoined, false, 0
	switch {
	case p.behind:
		p.live = j.Position
	case withSince && !j.Recovered:
		r.pushGap(j.Reason, j.Position)
	case p.moved:
		r.pushGap(protocol.ReasonEpoch, j.Position)
	default:
		p.position = j.Position
		if mutCachedHead && withSince {
			p.position = j.Head
		}
	}
	p.moved = false
	if j.WithPresence {
		r.passing(&protocol.Presence{Room: r.name, Count: j.Present, Members: j.Members})
	}
	if r.isSettling() {
		if r.read.IsZero() {
			r.read = p.position
		}
		close(r.joined)
	}
	if r.wantsMore() {
		r.client.roster.soon()
	}
}
