// Package websocket carries sessions over WebSocket (RFC 6455): the upgrade, frames from bytes and bytes from frames,
// liveness. The protocol's parts without I/O are in internal/wire/ws, the bytes in internal/conn.
package websocket

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// Dialect is what clients speak, if not the native words: wireroom.Dialect.
type Dialect interface {
	Decode(frame []byte, binary bool, r *protocol.Request) *protocol.Error
	Encode(p protocol.Push) (frame []byte, binary bool)
	Reply(r *protocol.Reply) (frame []byte, binary bool)
}

// Options are the settings of a Transport.
type Options struct {
	Node         *session.Node // required
	Gate         *gate.Gate    // required
	Poller       *conn.Poller  // required; the caller's
	Logger       *slog.Logger  // required
	Dialect      Dialect       // nil is the native one
	PingInterval time.Duration // required
	MaxMessage   int           // bytes; required
	MaxParts     int           // frames of a message; 0 is no limit
	Half         *ws.Budget    // of messages that have come in part; nil is no bound
	Metrics      *metrics.Set  // nil counts nothing
	Compress     bool          // offer permessage-deflate
}

// Deadlines of a connection.
const (
	pongTimeout  = 10 * time.Second // after a ping, for a sign of life
	closeTimeout = 5 * time.Second  // after our close frame, for the peer's
	stallTimeout = 30 * time.Second // for a full socket to take anything
	writeTimeout = 10 * time.Second // for the answer to the upgrade
)

// The windows that this side compresses with, as binary logarithms (RFC 7692, section 7.1.2.1).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// errShutDown is why connections end that a drain left behind.
var errShutDown = errors.New("the server was shut down")

// Transport is an http.Handler that upgrades requests to sessions over WebSocket.
type Transport struct {
	Options
	plain    *framing
	deflated [maxWindowBits + 1]*framing  // by the window that the client asked for
	deflate  *ws.DeflatePolicy            // nil declines permessage-deflate
	decode   atomic.Pointer[[2]ws.Config] // without and with it
	table    sweep.Table[*connection]
	draining atomic.Bool
	opening  atomic.Int32 // upgrades under way
	rechecks atomic.Uint32
}

// New returns a transport. Close ends it.
func New(o Options) *Transport {
	if o.Dialect != nil {
		o.Dialect = &guarded{o.Dialect, o.Logger}
	}
	t := &Transport{Options: o}
	t.plain = &framing{dialect: o.Dialect}
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		t.deflated[bits] = &framing{dialect: o.Dialect, deflater: &ws.Deflater{WindowBits: bits}}
	}
	t.SetLimits(o.MaxMessage, o.MaxParts)
	if o.Compress {
		t.deflate = &ws.DeflatePolicy{WindowBits: minWindowBits}
	}
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
	plain := ws.Config{MaxMessage: maxMessage, MaxFragments: maxParts, Budget: t.Half}
	deflated := plain
	deflated.Deflate = true
	t.decode.Store(&[2]ws.Config{plain, deflated})
}

// Drain refuses new connections and tells those that are open to come back, each after a time of its own: they are
// closed in waves over half of the time that ctx leaves, 30 seconds at the most. It returns when they are gone or ctx
// has ended.
func (t *Transport) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.table.Drain(ctx, &t.opening) // those that were let in before are sent elsewhere, too
}

// Close ends every connection at once.
func (t *Transport) Close() error {
	t.draining.Store(true)
	t.table.Stop()
	for _, c := range t.table.All() {
		c.socket.Abort(errShutDown)
	}
	return nil
}

// Recheck has every session see anew what it may do.
func (t *Transport) Recheck() {
	t.rechecks.Add(1) // for those that are on their way into the table
	for _, c := range t.table.All() {
		c.session.Recheck()
	}
}

// Len returns the number of connections.
func (t *Transport) Len() int { return t.table.Len() }

// Sessions calls yield with each session and where it comes from, until it returns false; it reports whether yield
// never did.
func (t *Transport) Sessions(yield func(*session.Session, netip.Prefix) bool) bool {
	for _, c := range t.table.All() {
		if !yield(&c.session, c.seat.Network()) {
			return false
		}
	}
	return true
}
