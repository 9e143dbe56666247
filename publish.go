package wireroom

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Bytes is a binary payload for Publish.
type Bytes []byte

// PublishOptions say how a message is published.
type PublishOptions struct {
	From      protocol.Sender // whom the message is from; zero is the server itself
	Event     string          // the application's name for the message; at most 64 bytes
	Key       string          // idempotency key: stored once for From.User and room within engine.KeyWindow; at most 64 bytes
	Ephemeral bool            // deliver it, store nothing
	Exclude   string          // the client that the live copy is not delivered to
}

// Publish publishes a message in a room and waits until it is stored. data becomes the message's JSON, or its binary
// payload if it is Bytes. At most one PublishOptions is looked at. An error is a *protocol.Error where a client would
// get that one.
func (s *Server) Publish(ctx context.Context, room string, data any, options ...PublishOptions) (*protocol.Published, error) {
	var o PublishOptions
	if len(options) > 0 {
		o = options[0]
	}
	m := &protocol.Message{Room: room, From: o.From, Event: o.Event, Key: o.Key, Exclude: o.Exclude}
	if err := fill(m, data); err != nil {
		return nil, err
	}
	type outcome struct {
		receipt engine.Receipt
		err     error
	}
	done := make(chan outcome, 1)
	p := &engine.Publication{Message: m, Ephemeral: o.Ephemeral, Owner: o.From.User}
	begun, size := s.node.Begun(), len(m.Data)+len(m.Bytes)
	s.hub.Publish(ctx, p, func(r engine.Receipt, err error) {
		s.node.Count(begun, size, r, err)
		done <- outcome{r, err}
	})
	s.hub.Flush()
	select {
	case got := <-done:
		published, failure := s.node.Receipt(room, got.receipt, got.err)
		if failure != nil {
			return nil, fmt.Errorf("publish in %q: %w", room, failure)
		}
		return published, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("publish in %q: %w", room, context.Cause(ctx))
	}
}

// fill gives m its payload and checks what clients' messages are checked for.
func fill(m *protocol.Message, data any) error {
	switch {
	case !protocol.CheckRoom(m.Room):
		return &protocol.Error{Code: protocol.CodeInvalidRoom, Message: "not the name of a room", Field: "room"}
	case len(m.Event) > protocol.MaxEventLen:
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: "longer than 64 bytes", Field: "event"}
	case len(m.Key) > protocol.MaxEventLen:
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: "longer than 64 bytes", Field: "key"}
	}
	if payload, ok := data.(Bytes); ok {
		m.Bytes = append(make([]byte, 0, len(payload)), payload...)
		return nil
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("publish in %q: %w", m.Room, err)
	}
	m.Data = encoded
	return nil
}

// Kick puts a user out of a room and forbids joining it for some time; 0 is 60 seconds.
func (s *Server) Kick(ctx context.Context, room, user, reason string, duration time.Duration) error {
	if duration <= 0 {
		duration = time.Minute
	}
	return s.hub.Kick(ctx, room, user, reason, duration)
}

// Members returns the users in a room after the name next, at most limit (0 is 100), in the order of their names,
// with the number of all, and where more follow the name to continue with.
func (s *Server) Members(room, next string, limit int) (*protocol.Presence, error) {
	if limit <= 0 {
		limit = protocol.MaxMembers
	}
	return s.hub.Members(room, next, limit)
}

// History reads a part of a room's log.
func (s *Server) History(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	return s.hub.History(ctx, room, q)
}

// Users returns how many users are connected to all nodes of the engine, each of them once: of other nodes as of a moment
// ago.
func (s *Server) Users() int { return s.node.Users() }

// Counts returns how many sessions and how many users are connected to this node.
func (s *Server) Counts() (sessions, users int) { return s.node.Counts() }
