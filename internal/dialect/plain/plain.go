// Package plain speaks an application's own dialect over the connections of Engine.IO: each message is a frame of it, and
// each connection a session.
package plain

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// Dialect is what clients speak: wireroom.Dialect.
type Dialect interface {
	Decode(frame []byte, binary bool, r *protocol.Request) *protocol.Error
	Encode(p protocol.Push) (frame []byte, binary bool)
	Reply(r *protocol.Reply) (frame []byte, binary bool)
}

// Speech implements engineio.Speech.
type Speech struct {
	Node    *session.Node // required
	Dialect Dialect       // required; its panics are the caller's to catch
}

// Open implements engineio.Speech.
func (s *Speech) Open(c *engineio.Conn, pass *gate.Pass) engineio.Talk {
	t := &talk{speech: s, conn: c, exposed: pass.Exposed}
	t.session.Open(s.Node, t, pass.Identity, pass.Token)
	t.session.Start()
	return t
}

// talk is a client's session. It implements engineio.Talk below, and session.Outlet above.
type talk struct {
	session session.Session
	speech  *Speech
	conn    *engineio.Conn
	exposed bool
}

var requests = sync.Pool{New: func() any { return new(protocol.Request) }}

// Received implements engineio.Talk.
func (t *talk) Received(message []byte, binary bool) (more bool) {
	r := requests.Get().(*protocol.Request)
	defer requests.Put(r)
	*r = protocol.Request{}
	err := t.speech.Dialect.Decode(message, binary, r)
	switch {
	case err != nil:
		t.session.Malformed(r, err)
		return true
	case r.Kind == protocol.KindOther && len(r.Type) == 0:
		return true
	}
	return t.session.Receive(r)
}

// Then implements engineio.Talk.
func (t *talk) Then(f func()) { t.session.Then(f) }

// Writable implements engineio.Talk.
func (t *talk) Writable() { t.session.Writable() }

// Tick implements engineio.Talk.
func (t *talk) Tick(now time.Time) { t.session.Tick(now.Unix()) }

// Drain implements engineio.Talk.
func (t *talk) Drain(retry time.Duration) {
	t.Push(&protocol.Draining{ReconnectAfter: retry.Seconds()})
}

// Closed implements engineio.Talk.
func (t *talk) Closed(e session.Ended) {
	t.session.Close(e)
	t.conn.Forged(t.session.Forged())
}

// Sessions returns the session.
func (t *talk) Sessions() []*session.Session { return []*session.Session{&t.session} }

// Recheck implements engineio.Talk.
func (t *talk) Recheck() { t.session.Recheck() }

// Exposed implements session.Exposed.
func (t *talk) Exposed() bool { return t.exposed }

// Resume implements session.Outlet.
func (t *talk) Resume() { t.conn.Resume() }

// Ready implements session.Outlet.
func (t *talk) Ready() bool { return t.conn.Ready() }

// Close implements session.Outlet.
func (t *talk) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	t.conn.Close(code, reason, retry)
}

// Reply implements session.Outlet.
func (t *talk) Reply(r *protocol.Reply) { t.send(t.speech.Dialect.Reply(r)) }

// Push implements session.Outlet.
func (t *talk) Push(p protocol.Push) { t.send(t.speech.Dialect.Encode(p)) }

// send sends a frame to this client alone; nil is none.
func (t *talk) send(frame []byte, binary bool) {
	if frame == nil {
		return
	}
	b := t.conn.Begin()
	add(&b, frame, binary)
	sent := b.Send()
	b.End()
	if !sent {
		t.conn.Overflow()
	}
}

// add adds a frame to a batch.
func add(b *engineio.Batch, frame []byte, binary bool) {
	if binary {
		b.Binary(frame)
		return
	}
	b.Text([]byte{byte(eio.Message)}, frame)
}

// Framing implements session.Outlet.
func (t *talk) Framing() hub.Framing { return t.speech }

// AppendFrame implements hub.Framing: what a room holds, in the order in which it is sent, each behind its length and
// whether it is binary.
func (s *Speech) AppendFrame(dst []byte, p protocol.Push) []byte {
	frame, binary := s.Dialect.Encode(p)
	if frame == nil {
		return dst
	}
	return appendRecord(dst, frame, binary)
}

// Deliver implements session.Outlet.
func (t *talk) Deliver(handed conn.Frames, unless *atomic.Bool) conn.Outcome {
	frames := handed.Bytes
	if len(frames) == 0 {
		return conn.Sent
	}
	b := t.conn.Begin()
	defer b.End()
	for len(frames) > 0 {
		var frame []byte
		var binary bool
		frame, binary, frames = nextRecord(frames)
		add(&b, frame, binary)
	}
	return b.Write(unless)
}
