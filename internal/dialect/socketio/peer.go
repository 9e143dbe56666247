package socketio

import (
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// peer is a client in one namespace: all that is kept of it, in one piece of memory. It implements session.Outlet.
type peer struct {
	session session.Session
	talk    *talk
	space   *namespace
	over    atomic.Bool
	leaving bool // the client has said that it leaves; the reader's

	silenced atomic.Bool // this side has ended the session

	// The connection's lock guards the rest: what is sent tells where the client stands.
	closed  bool     // nothing is said any more
	opening *opening // nil once the client is connected to the namespace
	rest    *rest    // nil while everything that was taken has been sent
	stands  stands
	calls   calls
}

// opening is what is said to a client before it is told that it is connected.
type opening struct {
	pushes []protocol.Push
	why    *protocol.Error // it is not to be connected
}

// maxOpening is how many events may be sent to a client before it is connected.
const maxOpening = 256

// Framing implements session.Outlet.
func (p *peer) Framing() hub.Framing { return p.space }

// Exposed implements session.Exposed.
func (p *peer) Exposed() bool { return p.talk.exposed }

// Resume implements session.Outlet.
func (p *peer) Resume() { p.talk.resume() }

// Namespace returns the name of the namespace, "/" or one that begins with it.
func (p *peer) Namespace() string { return p.space.name }

// Reply implements session.Outlet.
func (p *peer) Reply(r *protocol.Reply) {
	b := p.talk.conn.Begin()
	if p.closed {
		b.End()
		return
	}
	switch result := r.Result.(type) {
	case *protocol.Joined:
		if r.Err == nil {
			p.joined(&b, result)
		}
	case *protocol.Left:
		if r.Err == nil && p.stands.leave(result.Room) {
			p.tellPosition(&b)
		}
	}
	p.space.appendReply(&b, p, r)
	sent := b.Send()
	b.End()
	if !sent {
		p.talk.conn.Overflow()
	}
}

// joined notes where the client stands in a room, and tells it. The connection is locked.
func (p *peer) joined(b *engineio.Batch, j *protocol.Joined) {
	if j.Already || p.closed || !p.talk.speech.Recovery {
		return
	}
	p.stands.join(j.Room, j.Position, j.WithPresence)
	if p.opening == nil {
		p.tellPosition(b)
	}
}

// tellPosition tells the client where it stands. The connection is locked.
func (p *peer) tellPosition(b *engineio.Batch) {
	head := eio.Head{Kind: eio.Event, Namespace: p.space.name}
	b.Text(append(head.Append(nil), `["position"`...), p.suffix())
}

// Joined implements session.Follower.
func (p *peer) Joined(j *protocol.Joined) {
	b := p.talk.conn.Begin()
	defer b.End()
	p.joined(&b, j)
	b.Send() // one that does not fit is told by the next event
}

// Left implements session.Follower.
func (p *peer) Left(room string) {
	b := p.talk.conn.Begin()
	defer b.End()
	if p.stands.leave(room) && !p.closed {
		p.tellPosition(&b)
		b.Send() // one that does not fit is told by the next event
	}
}

// Push implements session.Outlet.
func (p *peer) Push(push protocol.Push) {
	b := p.talk.conn.Begin()
	if p.opening != nil {
		if len(p.opening.pushes) < maxOpening {
			p.opening.pushes = append(p.opening.pushes, push)
		}
		b.End()
		return
	}
	sent := p.send(&b, push)
	b.End()
	if !sent {
		p.talk.conn.Overflow()
	}
}

// send sends an event to this client alone. The connection is locked.
func (p *peer) send(b *engineio.Batch, push protocol.Push) bool {
	if kicked, ok := push.(*protocol.Kicked); ok {
		p.stands.leave(kicked.Room)
	}
	record := p.space.AppendFrame(nil, push)
	if len(record) == 0 || p.closed {
		return true
	}
	r, _ := stateless.Next(record)
	p.appendRecord(b, r)
	return b.Send()
}

// Close implements session.Outlet. Where the client shall stop it is disconnected from the namespace, otherwise from all.
func (p *peer) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	b := p.talk.conn.Begin()
	if p.opening != nil {
		if p.opening.why == nil {
			p.opening.why = refusalOf(code, reason, retry)
		}
		b.End()
		return
	}
	if err := stateless.ErrorOf(code, reason, retry); err != nil && code != protocol.CloseDraining {
		p.send(&b, &stateless.Failure{Err: err})
		b.Reset()
	}
	stop := code.Advice() == protocol.AdviceStop || code == protocol.CloseUnauthorized
	closed := p.closed
	if stop && !closed {
		head := eio.Head{Kind: eio.Disconnect, Namespace: p.space.name}
		b.Text(head.Append(nil))
		b.Send() // the last one
		p.closed = true
	}
	b.End()
	switch {
	case closed: // the client may be in other namespaces
		return
	case !stop:
		p.talk.conn.Close(code, reason, retry)
		return
	}
	p.session.Then(func() {
		p.talk.silence(p, session.Ended{Code: code, Reason: reason, Retry: retry, Clean: code == protocol.CloseNormal})
	})
}

// refusalOf returns why a client is not connected whose session was closed.
func refusalOf(code protocol.CloseCode, reason string, retry time.Duration) *protocol.Error {
	if err := stateless.ErrorOf(code, reason, retry); err != nil {
		return err
	}
	return &protocol.Error{Code: protocol.CodeForbidden, Message: reason}
}

// refusal returns why the client is not to be connected, or nil.
func (p *peer) refusal() *protocol.Error {
	b := p.talk.conn.Begin()
	defer b.End()
	return p.opening.why
}

// welcome tells the client that it is connected, and what was said meanwhile, and lets it have what rooms hold. What
// comes first goes out by itself: clients of events begin to listen for the second when they have seen it.
func (p *peer) welcome() {
	b := p.talk.conn.Begin()
	head := eio.Head{Kind: eio.Connect, Namespace: p.space.name}
	text := append(head.Append(nil), `{"sid":"`...)
	text = append(append(text, p.session.Client().ID...), '"')
	if p.talk.speech.Recovery {
		text = append(append(append(text, `,"pid":"`...), p.stands.pid...), '"')
	}
	b.Text(append(text, '}'))
	sent := b.Send()
	why, pushes := p.opening.why, p.opening.pushes
	p.opening = nil
	for _, push := range pushes {
		b.Reset()
		sent = p.send(&b, push) && sent
	}
	b.End()
	p.session.Start()
	p.session.Placed()
	switch {
	case why != nil && why.Code.Retryable():
		p.talk.sendAway(why)
	case why != nil:
		p.Close(protocol.CloseForbidden, why.Message, 0)
	case !sent:
		p.talk.conn.Overflow()
	default:
		p.session.Writable()
	}
}

// end ends the session.
func (p *peer) end(e session.Ended) {
	if !p.over.CompareAndSwap(false, true) {
		return
	}
	b := p.talk.conn.Begin()
	p.closed = true
	left := p.calls.take()
	b.End()
	for _, answer := range left {
		answer(nil, errEnded)
	}
	p.session.Calling(-len(left))
	p.session.Close(e)
	p.talk.conn.Forged(p.session.Forged())
}
