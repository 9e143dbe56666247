package wireroom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/dialect/socketio"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Session is one client's stay on one connection, as an application's code sees it. Its methods may be called at
// once; after the connection ended they do nothing.
type Session struct {
	inner *session.Session
	free  bool // the protocol's own types are the application's
}

// session returns a session as an application's code sees it.
func (s *Server) session(inner *session.Session) *Session {
	return &Session{inner, s.options.SocketIO.EventsOnly}
}

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

// Send sends an envelope of an application's own type to this session alone, with v as JSON in its data: of several
// values as an array. A client of Socket.IO gets an event with them as its arguments, those that are []byte as binary
// values. It is queued, not waited for.
func (s *Session) Send(kind string, v ...any) error {
	a, err := argumentsOf(v)
	if err != nil {
		return fmt.Errorf("send %q: %w", kind, err)
	}
	return s.send(kind, &a)
}

// Emit is Send with arguments as a Message has them.
func (s *Session) Emit(kind string, args []json.RawMessage, attachments [][]byte) error {
	a := arguments{args, attachments}
	if err := a.check(); err != nil {
		return fmt.Errorf("send %q: %w", kind, err)
	}
	return s.send(kind, &a)
}

func (s *Session) send(kind string, a *arguments) error {
	if err := s.mayName(kind); err != nil {
		return fmt.Errorf("send %q: %w", kind, err)
	}
	s.Push(&protocol.Custom{Kind: kind, Data: a.data(), Args: a.args, Attachments: a.attachments})
	return nil
}

// errName reports a type that an application may not use.
var errName = errors.New("no type for an application's own envelopes")

func (s *Session) mayName(kind string) error {
	if protocol.CheckType(kind) && !socketio.Reserved(kind) || s.free && protocol.CheckEvent(kind) && !socketio.Reserved(kind) {
		return nil
	}
	return errName
}

// Call sends an event as Send does and waits for the client to acknowledge it, until ctx ends; give it a deadline. The
// Message has what the client answered. Only clients of Socket.IO can: for others the error is errors.ErrUnsupported.
// A client may owe 256 acknowledgements.
func (s *Session) Call(ctx context.Context, kind string, v ...any) (Message, error) {
	caller, ok := s.inner.Outlet().(session.Caller)
	if !ok {
		return Message{}, fmt.Errorf("call %q: %w", kind, errors.ErrUnsupported)
	}
	a, err := argumentsOf(v)
	if err == nil {
		err = s.mayName(kind)
	}
	if err != nil {
		return Message{}, fmt.Errorf("call %q: %w", kind, err)
	}
	type outcome struct {
		answer *protocol.Answer
		err    error
	}
	done := make(chan outcome, 1)
	cancel := caller.Call(&protocol.Custom{Kind: kind, Args: a.args, Attachments: a.attachments}, func(got *protocol.Answer, err error) {
		done <- outcome{got, err}
	})
	select {
	case got := <-done:
		if got.err != nil {
			return Message{}, fmt.Errorf("call %q: %w", kind, got.err)
		}
		m := Message{Type: kind, Args: got.answer.Args, Attachments: got.answer.Attachments, reply: new(protocol.Answer)}
		if len(m.Args) > 0 {
			m.Data = m.Args[0]
		}
		if len(m.Attachments) > 0 {
			m.Bytes = m.Attachments[0]
		}
		return m, nil
	case <-ctx.Done():
		cancel()
		return Message{}, fmt.Errorf("call %q: %w", kind, context.Cause(ctx))
	}
}

// Namespace returns the namespace of a client of Socket.IO, "/" or a name behind a slash; "" of others.
func (s *Session) Namespace() string {
	if named, ok := s.inner.Outlet().(interface{ Namespace() string }); ok {
		return named.Namespace()
	}
	return ""
}

// Push sends an envelope to this session alone. It is queued, not waited for.
func (s *Session) Push(p protocol.Push) { s.inner.Outlet().Push(p) }

// JoinOptions say how a session joins a room.
type JoinOptions struct {
	Last     int  // how many of the newest messages to deliver first
	Presence bool // deliver presence events
}

// Join makes the session a member of a room, as if its client had asked for it, but without a reply to it. Messages
// may be delivered before Join returns. A join of the client's own that follows is answered like any other: it tells
// where the client stands, and replays what it asks for; where it asks for nothing delivery goes on where it was.
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
