package post

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/protocol"
)

// maxAnswer bounds the replies to one body, in bytes: what a history or a presence has beyond it is asked for again.
const maxAnswer = 4 << 20

// maxPushed bounds what an application sends besides its replies, in envelopes.
const maxPushed = 64

// batch is the requests of one body and the replies to them, in the order of the requests. It implements
// session.Outlet.
type batch struct {
	session session.Session
	done    chan struct{} // closed when every request has its reply

	mu      sync.Mutex
	slots   []slot
	pushed  [][]byte // what is no reply
	waiting int      // replies
	bytes   int      // of the replies there are
	started bool     // all requests have been handed over
	over    bool     // nobody waits any more
}

// slot is one request.
type slot struct {
	id    []byte // as the client wrote it
	of    string
	reply []byte // nil while there is none
}

func newBatch(client string, identity *auth.Identity, node *session.Node) (*batch, *protocol.Error) {
	b := &batch{done: make(chan struct{})}
	b.session.SetClient(client)
	if err := b.session.Lend(node, b, identity); err != nil {
		return nil, err
	}
	return b, nil
}

// run hands the requests over, each with its number as the id, so that each gets a reply.
func (b *batch) run(parser *protocol.Parser) {
	var r protocol.Request
	for {
		ok, err := parser.Next(&r)
		if !ok {
			break
		}
		r.ID = b.begin(&r)
		switch {
		case err != nil:
			b.Reply(&protocol.Reply{ID: r.ID, Of: string(r.Type), Err: err})
		case !allowed(r.Kind):
			b.Reply(&protocol.Reply{ID: r.ID, Of: string(r.Type), Err: &protocol.Error{
				Code: protocol.CodeBadRequest, Field: "type", Message: "needs a connection",
			}})
		default:
			b.session.Receive(&r) // there is room for as many as one body may have
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.started = true
	b.settle()
}

// allowed reports whether a request makes sense without a connection.
func allowed(k protocol.Kind) bool {
	switch k {
	case protocol.KindPublish, protocol.KindHistory, protocol.KindPresence, protocol.KindPing, protocol.KindOther:
		return true
	}
	return false
}

// begin makes the slot of a request and returns its number.
func (b *batch) begin(r *protocol.Request) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots = append(b.slots, slot{id: bytes.Clone(r.ID), of: string(r.Type)})
	b.waiting++
	return strconv.AppendInt(nil, int64(len(b.slots)-1), 10)
}

// settle closes done when nothing is waited for. The batch is locked.
func (b *batch) settle() {
	if b.started && b.waiting == 0 && !b.over {
		b.over = true
		close(b.done)
	}
}

// fill sets the reply of a slot. The batch is locked.
func (b *batch) fill(s *slot, reply []byte) {
	if s.reply != nil {
		return
	}
	if b.bytes += len(reply); b.bytes > maxAnswer && asks(s.of) {
		b.bytes -= len(reply)
		reply = (&protocol.Reply{ID: s.id, Of: s.of, Err: &protocol.Error{
			Code: protocol.CodeTooLarge, Message: "the answers to one body are too much together: ask again in one of its own",
		}}).Append(nil)
	}
	s.reply = reply
	b.waiting--
	b.settle()
}

// asks reports whether a request changes nothing, so that it may be sent again.
func asks(of string) bool { return of == protocol.TypeHistory || of == protocol.TypePresence }

// close ends the batch and returns its replies, in order, and then what is none. What has no reply yet may come to
// pass or not.
func (b *batch) close() [][]byte {
	b.session.Close(session.Ended{Code: protocol.CloseNormal, Clean: true})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	replies := make([][]byte, 0, len(b.slots)+len(b.pushed))
	for i := range b.slots {
		s := &b.slots[i]
		if s.reply == nil {
			s.reply = (&protocol.Reply{ID: s.id, Of: s.of, Err: &protocol.Error{
				Code: protocol.CodeTimeout, Message: "the outcome is unknown; send again with the same key or seq",
			}}).Append(nil)
		}
		replies = append(replies, s.reply)
	}
	return append(replies, b.pushed...)
}

// Reply implements session.Outlet.
func (b *batch) Reply(r *protocol.Reply) {
	n, err := strconv.Atoi(string(r.ID))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || n >= len(b.slots) || b.over {
		return
	}
	s := &b.slots[n]
	answer := *r
	answer.ID = s.id
	b.fill(s, answer.Append(nil))
}

// Push implements session.Outlet. The answer to a ping is one.
func (b *batch) Push(p protocol.Push) {
	envelope := protocol.AppendPush(nil, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.Type() == protocol.TypePong {
		for i := range b.slots {
			if s := &b.slots[i]; s.reply == nil && s.of == protocol.TypePing {
				b.fill(s, envelope)
				return
			}
		}
	}
	if !b.over && len(b.pushed) < maxPushed {
		b.pushed = append(b.pushed, envelope)
	}
}

// Close implements session.Outlet: what has no reply yet gets none any more but the reason.
func (b *batch) Close(code protocol.CloseCode, reason string, retry time.Duration) {
	failure := stateless.ErrorOf(code, reason, retry)
	if failure == nil {
		failure = &protocol.Error{Code: protocol.CodeForbidden, Message: reason}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.slots {
		if s := &b.slots[i]; s.reply == nil {
			b.fill(s, (&protocol.Reply{ID: s.id, Of: s.of, Err: failure}).Append(nil))
		}
	}
}

// Framing implements session.Outlet: a batch is in no room.
func (b *batch) Framing() hub.Framing { return nil }

// Deliver implements session.Outlet.
func (b *batch) Deliver(conn.Frames, *atomic.Bool) conn.Outcome { return conn.Gone }

// Ready implements session.Outlet.
func (b *batch) Ready() bool { return false }

// Resume implements session.Outlet: the body has been read.
func (b *batch) Resume() {}
