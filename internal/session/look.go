package session

import (
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// State is what can be seen of a session.
type State struct {
	Client    hub.Client
	Anonymous bool
	Since     time.Time // when the user was let in
	Rooms     []Place   // in the order in which they were joined
}

// Place is one membership of a session.
type Place struct {
	Room   string `json:"room"`
	Behind bool   `json:"behind"` // messages wait for the client's socket
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
	state.Since = time.Now().Add(time.Duration(since)*time.Second - time.Duration(s.node.clock())).Truncate(time.Second)
	state.Rooms = make([]Place, len(rooms))
	for i, m := range rooms {
		state.Rooms[i] = Place{m.Room(), m.Behind()}
	}
	return state, true
}

// ClientError returns what a client sees of an error of the layers below; what it must not see is logged.
func (n *Node) ClientError(err error) *protocol.Error { return clientError(n.Logger, err) }

// Durability says how the node's engine keeps messages.
func (n *Node) Durability() string { return n.durability }
