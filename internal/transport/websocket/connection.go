package websocket

import (
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/sweep"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// connection is one WebSocket connection: all that the transport keeps of it, in one piece of memory. It implements
// conn.Handler below, ws.Sink for itself, and session.Outlet above.
type connection struct {
	socket    conn.Conn
	session   session.Session
	seat      gate.Seat
	transport *Transport
	framing   *framing
	decoder   *ws.Decoder             // nil while no frame is half received
	opening   atomic.Pointer[opening] // nil once the poller has the connection
	ending    atomic.Pointer[ending]
	place     sweep.Place
	heard     atomic.Uint32 // when the peer gave a sign of life
	stalled   atomic.Uint32 // since when the socket takes nothing; 0 while it does
	live      liveness      // the sweep's
	jsonPing  bool
	exposed   bool               // others can read what the client sends
	peerBye   protocol.CloseCode // the code of the peer's close frame; 0 before. The reader's
}

// ending is how a connection is closed from this side.
type ending struct {
	code   protocol.CloseCode
	reason string
	retry  time.Duration
	at     time.Time
}

// Error implements error: an ending is why a connection is aborted that is slow to close.
func (e *ending) Error() string { return fmt.Sprintf("closed with %d %s", e.code, e.reason) }

// Received implements conn.Handler.
func (c *connection) Received(p []byte) int {
	c.opened() // before anything is answered, or joined: what rooms hold goes to the socket itself
	c.heard.Store(c.transport.table.Clock())
	if !c.session.MayRead() {
		return 0 // the request behind which nothing is to be read was all that had come, so that the socket went on
	}
	n, err := c.config().Decode(&c.decoder, p, c)
	if err == nil {
		return n
	}
	c.fail(err)
	return len(p)
}

// opened has what was said while the connection was opening go out, once the poller has it.
func (c *connection) opened() {
	if o := c.opening.Load(); o != nil {
		o.end(&c.socket)
		c.opening.Store(nil)
	}
}

// fail closes the connection for what the peer sent, after the requests that came before.
func (c *connection) fail(err *ws.CloseError) {
	switch err.Code {
	case ws.CloseTooBig:
		c.transport.Metrics.Add(metrics.ClosedTooBig, 1)
	case ws.ClosePolicy:
		c.transport.Metrics.Add(metrics.ClosedParts, 1)
	case ws.CloseTryAgain:
		c.transport.Metrics.Add(metrics.ClosedHalf, 1)
	}
	e := &ending{code: protocol.CloseCode(err.Code), reason: err.Reason, at: time.Now()}
	if c.ending.CompareAndSwap(nil, e) {
		c.session.Then(func() { c.finish(e) })
	}
}

// config returns how the connection's frames are read.
func (c *connection) config() *ws.Config {
	configs := c.transport.decode.Load()
	if c.framing.deflater != nil {
		return &configs[1]
	}
	return &configs[0]
}

// Writable implements conn.Handler.
func (c *connection) Writable() {
	c.stalled.Store(0)
	c.session.Writable()
}

// Closed implements conn.Handler.
func (c *connection) Closed(err error) {
	c.transport.table.Remove(c)
	c.over(c.ended(err))
	if c.decoder != nil {
		c.decoder.Release()
		c.decoder = nil
	}
}

// lost ends a connection that the poller does not have.
func (c *connection) lost(err error) {
	c.transport.table.Remove(c)
	c.over(session.Ended{Code: closeAbnormal, Reason: err.Error()})
}

// over ends what stands above the connection.
func (c *connection) over(e session.Ended) {
	c.session.Close(e)
	c.seat.Failed(c.session.Forged())
	c.seat.Release(e.Blame())
}

// ended says how the connection ended.
func (c *connection) ended(err error) session.Ended {
	if e := c.ending.Load(); e != nil {
		return session.Ended{Code: e.code, Reason: e.reason, Retry: e.retry, Clean: e.code == protocol.CloseNormal}
	}
	reason := "connection lost"
	if err != nil && err != io.EOF {
		reason = err.Error()
	}
	return session.Ended{Code: closeAbnormal, Reason: reason}
}

// closeAbnormal is the code of a connection that ended without a close frame (RFC 6455, section 7.1.5).
const closeAbnormal protocol.CloseCode = 1006

// Control implements ws.Sink.
func (c *connection) Control(op ws.Opcode, payload []byte) bool {
	if op != ws.Close && c.ending.Load() == nil {
		c.session.Control(len(payload))
	}
	switch op {
	case ws.Ping:
		if c.ending.Load() == nil {
			c.send(ws.AppendFrame(nil, ws.Pong, payload))
		}
	case ws.Close:
		c.peerClosed(payload)
	}
	return true
}

// peerClosed answers the peer's close frame with the same code, after the requests that came before, unless it
// answers ours.
func (c *connection) peerClosed(payload []byte) {
	code, _ := ws.ParseClose(payload)
	c.peerBye = protocol.CloseCode(code)
	if code == 0 {
		c.peerBye = closeNoStatus
	}
	bye := &ending{code: c.peerBye, reason: "closed by the client", at: time.Now()}
	if !c.ending.CompareAndSwap(nil, bye) {
		c.socket.Abort(io.EOF) // both have said goodbye
		return
	}
	answer := ws.AppendFrame(nil, ws.Close, payload[:min(len(payload), 2)])
	c.session.Then(func() { c.sendLast(answer) })
}

// closeNoStatus is the code of a close frame that has none (RFC 6455, section 7.1.5).
const closeNoStatus protocol.CloseCode = 1005

// Message implements ws.Sink.
func (c *connection) Message(op ws.Opcode, payload []byte) bool {
	if c.ending.Load() != nil || c.peerBye != 0 {
		return true
	}
	if c.transport.Dialect != nil {
		return c.receiveDialect(payload, op == ws.Binary)
	}
	return c.receiveNative(payload, op == ws.Binary)
}

// Framing implements session.Outlet.
func (c *connection) Framing() hub.Framing { return c.framing }

// Deliver implements session.Outlet.
func (c *connection) Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome {
	if len(frames.Bytes) == 0 {
		return conn.Sent
	}
	return c.socket.WriteFrames(frames, unless)
}

// Ready implements session.Outlet.
func (c *connection) Ready() bool { return c.socket.Ready() }

// Exposed implements session.Exposed.
func (c *connection) Exposed() bool { return c.exposed }

// Resume implements session.Outlet.
func (c *connection) Resume() { c.socket.Resume() }

// Reply implements session.Outlet.
func (c *connection) Reply(r *protocol.Reply) {
	b := frames.Get().(*frameBuffer)
	c.send(b.reply(c.framing, r))
	frames.Put(b)
}

// Push implements session.Outlet.
func (c *connection) Push(p protocol.Push) {
	b := frames.Get().(*frameBuffer)
	b.bytes = c.framing.AppendFrame(b.bytes[:0], p)
	c.send(b.bytes)
	frames.Put(b)
}

// send sends a frame to this connection alone. A client that leaves so much unread that it does not fit is closed.
func (c *connection) send(frame []byte) {
	if len(frame) == 0 {
		return
	}
	if !c.takes(frame) && c.ending.Load() == nil {
		c.closeSlow()
	}
}

// takes gives a frame to the socket, or keeps it until the poller has that; it reports whether it fits.
func (c *connection) takes(frame []byte) bool {
	if o := c.opening.Load(); o != nil {
		if opening, fits := o.say(frame); opening {
			return fits
		}
	}
	return c.socket.Send(frame)
}

// sendLast sends a frame as the last one.
func (c *connection) sendLast(frame []byte) {
	if o := c.opening.Load(); o == nil || !o.sayLast(frame) {
		c.socket.Finish(frame)
	}
}

// closeSlow ends a connection whose client leaves too much unread.
func (c *connection) closeSlow() {
	c.transport.Metrics.Add(metrics.ClosedSlow, 1)
	c.Close(protocol.CloseSlowConsumer, "slow_consumer", 0)
}

// Close implements session.Outlet.
func (c *connection) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	e := &ending{code: code, reason: reason, retry: retry, at: time.Now()}
	if !c.ending.CompareAndSwap(nil, e) {
		return
	}
	c.finish(e)
}

// finish sends the close frame as the last one.
func (c *connection) finish(e *ending) {
	reason := e.reason
	if e.retry > 0 {
		reason += ";retry=" + strconv.FormatFloat(e.retry.Seconds(), 'f', 1, 64)
	}
	c.sendLast(ws.AppendFrame(nil, ws.Close, ws.AppendClose(nil, ws.CloseCode(e.code), reason)))
}

// Place implements sweep.Entry.
func (c *connection) Place() *sweep.Place { return &c.place }

// Drain implements sweep.Entry.
func (c *connection) Drain(most time.Duration) {
	retry := sweep.Retry(most)
	c.Push(&protocol.Draining{ReconnectAfter: retry.Seconds()})
	c.Close(protocol.CloseDraining, string(protocol.CodeDraining), max(retry, time.Millisecond))
}
