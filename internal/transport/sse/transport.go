// Package sse carries sessions to browsers and programs as streams of server-sent events (WHATWG HTML, section 9.2):
// one GET request with the rooms and where the client stands in them, answered without end. The bytes are carried by
// internal/conn, as those of WebSocket are.
package sse

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// Options are the settings of a Transport; all are required.
type Options struct {
	Node         *session.Node
	Poller       *conn.Poller // the caller's
	Gate         *gate.Gate
	Logger       *slog.Logger
	PingInterval time.Duration
}

// Deadlines of a stream.
const (
	joinTimeout  = 10 * time.Second // for the rooms to be joined
	closeTimeout = 5 * time.Second  // after the last event, for the peer to close
	stallTimeout = 30 * time.Second // for a full socket to take anything
	writeTimeout = 10 * time.Second // for the head of the answer
)

// comeBack is the most after which a client is asked to come back whose stream ended, unless something else was said.
const comeBack = 3 * time.Second

// Transport is an http.Handler that answers requests with streams. Its methods may be called at once.
type Transport struct {
	Options
	framing  stateless.Framing
	buffers  stateless.Buffers
	table    sweep.Table[*stream]
	draining atomic.Bool
	opening  atomic.Int32 // streams that are being opened
	rechecks atomic.Uint32
}

// New returns a transport. Close ends it.
func New(o Options) *Transport {
	t := &Transport{Options: o}
	t.framing.Body = appendEvent
	t.table.News = o.Node.Bans
	t.table.Start(o.Node.Hub.Flush)
	return t
}

// ServeHTTP implements http.Handler.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !stateless.Begin(w, r, t.Gate, http.MethodGet) {
		return
	}
	if opened := t.serve(w, r); opened != nil {
		opened.wait()
	}
}

// serve answers a request; where the handler must not return yet it returns what to wait for.
func (t *Transport) serve(w http.ResponseWriter, r *http.Request) *response {
	t.opening.Add(1)
	defer t.opening.Add(-1)
	if t.draining.Load() {
		t.sayComeBack(w, sweep.Retry(comeBack), &protocol.Draining{ReconnectAfter: comeBack.Seconds()})
		return nil
	}
	pass, refusal := t.Gate.Admit(r, gate.Connection)
	if refusal != nil {
		t.refuse(w, refusal.Status, refusal.Err)
		return nil
	}
	if pass.Identity == nil {
		pass.Seat.Release(0)
		t.refuse(w, http.StatusUnauthorized, &protocol.Error{Code: protocol.CodeUnauthorized, Message: "a token is needed"})
		return nil
	}
	ask, failure := stateless.Parse(r, pass.Identity.User)
	switch {
	case failure != nil:
		pass.Seat.Release(0)
		t.Node.Refused(failure)
		t.refuse(w, http.StatusBadRequest, failure)
		return nil
	case ask.Stopped:
		pass.Seat.Release(0)
		stateless.RefuseRooms(w, protocol.CodeForbidden)
		return nil
	}
	return t.open(w, r, ask, pass)
}

// refuse answers a request that gets no stream. An EventSource stops for good at any status but 200, so that one which
// shall come back gets a stream that ends.
func (t *Transport) refuse(w http.ResponseWriter, status int, err *protocol.Error) {
	if !err.Code.Retryable() {
		stateless.Refuse(w, status, err)
		return
	}
	t.sayComeBack(w, retryOf(err), &stateless.Failure{Err: err})
}

// retryOf returns after how long to come back after an error.
func retryOf(err *protocol.Error) time.Duration {
	if err.RetryAfter > 0 {
		return time.Duration(err.RetryAfter * float64(time.Second))
	}
	return sweep.Retry(comeBack)
}

// sayComeBack answers with a stream that says why, and when to come back, and ends.
func (t *Transport) sayComeBack(w http.ResponseWriter, retry time.Duration, why ...protocol.Push) {
	body := appendRetry(nil, retry)
	for _, p := range why {
		body = append(appendEvent(body, p), '\n')
	}
	setHeader(w.Header())
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(body, '\n')) // whoever asked may be gone
}

// Drain refuses new streams and asks the clients of those that are open to come back, each after a time of its own. It
// returns when they are gone or ctx has ended.
func (t *Transport) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.table.Drain(ctx, &t.opening) // those that were let in before are sent elsewhere, too
}

// errShutDown is why streams end that a drain left behind.
var errShutDown = errors.New("the server was shut down")

// Close ends every stream at once.
func (t *Transport) Close() error {
	t.draining.Store(true)
	t.table.Stop()
	for _, s := range t.table.All() {
		s.socket.Abort(errShutDown)
	}
	return nil
}

// Recheck has every session see anew what it may do.
func (t *Transport) Recheck() {
	t.rechecks.Add(1) // for those that are on their way into the table
	for _, s := range t.table.All() {
		s.session.Recheck()
	}
}

// Len returns the number of streams.
func (t *Transport) Len() int { return t.table.Len() }

// Sessions calls yield with each session and where it comes from, until it returns false; it reports whether yield
// never did.
func (t *Transport) Sessions(yield func(*session.Session, netip.Prefix) bool) bool {
	for _, s := range t.table.All() {
		if !yield(&s.session, s.seat.Network()) {
			return false
		}
	}
	return true
}
