package session

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of what a client presents, in bytes.
const (
	maxNameLen  = 128
	maxTokenLen = 8 << 10
)

// expiryNotice is how long before its token expires a client is asked for a fresh one, in seconds; leeway is how long
// the token is taken after that, as where it was presented.
const (
	expiryNotice = 60
	leeway       = int64(auth.Leeway / time.Second)
)

// phase is how far a session has come.
type phase uint8

const (
	phaseAuth phase = iota // nothing but auth is accepted
	phaseOpen
	phaseLent // open for requests without a connection
	phaseClosed
)

// rights is what the session's user may do, whether it may be here at all, and since when it is.
type rights struct {
	identity *auth.Identity // nil for an anonymous user of whom nothing else is known; Session.mu guards it
	seen     atomic.Uint32  // the version of the node's bans that the session was checked against
	since    uint32         // when the user was let in, in seconds of the node's clock; Session.mu guards it
}

// buckets are what is left of a session's limits.
type buckets struct{ messages, bytes, joins, refusals limit.Bucket }

// Session is one client's stay on one connection. It is embedded in the transport's connection; Open begins it.
//
// Requests are handled one at a time and in order: on the goroutine that calls Receive, or behind one that had to
// wait, on a worker. Locks are taken in this order: joining, a room of the hub, mu, then the node's.
type Session struct {
	node   *Node
	outlet Outlet
	client hub.Client // changes only before the first join, but for the name, with a token that says another one
	rights
	account atomic.Pointer[limit.Entry] // the user's; nil before the session is open
	buckets
	turn    turn  // of those who may publish
	strikes uint8 // malformed envelopes in a row; the reading goroutine's

	joining sync.Mutex // held while the session becomes a member: there is one membership a room, two while one takes the place of the other

	mu       sync.Mutex
	rooms    []*hub.Member
	work     *work // nil while nothing waits
	deadline int64 // by when an auth must have come: the first in seconds of the node's clock, a fresh one in Unix seconds; 0 = none
	phase    phase
	started  bool // Start was called
	warned   bool // that the token expires soon
	authed   bool // by a token of its own: no other user may follow
	attempts
}

// attempts are those to authenticate that failed; the session's lock guards them.
type attempts struct {
	row    uint8 // one after the other
	forged uint8 // in all, with a token that nobody signed
}

// NewClient returns a name for a client: 130 random bits.
func NewClient() string { return rand.Text() }

// SetClient gives the session's client the name that it chose itself; together with its user it names one client. It
// is called before Open or Lend, which otherwise make one up.
func (s *Session) SetClient(id string) { s.client.ID = id }

// Exposed is a trait of an Outlet: one that says so takes no token from its client, because others could read it on its
// way.
type Exposed interface{ Exposed() bool }

// exposed reports whether others can read what the client sends.
func (s *Session) exposed() bool {
	o, ok := s.outlet.(Exposed)
	return ok && o.Exposed()
}

// Open begins the session of who connected, and sends the welcome; without an identity it asks for one. token is what
// Identify returned. It is called once, before any other method; Start follows.
func (s *Session) Open(node *Node, outlet Outlet, identity *auth.Identity, token string) {
	s.node, s.outlet = node, outlet
	if s.client.ID == "" {
		s.client.ID = NewClient()
	}
	if identity == nil {
		s.deadline = (node.clock() + int64(node.AuthTimeout)) / int64(time.Second)
		if mutWallClock {
			s.deadline = time.Now().Add(node.AuthTimeout).Unix()
		}
		outlet.Push(&protocol.AuthRequired{Timeout: node.AuthTimeout.Seconds()})
		return
	}
	s.enter(identity, token)
}

// enter makes identity the session's user and sends the welcome, or closes a session that is one too many.
func (s *Session) enter(identity *auth.Identity, token string) {
	account, users, err := s.node.enter(identity.User)
	if err != nil {
		s.outlet.Close(protocol.CloseRateLimited, CloseReason(err), time.Duration(err.RetryAfter*float64(time.Second)))
		return
	}
	s.mu.Lock()
	if s.phase == phaseClosed {
		s.mu.Unlock()
		s.node.leave(identity.User, account)
		return
	}
	if old := s.account.Swap(account); old != nil {
		s.node.leave(s.client.User, old)
	}
	s.phase = phaseOpen
	s.since = uint32(time.Duration(s.node.clock()) / time.Second)
	s.follow(identity)
	s.client.User, s.client.Name = identity.User, identity.Name
	s.authed = !identity.Anonymous
	s.mu.Unlock()
	s.welcome(token, users)
	if hook := s.node.Hooks.Open; hook != nil {
		s.later(func() {
			if err := hook(s.node.ctx, s); err != nil {
				s.outlet.Close(protocol.CloseForbidden, string(s.hookError(err).Code), 0)
			}
		})
	}
}

