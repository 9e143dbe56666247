package wireroom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/internal/dialect/plain"
	"github.com/wireroom/wireroom/internal/dialect/socketio"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/protocol"
)

// SocketIO says how clients of Socket.IO are served (Socket.IO protocol 5 over Engine.IO protocol 4: versions 3 and 4 of
// socket.io-client, and whatever speaks as they do). The zero value serves them at DefaultSocketIOPath: in the main
// namespace, with the words of docs/socketio.md, and with the client's own recovery.
type SocketIO struct {
	// Paths are where they are served. Nil is DefaultSocketIOPath, or none where there is a Dialect. Empty is none.
	Paths []string
	// Namespaces besides the main one, each a segment of 1 to 64 bytes of `A-Z a-z 0-9 _ -`, without slash. The rooms of a
	// client in one have its name and a slash in front; those of the main one, and inboxes, have not.
	Namespaces []string
	// EventsOnly leaves the words to the application, as other servers of Socket.IO do: there is no welcome, every event
	// that a client emits is for a handler ("join" and "publish", too; for those nobody handles nothing happens), and a
	// message of a room reaches its clients as an event of the message's name with its data.
	EventsOnly bool
	// NoRecovery leaves out what the client's connection state recovery needs: an argument at the end of each event.
	NoRecovery bool
	// OnConnect is asked before a client is connected to a namespace, with the object that it presented (auth), {} if it
	// did not. With an error the client gets connect_error: a *protocol.Error as it is, its Message as the error's message;
	// any other is logged and becomes internal. What it sends to the session follows the client's connect event.
	OnConnect func(ctx context.Context, s *Session, auth json.RawMessage) error

	PingInterval   time.Duration // 0 is Options.PingInterval
	PingTimeout    time.Duration // after a ping, for a sign of life; 0 is 20 s
	ConnectTimeout time.Duration // for a client to connect to a namespace; 0 is 45 s
	UpgradeTimeout time.Duration // for a client to go over to WebSocket once it has begun to; 0 is 10 s
	MaxPayload     int           // bytes of one request over HTTP; 0 is 1,000,000. A message is bounded by Limits.MaxMessage
	MaxAttachments int           // binary values of one event, at most 64; 0 is 10
}

// EngineIO says how clients of Engine.IO are served that do not speak Socket.IO. The zero value serves none.
type EngineIO struct {
	// Paths are where they are served; each message is a frame of Options.Dialect, or of Raw if there is none.
	Paths []string

	PingInterval   time.Duration // as those of SocketIO
	PingTimeout    time.Duration
	UpgradeTimeout time.Duration
	MaxPayload     int
}

// Defaults of SocketIO and EngineIO.
const (
	DefaultSocketIOPath   = "/socket.io/"
	defaultPingTimeout    = 20 * time.Second
	defaultConnectTimeout = 45 * time.Second
	defaultUpgradeTimeout = 10 * time.Second
	defaultMaxPayload     = 1_000_000
	defaultAttachments    = 10
	mostAttachments       = 64
)

// orDefault puts a default in the place of 0.
func orDefault[T int | time.Duration](value *T, standard T) {
	if *value == 0 {
		*value = standard
	}
}

// setSocketIO sets what was left to its default, and returns an error for what cannot be.
func (o *Options) setSocketIO() error {
	s, e := &o.SocketIO, &o.EngineIO
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&s.PingInterval, o.PingInterval},
		{&s.PingTimeout, defaultPingTimeout},
		{&s.ConnectTimeout, defaultConnectTimeout},
		{&s.UpgradeTimeout, defaultUpgradeTimeout},
		{&e.PingInterval, o.PingInterval},
		{&e.PingTimeout, defaultPingTimeout},
		{&e.UpgradeTimeout, defaultUpgradeTimeout},
	} {
		if orDefault(d.value, d.standard); *d.value < 0 {
			return errors.New("Options.SocketIO, Options.EngineIO: a time is negative")
		}
	}
	orDefault(&s.MaxPayload, defaultMaxPayload)
	orDefault(&e.MaxPayload, defaultMaxPayload)
	orDefault(&s.MaxAttachments, defaultAttachments)
	if s.MaxPayload < 0 || e.MaxPayload < 0 || s.MaxAttachments < 0 || s.MaxAttachments > mostAttachments {
		return errors.New("Options.SocketIO, Options.EngineIO: a bound is out of range")
	}
	for i, name := range s.Namespaces {
		if !socketio.CheckNamespace(name) {
			return fmt.Errorf("Options.SocketIO.Namespaces: %q is no namespace", name)
		}
		for _, other := range s.Namespaces[:i] {
			if name == other {
				return fmt.Errorf("Options.SocketIO.Namespaces: %q stands there twice", name)
			}
		}
	}
	return nil
}

