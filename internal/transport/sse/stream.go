package sse

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/protocol"
)

// maxReceived is how many bytes a client may send behind its request, which asks for nothing more.
const maxReceived = 4 << 10

// Codes of streams that were not ended from this side.
const closeAbnormal protocol.CloseCode = 1006

var errTalks = errors.New("a stream's client sends bytes")

// stream is one stream: all that the transport keeps of it, in one piece of memory. It implements conn.Handler below
// and session.Outlet above. Locks are taken in this order: a room of the hub, mu, the connection's.
type stream struct {
	socket    conn.Conn
	session   session.Session
	transport *Transport
	seat      gate.Seat
	ending    atomic.Pointer[ending]
	stalled   atomic.Uint32 // since when the socket takes nothing; 0 while it does
	nextPing  uint32        // by the table's clock; the sweep's
	place     sweep.Place
	received  uint16 // bytes behind the request; the reader's
	jsonPings bool

	mu      sync.Mutex       // held while something is sent: what is sent tells where the client stands
	vector  stateless.Vector // as of what was sent last
	opening *opening         // nil once the client gets what rooms hold
	rest    *rest            // nil while everything that was taken has been sent
}

// ending is how a stream is ended from this side.
type ending struct {
	code   protocol.CloseCode
	reason string
	retry  time.Duration
	at     time.Time
}

// Error implements error: an ending is why a connection is aborted that is slow to close.
func (e *ending) Error() string { return fmt.Sprintf("ended with %d %s", e.code, e.reason) }

// ended returns how the session of the stream ended.
func (e *ending) ended() session.Ended {
	return session.Ended{Code: e.code, Reason: e.reason, Retry: e.retry, Clean: e.code == protocol.CloseNormal}
}

// Received implements conn.Handler.
func (s *stream) Received(p []byte) int {
	if len(p) > maxReceived-int(s.received) {
		s.socket.Abort(errTalks)
		return len(p)
	}
	s.received += uint16(len(p))
	return len(p)
}

// Writable implements conn.Handler.
func (s *stream) Writable() {
	s.stalled.Store(0)
	if s.sendRest() {
		s.session.Writable()
	}
}

// Closed implements conn.Handler.
func (s *stream) Closed(err error) {
	if e := s.ending.Load(); e != nil {
		s.end(e.ended())
		return
	}
	reason := "connection lost"
	if err != nil && err != io.EOF {
		reason = err.Error()
	}
	s.end(session.Ended{Code: closeAbnormal, Reason: reason})
}

// end ends the session of a stream that is gone.
func (s *stream) end(how session.Ended) {
	s.transport.table.Remove(s)
	s.session.Close(how)
	s.seat.Release(how.Blame())
}

// Framing implements session.Outlet.
func (s *stream) Framing() hub.Framing { return &s.transport.framing }

// endEvent ends an event that moves the client to a position of a room, if there is one. The stream is locked.
func (s *stream) endEvent(b, room []byte, position protocol.Position) []byte {
	if len(room) > 0 && s.vector.Move(room, position) {
		b = appendID(b, &s.vector)
	}
	return append(b, '\n')
}

// Ready implements session.Outlet.
func (s *stream) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opening == nil && s.rest == nil && s.socket.Ready()
}

// Resume implements session.Outlet: a stream is not read.
func (s *stream) Resume() {}

// Reply implements session.Outlet. The only requests of a stream are for its rooms.
func (s *stream) Reply(r *protocol.Reply) { s.tell(stateless.JoinReply(r), true) }

// Push implements session.Outlet.
func (s *stream) Push(p protocol.Push) { s.tell(p, false) }

// tell sends p. The reply to a join counts once it is there to be sent: the stream may go on at once.
func (s *stream) tell(p protocol.Push, reply bool) {
	b := s.transport.buffers.Lend()
	b.Bytes = appendEvent(b.Bytes, p)
	room, position := stateless.Target(p)
	s.mu.Lock()
	b.Bytes = s.endEvent(b.Bytes, []byte(room), position)
	sent := s.send(b.Bytes, reply)
	if reply && s.opening != nil {
		s.opening.note(p)
	}
	s.mu.Unlock()
	s.transport.buffers.Return(b)
	if !sent && s.ending.Load() == nil {
		s.Close(protocol.CloseSlowConsumer, "slow_consumer", 0)
	}
}

// send sends events to this stream alone. It reports false when the client leaves so much unread that they do not fit,
// or is gone. The stream is locked.
func (s *stream) send(events []byte, reply bool) bool {
	if s.opening != nil {
		return s.opening.keep(events, reply)
	}
	return s.socket.Send(events)
}

// Close implements session.Outlet.
func (s *stream) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	e := &ending{code: code, reason: reason, retry: retry, at: time.Now()}
	if !s.ending.CompareAndSwap(nil, e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening != nil {
		s.opening.decide()
		return
	}
	s.socket.Finish(e.last(nil))
}

// last appends the last event of a stream. One that shall come back is told when; one that shall not is given an id
// with which it is sent away should it come all the same, as an EventSource does.
func (e *ending) last(b []byte) []byte {
	if err := stateless.ErrorOf(e.code, e.reason, e.retry); err != nil && e.code != protocol.CloseDraining {
		b = appendEvent(b, &stateless.Failure{Err: err})
	}
	if stateless.Stops(e.code) {
		return append(b, "id: "+stateless.Stop+"\n\n"...)
	}
	retry := e.retry
	if retry == 0 {
		retry = sweep.Retry(comeBack)
	}
	return append(appendRetry(b, retry), '\n')
}

// Place implements sweep.Entry.
func (s *stream) Place() *sweep.Place { return &s.place }

// Drain implements sweep.Entry.
func (s *stream) Drain(most time.Duration) {
	retry := max(sweep.Retry(most), time.Millisecond)
	s.Push(&protocol.Draining{ReconnectAfter: retry.Seconds()})
	s.Close(protocol.CloseDraining, string(protocol.CodeDraining), retry)
}

// LookAfter implements sweep.Entry: it keeps the connection alive, and ends one that is stalled or slow to close.
func (s *stream) LookAfter(clock uint32, now time.Time) {
	if e := s.ending.Load(); e != nil {
		if now.Sub(e.at) > closeTimeout {
			s.socket.Abort(e)
		}
		return
	}
	s.session.Tick(now.Unix())
	if s.stalls(clock) {
		s.Close(protocol.CloseSlowConsumer, "slow_consumer", 0)
		return
	}
	if s.nextPing == 0 {
		s.nextPing = clock + sweep.Spread(s.transport.PingInterval)
	}
	if clock >= s.nextPing {
		s.nextPing = clock + sweep.Spread(s.transport.PingInterval)
		s.ping()
	}
}

// stalls reports whether the socket has been full for too long without taking anything.
func (s *stream) stalls(clock uint32) bool {
	switch since := s.stalled.Load(); {
	case s.socket.Ready():
		s.stalled.Store(0)
	case since == 0:
		s.stalled.Store(clock)
	default:
		return clock-since > uint32(stallTimeout/time.Second)
	}
	return false
}

// ping keeps what is in between from taking the stream for dead, in the way that its client can see.
func (s *stream) ping() {
	if s.jsonPings {
		s.Push(&protocol.Ping{})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send([]byte(comment), false) // one that does not fit is not needed: the socket is full
}
