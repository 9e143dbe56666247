package wireroom

import (
	"context"
	"net/http"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Decision is what Hooks.OnPermit says.
type Decision = session.Decision

// The decisions.
const (
	ByRule  = session.ByRule // the room's rule decides
	Allowed = session.Allowed
	Denied  = session.Denied
)

// Hooks are an application's code at the turning points of a session; nil is none. They are fixed at New and may be
// called at once for different sessions.
//
// Those that return an error decide: a *protocol.Error reaches the client as it is, any other is logged and becomes
// internal. A hook that decides makes its own session wait, and no other.
type Hooks struct {
	// OnConnect is asked before the upgrade. It may refuse, and may change who the client is: what it returns replaces
	// identity, which is nil for a client that has to authenticate yet.
	OnConnect func(ctx context.Context, r *http.Request, identity *auth.Identity) (*auth.Identity, error)
	// OnOpen is called when a session begins, right after its welcome, before any of its requests; with an error the
	// connection is closed with protocol.CloseForbidden.
	OnOpen func(ctx context.Context, s *Session) error
	// OnDisconnect is told how a session ended, after its OnLeave calls.
	OnDisconnect func(s *Session, code protocol.CloseCode, reason string)
	// OnPermit decides whether a session may do one thing in a room (auth.Join, auth.Publish, auth.Presence or
	// auth.History), before the room's rule or in its place. It is asked every time, nothing is remembered; and about
	// auth.Join again for each room when the session's token is refreshed. Nobody but its user is let into an inbox,
	// whatever it says.
	OnPermit func(ctx context.Context, s *Session, verb auth.Verb, room string) (Decision, error)
	// OnJoin is asked before a session joins a room.
	OnJoin func(ctx context.Context, s *Session, room string) error
	// OnLeave is told when a session is out of a room, for whatever reason.
	OnLeave func(s *Session, room string)
	// OnPublish is asked before a session's message is stored. It may change Data, Bytes and Event of m.
	OnPublish func(ctx context.Context, s *Session, m *protocol.Message) error
	// OnFirstMember is told when a room gets its first member on this node, OnLastMember when it loses its last one;
	// in that order for one room. They are not told of a change that was undone before they were.
	OnFirstMember func(room string)
	OnLastMember  func(room string)
}
