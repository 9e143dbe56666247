package session

import (
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// Observer is told of the turning points of sessions that no client can be asked about later. It decides nothing. Its
// methods must not block, and may be called at once.
type Observer interface {
	// Ended tells how a session that was open ended, and since when its user was let in, in Unix milliseconds. What
	// became of its memberships the hub's observer was told before.
	Ended(c hub.Client, since int64, e Ended)
	// Refused tells that a client, or a user who has none yet, was refused something.
	Refused(c hub.Client, r Refusal)
}

// Refusal is something that a client wanted and was refused.
type Refusal struct {
	What string // one of the Wanted... below
	Room string // empty for a connection
	Err  *protocol.Error
}

// What clients want.
const (
	WantedConnection = "connect"
	WantedJoin       = "join"
	WantedPublish    = "publish"
)

// refused tells the observer that a request was refused, if it is one of those that it is told of.
func (s *Session) refused(r *protocol.Request, err *protocol.Error) {
	if s.node.Observer == nil || !protocol.CheckRoom(r.Room) {
		return
	}
	switch r.Kind {
	case protocol.KindJoin:
		s.denied(WantedJoin, string(r.Room), err)
	case protocol.KindPublish:
		s.denied(WantedPublish, string(r.Room), err)
	}
}

// denied tells the observer that the client was refused something in a room.
func (s *Session) denied(what, room string, err *protocol.Error) {
	if s.node.Observer != nil {
		s.node.Observer.Refused(s.Client(), Refusal{what, room, err})
	}
}

// turnedAway tells the observer that a user was not let in, where there is a reason, and returns that.
func (n *Node) turnedAway(user string, err *protocol.Error) *protocol.Error {
	if err != nil && n.Observer != nil {
		n.Observer.Refused(hub.Client{User: user}, Refusal{What: WantedConnection, Err: err})
	}
	return err
}

// ended tells the observer how the session ended.
func (s *Session) ended(e Ended) {
	if s.node.Observer != nil {
		s.node.Observer.Ended(s.Client(), s.beginning(), e)
	}
}
