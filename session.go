package wireroom

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Session is one client's stay on one connection, as an application's code sees it. Its methods may be called at
// once; after the connection ended they do nothing.
type Session struct{ inner *session.Session }

// Client returns the random name of the client, which the messages it publishes carry.
func (s *Session) Client() string { return s.inner.Client().ID }

// User returns who the client is.
func (s *Session) User() string { return s.inner.Client().User }

// Name returns the user's display name, or "".
func (s *Session) Name() string { return s.inner.Client().Name }

// SetName changes the display name of an anonymous user who is in no room.
func (s *Session) SetName(name string) error { return s.inner.SetName(name) }

// Identity returns what is known of the user; nil before the client has authenticated.
func (s *Session) Identity() *auth.Identity { return s.inner.Identity() }

// Rooms returns the names of the rooms that the session is in.
func (s *Session) Rooms() []string { return s.inner.Rooms() }

// Send sends an envelope of an application's own type to this session alone, with v as JSON in its data. It is
// queued, not waited for.
func (s *Session) Send(kind string, v any) error {
	if !protocol.CheckType(kind) {
		return fmt.Errorf("send %q: no type for an application's own envelopes", kind)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("send %q: %w", kind, err)
	}
	s.Push(&protocol.Custom{Kind: kind, Data: data})
	return nil
}

// Push sends an envelope to this session alone. It is queued, not waited for.
func (s *Session) Push(p protocol.Push) { s.inner.Outlet().Push(p) }

// JoinOptions say how a session joins a room.
type JoinOptions struct {
	Last     int  // how many of the newest messages to deliver first
	Presence bool // deliver presence events
}

// Join makes the session a member of a room, as if its client had asked for it, but without a reply to it. Messages
// may be delivered before Join returns.
func (s *Session) Join(ctx context.Context, room string, o JoinOptions) (protocol.Joined, error) {
	var joined protocol.Joined
	if !protocol.CheckRoom(room) {
		return joined, &protocol.Error{Code: protocol.CodeInvalidRoom, Message: "not the name of a room", Field: "room"}
	}
	q := hub.JoinRequest{Room: room, Last: o.Last, Presence: o.Presence}
	err := s.inner.Join(ctx, q, func(j *protocol.Joined) { joined = *j })
	return joined, err
}

// Leave ends the session's membership of a room; it reports whether there was one.
func (s *Session) Leave(room string) bool { return s.inner.Leave(room) }

// Close ends the connection with a close code and a reason of at most 100 bytes; with a retry the client is asked to
// come back after that time.
func (s *Session) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	s.inner.Outlet().Close(code, reason, retry)
}
