package longpoll

import (
	"net/http"
	"slices"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// How long a poll that does not wish to wait does so all the same where the engine answers later, so that what it is
// about to be given finds it.
const shortWait = 250 * time.Millisecond

// poll is one request that waits for something to tell. Its caller's lock guards it.
type poll struct {
	envelopes
	ask     *stateless.Ask
	first   bool          // the client has not been here before
	open    bool          // it takes what rooms hold
	news    bool          // there is something to tell that is worth an answer at once
	waiting int           // replies to joins
	rooms   int           // that were joined, now or before
	stop    protocol.Code // why a room was refused
	hurry   bool          // an error has to be told at once
	changed chan struct{} // has an element when something changed
	sealed  bool          // another poll of the client took its place
	cursor  string        // once it is sealed
}

func (p *poll) add(envelope []byte) {
	p.envelopes.add(envelope)
	p.news = true
	p.wake()
}

func (p *poll) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// joined takes note of a join. To a client that goes on where it was that is no news, except who is there: it is told
// with whatever comes, or else at the end of its wait.
func (p *poll) joined(ok *stateless.OK) {
	p.waiting--
	p.rooms++
	p.envelopes.add(protocol.AppendPush(nil, ok))
	p.news = p.news || !p.ask.Vector.Positioned(ok.Joined.Room) || !ok.Joined.Recovered || p.ask.Presence
	p.wake()
}

// failed takes note of a join that was refused; a client that knows is not told again with every poll.
func (p *poll) failed(f *stateless.Failure) {
	p.waiting--
	p.stop = f.Err.Code
	p.hurry = p.hurry || f.Err.Code.Retryable()
	if p.hurry || !p.ask.Vector.Refused(f.Room) {
		p.add(protocol.AppendPush(nil, f))
	}
	p.wake()
}

// poll answers a request, when there is something to tell or it has waited for long enough.
// The caller's turn is locked, and is not any more when it returns.
func (t *Transport) poll(w http.ResponseWriter, r *http.Request, ask *stateless.Ask, pass *gate.Pass, c *caller) {
	if c.overtaken(ask) {
		c.turn.Unlock()
		stateless.Answer(w, http.StatusOK, appendAnswer(nil, stateless.Given(r)))
		return
	}
	p := c.begin(ask)
	ready := c.align(r, p, pass)
	c.turn.Unlock()
	if more := t.surplus(c.user); more != nil {
		more.Close(protocol.CloseRateLimited, "too many clients of this user", 0)
		more.reap(time.Now())
	}
	if ready {
		c.wait(r, p)
	}
	c.answer(w, r, p, pass.Identity.Anonymous && !presents(r))
}

// presents reports whether a request says who sends it; without that each one is of a new user.
func presents(r *http.Request) bool {
	return r.URL.Query().Get("token") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != ""
}

// begin makes a poll the caller's; one that waits is answered with what there is. The caller's turn is locked.
func (c *caller) begin(ask *stateless.Ask) *poll {
	p := &poll{ask: ask, first: !ask.Resumed, changed: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.poll; old != nil {
		old.sealed, old.cursor = true, c.vector.String()
		c.tells(old)
		old.wake()
	}
	c.poll, c.reserved = p, false
	p.news = c.pushed.count > 0
	p.addAll(&c.pushed)
	return p
}

// align has the session be in the rooms that the poll asks for, at the positions at which it stands, and reports
// whether it is worth waiting. A room in which the client stands where it was left is left as it is. The caller's turn
// is locked.
func (c *caller) align(r *http.Request, p *poll, pass *gate.Pass) bool {
	if !c.opened.Load() {
		c.session.SetClient(c.name)
		c.session.Open(c.transport.Node, c, pass.Identity, pass.Token)
		c.session.Start()
		c.opened.Store(true)
		c.session.Placed()
	} else {
		c.session.Renew(r.Context(), pass.Identity)
	}
	joins := c.leaveOthers(p.ask)
	c.mu.Lock()
	c.vector, c.network = p.ask.Vector.Clone(), pass.Seat.Network()
	ended := c.ending != nil // there was no place for another session
	if !ended {
		p.waiting, p.rooms = len(joins), len(p.ask.Rooms())-len(joins)
	}
	c.mu.Unlock()
	if ended {
		return false
	}
	for i := range joins {
		c.session.Receive(&joins[i].Request)
	}
	open := c.waitForJoins(r, p)
	c.mu.Lock()
	if p.waiting > 0 && c.ending == nil {
		// Of joins that are under way nobody can say what they come to, so that no other poll goes on here.
		c.ending = &ending{code: closeAbnormal, reason: "rooms were not joined in time"}
	}
	open = open && !p.hurry && p.rooms > 0
	p.open = open
	c.mu.Unlock()
	if open {
		c.session.Writable()
	}
	c.transport.Node.Hub.Flush()
	return open
}

// leaveOthers ends the memberships that the poll does not go on with, and returns the joins that it needs.
func (c *caller) leaveOthers(ask *stateless.Ask) []stateless.Join {
	rooms := ask.Rooms()
	for _, room := range c.asked {
		if !slices.Contains(rooms, room) {
			c.session.Leave(room)
		}
	}
	c.asked = rooms
	c.mu.Lock()
	missed := ask.Presence && ask.Got > 0 && ask.Got < c.told // what has no position is made good by a list
	anew := c.doubtful || c.presence != ask.Presence || missed
	c.doubtful = false
	stands := c.vector
	c.mu.Unlock()
	c.presence = ask.Presence
	var again []string
	joins := slices.DeleteFunc(ask.Joins(), func(j stateless.Join) bool {
		if !c.session.In(j.Room()) {
			return false
		}
		if !anew && stands.Same(&ask.Vector, j.Room()) {
			return true
		}
		c.session.Drop(j.Room())
		again = append(again, j.Room())
		return false
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again = again
	return joins
}

// waitForJoins returns when every join has its reply; it reports false when the request has ended before.
func (c *caller) waitForJoins(r *http.Request, p *poll) bool {
	timer := time.NewTimer(joinTimeout)
	defer timer.Stop()
	for {
		c.mu.Lock()
		done := p.waiting <= 0 || c.ending != nil
		c.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-p.changed:
		case <-r.Context().Done():
			return false
		case <-timer.C:
			c.mu.Lock()
			p.hurry = true
			p.add(protocol.AppendPush(nil, &stateless.Failure{Err: &protocol.Error{
				Code: protocol.CodeEngineUnavailable, Message: "the rooms could not be joined in time",
			}}))
			c.mu.Unlock()
			return true
		}
	}
}

// wait returns when there is something to tell, the poll has waited for long enough, or its request has ended.
func (c *caller) wait(r *http.Request, p *poll) {
	most := p.ask.Wait
	if !c.transport.Node.Hub.Inline() {
		most = max(most, shortWait)
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		c.mu.Lock()
		done := p.news || p.sealed || c.ending != nil
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-p.changed:
		case <-timer.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// answer answers the request, and ends a session that shall end. passing tells that the client cannot come back as
// the same one.
func (c *caller) answer(w http.ResponseWriter, r *http.Request, p *poll, passing bool) {
	c.mu.Lock()
	mine := c.poll == p
	e := c.ending
	if mine {
		c.poll, c.idle = nil, time.Now()
		p.cursor = c.vector.String()
		c.tells(p)
		if r.Context().Err() != nil {
			c.doubtful = true
		}
		if e == nil && passing {
			e = &ending{code: closeAbnormal, reason: "the client cannot come back to this session"}
			c.ending = e
		}
	}
	c.mu.Unlock()
	switch {
	case !mine || e == nil || e.code == closeAbnormal:
		c.tell(w, p)
	default:
		tellEnd(w, p, e)
	}
	if e != nil {
		c.reap(time.Now())
	}
}

// tells notes that a poll is answered with what it has. The caller is locked.
func (c *caller) tells(p *poll) {
	if p.count > 0 {
		c.told = max(c.told, p.ask.Number)
	}
}

// closeAbnormal is the code of a session whose client does not come back to it.
const closeAbnormal protocol.CloseCode = 1006

// tell answers with what there is. A client that may be in none of its rooms, and was told so, shall not ask again.
func (c *caller) tell(w http.ResponseWriter, p *poll) {
	if p.count == 0 && p.rooms == 0 && p.waiting <= 0 && p.stop != "" {
		stateless.RefuseRooms(w, p.stop)
		return
	}
	if c.transport.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	stateless.Answer(w, http.StatusOK, appendAnswer(p.text, p.cursor))
}

// tellEnd answers with what there is and why the session ended.
func tellEnd(w http.ResponseWriter, p *poll, e *ending) {
	err := stateless.ErrorOf(e.code, e.reason, e.retry)
	if stateless.Stops(e.code) {
		if err == nil {
			stateless.RefuseRooms(w, protocol.CodeForbidden)
			return
		}
		stateless.Refuse(w, session.Status(err), err)
		return
	}
	if e.code != protocol.CloseDraining && err != nil {
		if err.RetryAfter == 0 {
			err.RetryAfter = sweep.Retry(comeBack).Seconds()
		}
		p.envelopes.add(protocol.AppendPush(nil, &stateless.Failure{Err: err}))
	}
	w.Header().Set("Connection", "close")
	stateless.Answer(w, http.StatusOK, appendAnswer(p.text, p.cursor))
}
