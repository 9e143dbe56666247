package wireroom

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/dialect/socketio"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Message is a request of an application's own type. Its slices are the handler's.
type Message struct {
	Type string
	// Data is the request's data, nil when it has none. Of an event of Socket.IO it is the first argument.
	Data json.RawMessage
	// Bytes is the payload of a binary frame, and with the Raw dialect of every frame; nil in other requests. Of an event
	// of Socket.IO it is the first binary value.
	Bytes []byte
	// Args are the arguments of an event of Socket.IO, and otherwise Data alone. A binary value stands in them as
	// {"_placeholder":true,"num":n}, for Attachments[n].
	Args        []json.RawMessage
	Attachments [][]byte
	// Text tells with the Raw dialect that Bytes came in a text frame, as valid UTF-8.
	Text bool
	// Envelope is the whole request as it came, but for a binary frame's payload.
	Envelope json.RawMessage

	reply *protocol.Answer
}

// Reply sets what the client gets when the handler returns nil: in data, of several values as an array; a client of
// Socket.IO gets them as the arguments of its acknowledgement, those that are []byte as binary values. Without it the
// client gets a bare ok; and nothing at all if its request had no id.
func (m Message) Reply(v ...any) error {
	a, err := argumentsOf(v)
	if err != nil {
		return fmt.Errorf("reply to %q: %w", m.Type, err)
	}
	m.reply.Data, m.reply.Args, m.reply.Attachments = a.data(), a.args, a.attachments
	return nil
}

// ReplyArgs is Reply with arguments as a Message has them.
func (m Message) ReplyArgs(args []json.RawMessage, attachments [][]byte) error {
	a := arguments{args, attachments}
	if err := a.check(); err != nil {
		return fmt.Errorf("reply to %q: %w", m.Type, err)
	}
	m.reply.Data, m.reply.Args, m.reply.Attachments = a.data(), a.args, a.attachments
	return nil
}

// Handler answers the requests of one type. It runs outside of the event loop and may wait; later requests of the
// same connection wait for it. ctx ends when the server is closed. Of the errors a *protocol.Error reaches the client as it is; any other is logged and
// becomes internal.
type Handler func(ctx context.Context, s *Session, m Message) error

// handlers are the handlers by type: read by sessions, replaced as a whole by Handle.
type handlers struct {
	mu     sync.Mutex
	byType atomic.Pointer[map[string]session.Handler]
}

// add registers a handler; there is one for a type.
func (h *handlers) add(kind string, handler session.Handler) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]session.Handler)
	if old := h.byType.Load(); old != nil {
		maps.Copy(next, *old)
	}
	if next[kind] != nil {
		return false
	}
	next[kind] = handler
	h.byType.Store(&next)
	return true
}

// find returns the handler of a type, or nil.
func (h *handlers) find(kind string) session.Handler {
	if all := h.byType.Load(); all != nil {
		return (*all)[kind]
	}
	return nil
}

// Handle registers the handler for an application's own type of request, or for an event of Socket.IO. It panics when the
// type is one of the protocol's own (which it may be with SocketIO.EventsOnly, for clients of Socket.IO) or has a handler
// already, as http.Handle does: the program is wrong. It may be called while the server serves.
func (s *Server) Handle(kind string, handler Handler) {
	if !protocol.CheckType(kind) && (!s.options.SocketIO.EventsOnly || !protocol.CheckEvent(kind)) {
		panic(fmt.Sprintf("wireroom: %q is no type for an application's own requests", kind))
	}
	added := s.handlers.add(kind, func(ctx context.Context, inner *session.Session, r *protocol.Request) (protocol.Result, error) {
		m := messageOf(kind, r)
		if err := handler(ctx, s.session(inner), m); err != nil || m.reply.Data == nil && m.reply.Args == nil {
			return nil, err
		}
		return m.reply, nil
	})
	if !added {
		panic(fmt.Sprintf("wireroom: type %q has a handler already", kind))
	}
}

// messageOf returns a request as its handler gets it.
func messageOf(kind string, r *protocol.Request) Message {
	m := Message{
		Type: kind, Data: r.Data, Bytes: r.Bytes, Attachments: r.Attachments, Envelope: r.Raw,
		Text:  r.Bytes != nil && string(r.Event) == TextEvent,
		reply: new(protocol.Answer),
	}
	switch {
	case r.Args != nil:
		m.Args = socketio.Split(r.Args)
	case r.Data != nil:
		m.Args = []json.RawMessage{r.Data}
	}
	if r.Args == nil && r.Bytes != nil {
		m.Attachments = [][]byte{r.Bytes}
	}
	return m
}
