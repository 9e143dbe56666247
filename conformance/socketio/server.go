package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

// What the suites of the two protocols expect of a server.
const (
	pingInterval   = 300 * time.Millisecond
	pingTimeout    = 200 * time.Millisecond
	connectTimeout = time.Second
	maxPayload     = 1_000_000 // bytes
	greetingDelay  = 20 * time.Millisecond
)

// newServer returns the product's own server, set to what the suites expect: it echoes the messages of Engine.IO, and
// answers two events of Socket.IO in the namespaces / and /custom.
func newServer(ctx context.Context, pingInterval, pingTimeout time.Duration) (*wireroom.Server, error) {
	server, err := wireroom.New(ctx, wireroom.Options{
		Origins: []string{"*"},
		Limits: wireroom.Limits{
			MaxMessage: maxPayload, PublishRate: -1, ByteRate: -1,
			User: wireroom.UserLimits{ConnectRate: -1, Connections: -1},
		},
		EngineIO: wireroom.EngineIO{
			Paths: []string{"/engine.io/"}, PingInterval: pingInterval, PingTimeout: pingTimeout, MaxPayload: maxPayload,
		},
		SocketIO: wireroom.SocketIO{
			Namespaces: []string{"custom"}, EventsOnly: true, NoRecovery: true,
			PingInterval: pingInterval, PingTimeout: pingTimeout, ConnectTimeout: connectTimeout, MaxPayload: maxPayload,
			OnConnect: greet,
		},
	})
	if err != nil {
		return nil, err
	}
	server.Handle(wireroom.RawType, echo)
	server.Handle("message", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		return s.Emit("message-back", m.Args, m.Attachments)
	})
	server.Handle("message-with-ack", func(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
		return m.ReplyArgs(m.Args, m.Attachments)
	})
	return server, nil
}

// greet tells a client what it presented. The suites begin to listen for that when they have seen that they are connected,
// and would not hear it if both came together.
func greet(_ context.Context, s *wireroom.Session, auth json.RawMessage) error {
	time.AfterFunc(greetingDelay, func() {
		_ = s.Emit("auth", []json.RawMessage{auth}, nil) // it is JSON, and came from a client that may be gone
	})
	return nil
}

// echo sends a message of Engine.IO back as it came.
func echo(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
	event := ""
	if m.Text {
		event = wireroom.TextEvent
	}
	s.Push(&protocol.Message{Event: event, Bytes: m.Bytes})
	return nil
}
