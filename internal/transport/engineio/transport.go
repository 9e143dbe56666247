// Package engineio carries messages over Engine.IO, version 4 (https://github.com/socketio/engine.io-protocol): over HTTP
// long-polling, over WebSocket, and through the upgrade from one to the other, as one connection. What the messages say
// is the business of a Speech. The protocol's parts without I/O are in internal/wire/eio, the bytes of WebSockets in
// internal/conn.
package engineio

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/secret"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

// Speech is what is spoken over the connections of a transport.
type Speech interface {
	// Open begins what is said on a connection whose request was let in with pass; its Seat is the transport's. What is
	// sent from within follows the handshake. It must not block.
	Open(c *Conn, pass *gate.Pass) Talk
}

// Talk is what is said on one connection. Its methods must not block. Received is never called at once with itself; any
// other method may be called at any time.
type Talk interface {
	// Received hands over a message, borrowed until it returns. It returns false when nothing more is to be read until
	// Conn.Resume.
	Received(message []byte, binary bool) (more bool)
	// Then runs f after what came before was handled.
	Then(f func())
	// Writable tells that the connection takes what rooms hold again.
	Writable()
	// Tick is called at least about once a second.
	Tick(now time.Time)
	// Drain asks the client to come back after some time; the connection ends then.
	Drain(retry time.Duration)
	// Closed is the last call: the connection is gone.
	Closed(e session.Ended)
}

// Options are the settings of a Transport; all but Metrics and Half are required.
type Options struct {
	Node           *session.Node
	Gate           *gate.Gate
	Poller         *conn.Poller // the caller's
	Logger         *slog.Logger
	Metrics        *metrics.Set // nil counts nothing
	Speech         Speech
	PingInterval   time.Duration
	PingTimeout    time.Duration // after a ping, for a sign of life
	UpgradeTimeout time.Duration // for an upgrade that began
	MaxPayload     int           // bytes of a request over HTTP
	MaxMessage     int           // bytes of one message
	MaxParts       int           // frames of a message; 0 is no limit
	Half           *ws.Budget    // of messages over WebSocket that have come in part; nil is no bound
	PendingBytes   int           // that a client leaves unread
}

// Deadlines of a connection.
const (
	closeTimeout  = 5 * time.Second  // after our goodbye, for the peer's
	stallTimeout  = 30 * time.Second // for a full socket to take anything
	ioTimeout     = 10 * time.Second // for an answer to be taken, and for a body to come
	flushGrace    = 50 * time.Millisecond
	handledWait   = 100 * time.Millisecond
	lingerTime    = time.Second
	shortestSweep = 10 * time.Millisecond
)

// Transport is an http.Handler that answers the requests of Engine.IO clients. Its methods may be called at once.
type Transport struct {
	Options
	decode   atomic.Pointer[ws.Config]
	table    sweep.Table[*Conn]
	buffers  stateless.Buffers
	birth    time.Time
	draining atomic.Bool
	closed   atomic.Bool
	opening  atomic.Int32 // requests that become connections

	mu   sync.Mutex
	byID map[secret.Mark]*Conn // those that are asked for by their id, which is as good as a password: over HTTP
}

// New returns a transport. Close ends it.
func New(o Options) *Transport {
	t := &Transport{Options: o, birth: time.Now(), byID: make(map[secret.Mark]*Conn)}
	t.SetLimits(o.MaxMessage, o.MaxParts)
	t.table.Period = min(max(min(o.PingInterval, o.PingTimeout)/20, shortestSweep), time.Second)
	t.table.News = o.Node.Bans
	t.table.Start(o.Node.Hub.Flush)
	return t
}

// SetLimits replaces the bounds of a message, for those that begin from now on: its bytes, and its frames, for which 0
// is no limit.
func (t *Transport) SetLimits(maxMessage, maxParts int) {
	if maxParts <= 0 {
		maxParts = -1
	}
	t.decode.Store(&ws.Config{MaxMessage: maxMessage + 1, MaxFragments: maxParts, Budget: t.Half}) // the type of its packet
}

// now returns nanoseconds that do not follow the wall clock when that is set.
func (t *Transport) now() int64 { return int64(time.Since(t.birth)) }

// add has a connection be looked after, which ends at once where the transport has been closed meanwhile.
func (t *Transport) add(c *Conn) {
	t.table.Add(c)
	c.talk.Tick(time.Now()) // somebody may have been kept out before
	if t.closed.Load() {
		c.abort(errShutDown)
	}
}

// find returns the connection with an id, or nil.
func (t *Transport) find(id string) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[secret.Of(id)]
}

// name makes a connection one that is found by its id.
func (t *Transport) name(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[secret.Of(c.id)] = c
}

// unname undoes that.
func (t *Transport) unname(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, secret.Of(c.id))
}

// Drain refuses new connections and asks those that are open to come back, each after a time of its own. It returns
// when they are gone or ctx has ended.
func (t *Transport) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.table.Drain(ctx, &t.opening) // those that were let in before are sent elsewhere, too
}

// errShutDown is why connections end that a drain left behind.
var errShutDown = errors.New("the server was shut down")

// Close ends every connection at once.
func (t *Transport) Close() error {
	t.draining.Store(true)
	t.closed.Store(true)
	t.table.Stop()
	for _, c := range t.table.All() {
		c.abort(errShutDown)
	}
	return nil
}

// Len returns the number of connections.
func (t *Transport) Len() int { return t.table.Len() }

// Recheck has every session see anew what it may do, if its Talk has a method to do so.
func (t *Transport) Recheck() {
	for _, c := range t.table.All() {
		if talk, ok := c.talk.(interface{ Recheck() }); ok {
			talk.Recheck()
		}
	}
}

// Sessions calls yield with each session and where it comes from, if its Talk has a method that tells, until it returns
// false; it reports whether yield never did.
func (t *Transport) Sessions(yield func(*session.Session, netip.Prefix) bool) bool {
	for _, c := range t.table.All() {
		talk, ok := c.talk.(interface{ Sessions() []*session.Session })
		if !ok {
			continue
		}
		for _, s := range talk.Sessions() {
			if !yield(s, c.seat.Network()) {
				return false
			}
		}
	}
	return true
}