// welcome tells the client who it is.
func (s *Session) welcome(token string, users int) {
	s.outlet.Push(&protocol.Welcome{
		Client:       s.client.ID,
		User:         s.client.User,
		Inbox:        protocol.Inbox(s.client.User),
		Token:        token,
		Node:         s.node.Name,
		Protocol:     protocol.Version,
		PingInterval: s.node.PingInterval.Seconds(),
		MaxMessage:   s.node.limits.Load().MaxMessage,
		Durability:   s.node.durability,
		Users:        users,
		Time:         time.Now().UnixMilli(),
	})
}

// Tick does what is due, and is called at least once a second: it closes a session whose user or token is kept out and one
// that has not authenticated in time, asks for a fresh token before the one it has expires, and closes the session when
// that has happened. now is in Unix seconds: a token follows the wall clock, and the time to authenticate does not.
func (s *Session) Tick(now int64) {
	if s.banned() {
		return
	}
	s.mu.Lock()
	if s.phase == phaseAuth && !mutWallClock {
		now = s.node.clock() / int64(time.Second)
	}
	phase, deadline, left := s.phase, s.deadline, s.deadline-now
	warn := phase == phaseOpen && deadline != 0 && left <= expiryNotice+leeway && !s.warned
	s.warned = s.warned || warn
	s.mu.Unlock()
	switch {
	case deadline == 0 || phase == phaseClosed:
	case phase == phaseAuth && left < 0:
		s.outlet.Close(protocol.CloseUnauthorized, "auth_timeout", 0)
	case phase == phaseOpen && left < 0:
		s.outlet.Close(protocol.CloseTokenExpired, string(protocol.CodeTokenExpired), 0)
	case warn:
		s.outlet.Push(&protocol.TokenExpiring{ExpiresIn: float64(max(left-leeway, 0))})
	}
}

// Writable delivers what the session's rooms have for it, when its socket takes bytes again.
func (s *Session) Writable() {
	for _, m := range s.members() {
		s.node.Hub.CatchUp(m)
	}
}

// Ended says how a connection ended.
type Ended struct {
	Code   protocol.CloseCode
	Reason string
	Clean  bool          // the client said goodbye: its users have left at once
	Retry  time.Duration // the server asked it to come back after that time
}

// Close ends the session; the connection is gone. It is called once, last.
func (s *Session) Close(e Ended) {
	s.mu.Lock()
	opened := s.phase == phaseOpen
	switch s.phase {
	case phaseOpen:
		s.node.leave(s.client.User, s.account.Load())
	case phaseLent:
		s.node.users.Release(s.client.User, s.account.Load(), s.node.clock())
	}
	s.phase = phaseClosed
	rooms := s.rooms
	s.rooms = nil
	s.mu.Unlock()
	departure := hub.Departure{Why: hub.LeftClosed, Now: e.Clean}
	if e.Retry > 0 {
		departure.Grace = e.Retry + hub.DefaultGrace
	}
	for _, m := range rooms {
		s.node.Hub.Leave(m, departure)
		s.informLeave(m.Room())
	}
	if !opened { // there may be no node either: the client was refused
		return
	}
	s.node.Metrics.Add(e.metric(), 1)
	s.ended(e)
	if hook := s.node.Hooks.Disconnect; hook != nil {
		s.later(func() { hook(s, e.Code, e.Reason) })
	}
}

// Client returns who the session is.
func (s *Session) Client() hub.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// Outlet returns the session's way out.
func (s *Session) Outlet() Outlet { return s.outlet }

// Rooms returns the names of the rooms that the session is in.
func (s *Session) Rooms() []string {
	var names []string
	for _, m := range s.members() {
		names = append(names, m.Room())
	}
	return names
}

func (s *Session) members() []*hub.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*hub.Member(nil), s.rooms...)
}

// member returns the session's membership of a room, or nil.
func (s *Session) member(room []byte) *hub.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.rooms {
		if m.Room() == string(room) {
			return m
		}
	}
	return nil
}
