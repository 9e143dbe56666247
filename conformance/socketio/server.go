package main

import (
	"context"
	"encoding/json"
	"sync"
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
	greetings := new(greetings)
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
			OnConnect: greetings.note,
		},
		Hooks: wireroom.Hooks{OnOpen: greetings.send, OnDisconnect: greetings.forget},
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

// greetings tell clients what they presented. The suites begin to listen for that when they have seen that they are
// connected, and would not hear it if both came together: it follows a moment after that.
type greetings struct{ presented sync.Map } // by client

func (g *greetings) note(_ context.Context, s *wireroom.Session, auth json.RawMessage) error {
	g.presented.Store(s.Client(), auth)
	return nil
}

// send is called when the client has been told that it is connected.
func (g *greetings) send(_ context.Context, s *wireroom.Session) error {
	auth, ok := g.presented.LoadAndDelete(s.Client())
	if !ok { // a client of Engine.IO
		return nil
	}
	time.AfterFunc(greetingDelay, func() {
		_ = s.Emit("auth", []json.RawMessage{auth.(json.RawMessage)}, nil) // it is JSON, and came from a client that may be gone
	})
	return nil
}

func (g *greetings) forget(s *wireroom.Session, _ protocol.CloseCode, _ string) {
	g.presented.Delete(s.Client())
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
