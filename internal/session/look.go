package session

import (
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/protocol"
)

// State is what can be seen of a session.
type State struct {
	Client    hub.Client
	Anonymous bool
	Since     time.Time  // when the user was let in
	Rooms     []hub.Stay // in the order in which they were joined
	Used      Used
}

// Used is which part of a session's limits it has used up, from 0 to 1.
type Used struct {
	Messages float64 `json:"messages"`
	Bytes    float64 `json:"bytes"`
	Joins    float64 `json:"joins"`
	Refusals float64 `json:"refusals"` // of what is taken before the connection is closed
}

// used returns how far the session has come with its limits.
func (s *Session) used() Used {
	now, l := s.node.clock(), s.node.limits.Load()
	return Used{
		Messages: s.messages.Used(now, l.Messages), Bytes: s.bytes.Used(now, l.Bytes), Joins: s.joins.Used(now, l.Joins),
		Refusals: s.refusals.Used(now, limit.Rate{PerSecond: refusalRate, Burst: l.Refusals}),
	}
}

// State returns what can be seen of the session; it reports false for one that is not open.
func (s *Session) State() (State, bool) {
	s.mu.Lock()
	state := State{Client: s.client, Anonymous: !s.authed}
	open, since := s.phase == phaseOpen, s.since
	rooms := append([]*hub.Member(nil), s.rooms...)
	s.mu.Unlock()
	if !open {
		return state, false
	}
	state.Since, state.Used = s.node.wall(since), s.used()
	state.Rooms = make([]hub.Stay, len(rooms))
	for i, m := range rooms {
		state.Rooms[i] = m.Stay()
	}
	return state, true
}

// beginning returns when the user was let in, in Unix milliseconds.
func (s *Session) beginning() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.wall(s.since).UnixMilli()
}

// wall returns when the node's clock showed so many seconds.
func (n *Node) wall(seconds uint32) time.Time {
	return time.Now().Add(time.Duration(seconds)*time.Second - time.Duration(n.clock())).Truncate(time.Second)
}

// ClientError returns what a client sees of an error of the layers below; what it must not see is logged.
func (n *Node) ClientError(err error) *protocol.Error { return clientError(n.Logger, err) }

// Durability says how the node's engine keeps messages.
func (n *Node) Durability() string { return n.durability }
