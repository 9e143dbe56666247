// Package socketio speaks Socket.IO, version 5 (https://github.com/socketio/socket.io-protocol), over the connections of
// Engine.IO: unchanged clients of Socket.IO sit in the same rooms as everybody else. Each namespace that a client
// connects to is a session; what the client emits are its requests, and what its session is told are events.
//
// The client's own recovery needs no state here: where it stands travels with every event, and comes back when it
// connects again, to whichever node (recovery.go).
package socketio

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// Options are the settings of a Speech.
type Options struct {
	Node           *session.Node // required
	Logger         *slog.Logger  // required
	Namespaces     []string      // besides the main one: one segment each, without slash
	ConnectTimeout time.Duration // for a client to connect to a namespace; required
	MaxMessage     int           // bytes of a packet with its attachments; required
	MaxAttachments int           // of one packet; required
	Recovery       bool          // positions travel with events
	// EventsOnly leaves the protocol's words to the application: every event is its own, and clients are told of nothing
	// that they do not know from other servers of Socket.IO.
	EventsOnly bool
	// Connect is asked before a client is connected to a namespace, with what it presented (auth); nil is no hook. What it
	// sends to the session follows the answer.
	Connect func(ctx context.Context, s *session.Session, auth json.RawMessage) *protocol.Error
}

// Bounds of one connection.
const (
	maxRefusals       = 8                // namespaces that it was not connected to
	maxCalls          = 256              // acknowledgements that one session waits for
	attachmentTimeout = 30 * time.Second // for the attachments of a packet
)

// Speech implements engineio.Speech.
type Speech struct {
	Options
	limits     atomic.Pointer[eio.Limits]
	rechecks   atomic.Uint32
	namespaces map[string]*namespace
	ctx        context.Context // of what is under way; ends with Close
	cancel     context.CancelCauseFunc
	work       work
}

// New returns a speech. Close ends it.
func New(o Options) *Speech {
	s := &Speech{Options: o, namespaces: make(map[string]*namespace)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.SetMaxMessage(o.MaxMessage)
	s.namespaces["/"] = newNamespace(s, "")
	for _, name := range o.Namespaces {
		s.namespaces["/"+name] = newNamespace(s, name)
	}
	return s
}

// CheckNamespace reports whether name can be that of a namespace: 1 to 64 bytes of `A-Z a-z 0-9 _ -`.
func CheckNamespace(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if letter := 'a' <= c|0x20 && c|0x20 <= 'z'; !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// SetMaxMessage replaces the bound of a packet with its attachments, in bytes.
func (s *Speech) SetMaxMessage(n int) {
	s.limits.Store(&eio.Limits{Attachments: s.MaxAttachments, Bytes: n, Depth: protocol.MaxDepth})
}

// Open implements engineio.Speech.
func (s *Speech) Open(c *engineio.Conn, pass *gate.Pass) engineio.Talk {
	return &talk{
		speech: s, conn: c, identity: pass.Identity, token: pass.Token, exposed: pass.Exposed, idle: time.Now().UnixNano(),
	}
}

// Sessions returns the sessions, one for each namespace that the client is in.
func (t *talk) Sessions() []*session.Session {
	peers := t.all()
	sessions := make([]*session.Session, len(peers))
	for i, p := range peers {
		sessions[i] = &p.session
	}
	return sessions
}

// Recheck has those sessions see anew what they may do that are on their way to their connection's; it is called before
// the transport's, which has the others do so.
func (s *Speech) Recheck() { s.rechecks.Add(1) }

// Recheck has the sessions see anew what they may do.
func (t *talk) Recheck() {
	for _, p := range t.all() {
		p.session.Recheck()
	}
}

// Close ends what is under way and returns when it has ended, or ctx has.
func (s *Speech) Close(ctx context.Context) error {
	s.cancel(context.Canceled)
	return s.work.stop(ctx)
}

// work is the goroutines in which clients are connected to namespaces.
type work struct {
	mu    sync.Mutex
	group sync.WaitGroup
	over  bool
}

// start runs f, unless the speech has ended.
func (w *work) start(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.group.Go(f)
	}
}

func (w *work) stop(ctx context.Context) error {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
