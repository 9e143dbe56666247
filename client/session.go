package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// session is the client's life on one connection. The client's mu guards all of it but what is set at the start.
type session struct {
	client *Client
	link   *link
	tasks  sync.WaitGroup // what was started beside the reader
	done   chan struct{}  // closed when the connection has ended
	greet  func() bool    // ends the time that there is for the welcome

	greeted  bool // the welcome came
	opened   time.Time
	welcome  protocol.Welcome
	live     liveness
	lastID   uint64
	pending  map[uint64]asker
	calls    []*call // of this connection only; they go first
	pongs    [][]byte
	jsonPong bool
	goodbye  bool        // the close frame is to be written
	mute     bool        // nothing is to be written any more
	draining *CloseError // what draining has told; nil for nothing
	failure  error       // with which the session is to end; nil for none
}

// newSession returns the session on l, which has no welcome yet.
func newSession(c *Client, l *link) *session {
	return &session{client: c, link: l, done: make(chan struct{}), live: newLiveness(time.Now()), pending: make(map[uint64]asker)}
}

// told returns err, with which the connection ended, together with when to come back if draining has told it and err
// does not.
func (s *session) told(err error) error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	var closed *CloseError
	switch {
	case s.draining == nil:
	case !errors.As(err, &closed):
		return fmt.Errorf("%w: %w", s.draining, err)
	case !closed.told:
		closed.Retry, closed.told = s.draining.Retry, true
	}
	return err
}

// mostPongs bounds the answers that wait to be written; beyond it the oldest goes, as RFC 6455, section 5.5.3 allows.
const mostPongs = 4

// errNoWelcome says that what came first was no welcome.
var errNoWelcome = errors.New("the server does not speak this protocol: no welcome")

// request appends q to out and lets ask wait for the answer. It returns false, and writes nothing, if that is longer
// than the server takes.
func (s *session) request(out *frames, q *protocol.Request, ask asker) bool {
	s.lastID++
	q.ID = strconv.AppendUint(nil, s.lastID, 10)
	q.Has |= protocol.HasID
	if !out.request(q, s.welcome.MaxMessage) {
		return false
	}
	s.pending[s.lastID] = ask
	s.live.ask(time.Now())
	return true
}

// text takes the content of a text frame. Only what breaks the protocol in a way that could hide a message is an
// error; anything else that cannot be read is left aside.
func (s *session) text(ctx context.Context, frame []byte) error {
	e, err := protocol.ReadEnvelope(frame)
	if err != nil {
		if !s.greeted {
			return errNoWelcome
		}
		s.client.options.Logger.Debug("a frame that is no envelope was left aside")
		return nil
	}
	switch e.Type {
	case protocol.TypeOK, protocol.TypeError:
		return s.reply(&e)
	}
	if s.greeted && protocol.CheckType(e.Type) {
		s.client.custom(&e)
		return nil
	}
	push, err := e.Push()
	switch {
	case err == nil:
		return s.push(ctx, push)
	case !s.greeted:
		return errNoWelcome
	case e.Type == protocol.TypeMessage || e.Type == protocol.TypeGap:
		return err
	}
	s.client.options.Logger.Debug("an envelope that cannot be read was left aside", "type", e.Type)
	return nil
}

// binary takes the content of a binary frame, a message.
func (s *session) binary(ctx context.Context, frame []byte) error {
	m, err := protocol.DecodeBinary(frame)
	if err != nil {
		return err
	}
	return s.push(ctx, m)
}