// engines are the transports for clients of Engine.IO.
type engines struct {
	socketio *engineio.Transport
	speech   *socketio.Speech
	plain    *engineio.Transport
}

func (s *Server) newEngines() engines {
	o, e := &s.options, engines{}
	e.speech = socketio.New(socketio.Options{
		Node: s.node, Logger: o.Logger, Namespaces: o.SocketIO.Namespaces, ConnectTimeout: o.SocketIO.ConnectTimeout,
		MaxMessage: o.Limits.MaxMessage, MaxAttachments: o.SocketIO.MaxAttachments,
		Recovery: !o.SocketIO.NoRecovery, EventsOnly: o.SocketIO.EventsOnly, Connect: s.onNamespace(),
	})
	common := engineio.Options{
		Node: s.node, Gate: s.gate, Poller: s.poller, Logger: o.Logger, Metrics: s.metrics,
		MaxMessage: o.Limits.MaxMessage, MaxParts: o.Limits.MaxParts, PendingBytes: o.Limits.PendingBytes, Half: &s.half,
	}
	own := common
	own.Speech, own.MaxPayload = e.speech, o.SocketIO.MaxPayload
	own.PingInterval, own.PingTimeout = o.SocketIO.PingInterval, o.SocketIO.PingTimeout
	own.UpgradeTimeout = o.SocketIO.UpgradeTimeout
	e.socketio = engineio.New(own)
	if len(o.EngineIO.Paths) == 0 {
		return e
	}
	dialect := o.Dialect
	if dialect == nil {
		dialect = Raw
	}
	common.Speech, common.MaxPayload = &plain.Speech{Node: s.node, Dialect: plain.Guard(dialect, o.Logger)}, o.EngineIO.MaxPayload
	common.PingInterval, common.PingTimeout = o.EngineIO.PingInterval, o.EngineIO.PingTimeout
	common.UpgradeTimeout = o.EngineIO.UpgradeTimeout
	e.plain = engineio.New(common)
	return e
}

// onNamespace returns the hook that is asked before a client is connected to a namespace, with its error as the client
// sees it.
func (s *Server) onNamespace() func(context.Context, *session.Session, json.RawMessage) *protocol.Error {
	hook := s.options.SocketIO.OnConnect
	if hook == nil {
		return nil
	}
	return func(ctx context.Context, inner *session.Session, auth json.RawMessage) *protocol.Error {
		err := hook(ctx, s.session(inner), auth)
		var own *protocol.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &own):
			return own
		}
		s.options.Logger.Error("the connect hook of a namespace failed", "error", err)
		return protocol.ErrInternal
	}
}

// all returns the transports that there are.
func (e *engines) all() []*engineio.Transport {
	if e.plain == nil {
		return []*engineio.Transport{e.socketio}
	}
	return []*engineio.Transport{e.socketio, e.plain}
}

// drain sends the clients of all of them elsewhere, at once.
func (e *engines) drain(ctx context.Context) error {
	done := make(chan error)
	for _, t := range e.all() {
		go func() { done <- t.Drain(ctx) }()
	}
	var err error
	for range e.all() {
		err = errors.Join(err, <-done)
	}
	return err
}

// close ends them.
func (e *engines) close(ctx context.Context) error {
	var err error
	for _, t := range e.all() {
		err = errors.Join(err, t.Close())
	}
	return errors.Join(err, e.speech.Close(ctx))
}

// setLimits replaces the bounds of a message.
func (e *engines) setLimits(maxMessage, maxParts int) {
	e.speech.SetMaxMessage(maxMessage)
	for _, t := range e.all() {
		t.SetLimits(maxMessage, maxParts)
	}
}

// recheck has their sessions see anew what they may do.
func (e *engines) recheck() {
	e.speech.Recheck()
	for _, t := range e.all() {
		t.Recheck()
	}
}
