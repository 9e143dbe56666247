package engineio

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// phase is how far a WebSocket has come.
type phase = uint32

const (
	untried  phase = iota // it was opened for a connection that requests carry
	tried                 // the client has seen that it works
	carrying              // it carries the connection
)

// web is one WebSocket: the bytes of a connection, or of one that it may come to carry. It implements conn.Handler below
// and ws.Sink for itself.
type web struct {
	socket  conn.Conn
	conn    *Conn
	decoder *ws.Decoder   // nil while no frame is half received
	early   *[]byte       // what goes out with the answer to the upgrade; nil afterwards. The connection's lock guards it
	phase   atomic.Uint32 // a phase; changed with the connection locked
	peerBye bool          // the peer's close frame has come; the reader's
	bye     bool          // our close frame went out with early, as its end; the connection's lock guards it
	deaf    bool          // what came was no frame, and nothing behind it is; the reader's
	held    atomic.Bool   // nothing is to be read until Conn.Resume
	opened  time.Time
}

// Received implements conn.Handler.
func (w *web) Received(p []byte) int {
	c := w.conn
	if w.phaseNow() == carrying {
		c.hear()
	}
	if w.deaf {
		return len(p)
	}
	if w.held.Load() {
		return 0 // the last that was taken was all that there was, so that the socket went on
	}
	n, err := c.transport.decode.Load().Decode(&w.decoder, p, w)
	if err == nil {
		return n
	}
	w.fail(err)
	return len(p)
}

func (w *web) phaseNow() phase { return w.phase.Load() }

// fail closes the WebSocket for what the peer sent, after what came before.
func (w *web) fail(err *ws.CloseError) {
	c := w.conn
	w.deaf = true
	switch err.Code {
	case ws.CloseTooBig:
		c.transport.Metrics.Add(metrics.ClosedTooBig, 1)
	case ws.ClosePolicy:
		c.transport.Metrics.Add(metrics.ClosedParts, 1)
	case ws.CloseTryAgain:
		c.transport.Metrics.Add(metrics.ClosedHalf, 1)
	}
	if w.phaseNow() != carrying {
		w.socket.Abort(err)
		return
	}
	c.dieBy(func() { c.Close(protocol.CloseCode(err.Code), err.Reason, 0) })
}

// Writable implements conn.Handler.
func (w *web) Writable() {
	if w.phaseNow() == carrying {
		w.conn.talk.Writable()
	}
}

// Closed implements conn.Handler.
func (w *web) Closed(err error) {
	c := w.conn
	if w.decoder != nil {
		w.decoder.Release()
		w.decoder = nil
	}
	c.mu.Lock()
	mine := c.web == w
	if c.poll != nil && c.poll.trial == w {
		c.poll.trial = nil
	}
	c.mu.Unlock()
	if mine {
		c.end(c.ended(err))
	}
}

// Control implements ws.Sink.
func (w *web) Control(op ws.Opcode, payload []byte) bool {
	c := w.conn
	if op != ws.Close {
		c.control(len(payload))
	}
	switch op {
	case ws.Ping:
		w.socket.Send(ws.AppendFrame(nil, ws.Pong, payload)) // one that does not fit is not needed
	case ws.Close:
		w.peerBye = true
		answer := ws.AppendFrame(nil, ws.Close, payload[:min(len(payload), 2)])
		switch {
		case w.phaseNow() != carrying:
			w.socket.Finish(answer)
		case c.ending.CompareAndSwap(nil, peerEnding(payload)):
			c.talk.Then(func() { w.socket.Finish(answer) })
		default:
			w.socket.Abort(io.EOF) // both have said goodbye
		}
	}
	return true
}

// peerEnding says how a connection ends whose peer sent a close frame. A page that is left says so by one.
func peerEnding(payload []byte) *ending {
	code, _ := ws.ParseClose(payload)
	if code == 0 {
		code = ws.CloseNoStatus
	}
	return &ending{code: protocol.CloseCode(code), reason: "closed by the client", at: time.Now()}
}

// Message implements ws.Sink.
func (w *web) Message(op ws.Opcode, payload []byte) bool {
	c := w.conn
	switch {
	case w.peerBye:
		return true
	case w.phaseNow() != carrying:
		w.probe(op, payload)
		return true
	case op == ws.Binary:
		return w.packet(eio.Packet{Type: eio.Message, Binary: true, Data: payload})
	}
	packet, err := eio.ParsePacket(payload)
	if err != nil {
		c.Malformed(err.Error())
		return true
	}
	return w.packet(packet)
}

// packet takes one packet, and holds what follows where that has to wait: Resume may come before this is known.
func (w *web) packet(p eio.Packet) (more bool) {
	w.held.Store(true)
	if more = w.conn.packet(p); more {
		w.held.Store(false)
	}
	return more
}

// finish sends the close frame as the last one. The connection is locked.
func (w *web) finish(code ws.CloseCode, reason string) {
	frame := ws.AppendFrame(nil, ws.Close, ws.AppendClose(nil, code, reason))
	if w.early != nil {
		*w.early, w.bye = append(*w.early, frame...), true
		return
	}
	w.socket.Finish(frame)
}

// takeOver hands the request's connection to the poller, with the answer to the upgrade and what was said first in one
// write.
func (t *Transport) takeOver(rw http.ResponseWriter, w *web) bool {
	nc, early, err := conn.Hijack(rw)
	if err != nil {
		t.Logger.Warn("an upgrade failed", "error", err)
		return false
	}
	c := w.conn
	c.mu.Lock()
	hello := *w.early
	*w.early = nil
	c.mu.Unlock()
	_ = nc.SetDeadline(time.Now().Add(ioTimeout)) // fails with the connection, as the write does
	if _, err := nc.Write(hello); err != nil {
		_ = nc.Close()
		return false
	}
	_ = nc.SetDeadline(time.Time{})
	if err := t.Poller.Adopt(&w.socket, nc, early, w); err != nil {
		t.Logger.Warn("a connection could not be taken over", "error", err)
		return false
	}
	c.mu.Lock()
	rest := *w.early
	w.early = nil
	if len(rest) > 0 {
		w.socket.Send(rest) // one that fails is gone, and is told so
	}
	if w.bye {
		w.socket.Finish(nil)
	}
	over := c.over.Load() || t.closed.Load()
	c.mu.Unlock()
	if over { // meanwhile, when there was no socket to end yet
		w.socket.Abort(errGone)
		return true
	}
	if w.phaseNow() == carrying {
		c.talk.Writable()
	}
	return true
}