// reply takes an answer.
func (s *session) reply(e *protocol.Envelope) error {
	r, err := e.Reply()
	if err != nil {
		return err
	}
	c := s.client
	id, err := strconv.ParseUint(string(r.ID), 10, 64)
	if err != nil {
		if r.Err != nil {
			c.options.Logger.Warn("the server refused something", "of", r.Of, "error", r.Err)
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ask := s.pending[id]
	if ask == nil {
		return nil
	}
	delete(s.pending, id)
	ask.answered(c, r)
	c.poke()
	return s.failure
}

// push takes what the server sent unasked.
func (s *session) push(ctx context.Context, p protocol.Push) error {
	c := s.client
	switch p := p.(type) {
	case *protocol.Welcome:
		return c.welcomed(s, p)
	case *protocol.AuthRequired:
		return s.authenticate()
	case *protocol.TokenExpiring:
		s.renewToken(ctx)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch p := p.(type) {
	case *protocol.Ping:
		s.jsonPong = true
		c.poke()
	case *protocol.Draining:
		s.draining = &CloseError{Code: protocol.CloseDraining, Reason: p.Type(), Retry: duration(p.ReconnectAfter), told: true}
	case *protocol.Message:
		c.inRoom(p.Room, func(r *Room) { r.message(p) })
	case *protocol.Gap:
		c.inRoom(p.Room, func(r *Room) { r.gap(p) })
	case *protocol.UserEvent:
		c.inRoom(p.Room, func(r *Room) { r.passing(p) })
	case *protocol.Presence:
		c.inRoom(p.Room, func(r *Room) { r.passing(p) })
	case *protocol.State:
		c.inRoom(p.Room, func(r *Room) { r.passing(p) })
	case *protocol.Kicked:
		c.inRoom(p.Room, func(r *Room) { r.kicked(p) })
	}
	return nil
}

// inRoom calls f for a room that is joined. c.mu is held.
func (c *Client) inRoom(name string, f func(*Room)) {
	if r := c.roster.rooms[name]; r != nil && r.stage == stageJoined {
		f(r)
		if r.wantsMore() {
			c.roster.soon()
			c.poke()
		}
	}
}

// kicked takes the news that the client was put out of the room.
func (r *Room) kicked(k *protocol.Kicked) {
	if r.place.behind {
		r.noPage()
	}
	r.push(k)
	r.client.roster.end(r, &KickedError{*k})
}

// heard takes note that the server lives.
func (s *session) heard() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.live.hear(time.Now())
}

// pinged answers a ping of the WebSocket protocol.
func (s *session) pinged(payload []byte) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if len(s.pongs) == mostPongs {
		s.pongs = slices.Delete(s.pongs, 0, 1)
	}
	s.pongs = append(s.pongs, slices.Clone(payload))
	s.client.poke()
}

// lost ends the session: whoever waits for an answer will get none.
func (s *session) lost() {
	c := s.client
	waiting := s.pending
	s.pending = make(map[uint64]asker)
	for _, id := range slices.Sorted(maps.Keys(waiting)) {
		waiting[id].lost(c)
	}
	for _, q := range s.calls {
		q.lost(c)
	}
	s.calls = nil
}

// authenticate answers auth_required.
func (s *session) authenticate() error {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.greeted || len(s.pending)+len(s.calls) > 0 {
		return nil
	}
	token := c.identity.token
	if token == "" && c.options.Name == "" {
		return fmt.Errorf("%w: the server asks for a token", ErrUnauthorized)
	}
	q := authCall(token, c.options.Name)
	q.settled = func(err *protocol.Error) {
		if err != nil {
			s.failure = fmt.Errorf("auth: %w", err)
		}
	}
	s.calls = append(s.calls, q)
	c.poke()
	return nil
}

// authCall returns the request to be who the token says, or to have a name.
func authCall(token, name string) *call {
	q := newCall(protocol.TypeAuth)
	if token != "" {
		q.request.Token = []byte(token)
		q.request.Has = protocol.HasToken
		return q
	}
	q.request.Name = []byte(name)
	q.request.Has = protocol.HasName
	return q
}

// renewToken fetches a token before the one that there is expires. If that fails the server closes the connection,
// and the next one begins with a new token.
func (s *session) renewToken(ctx context.Context) {
	c := s.client
	if c.options.TokenFunc == nil {
		return
	}
	s.tasks.Go(func() {
		token, err := c.options.TokenFunc(ctx)
		if err != nil {
			c.options.Logger.Warn("the token could not be renewed", "error", err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.identity.token = token
		s.calls = append(s.calls, authCall(token, ""))
		c.poke()
	})
}
