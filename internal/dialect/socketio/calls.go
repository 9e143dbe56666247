package socketio

import (
	"errors"
	"strconv"

	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// Why an acknowledgement does not come.
var (
	errEnded = errors.New("the session has ended")
	errCalls = errors.New("the client owes too many acknowledgements")
)

// calls are the acknowledgements that a client owes; the connection's lock guards them.
type calls struct {
	last    uint64
	waiting map[uint64]func(*protocol.Answer, error)
}

// take takes all that are waited for.
func (c *calls) take() map[uint64]func(*protocol.Answer, error) {
	left := c.waiting
	c.waiting = nil
	return left
}

// Call implements session.Caller: answer is called once, unless cancel is called before.
func (p *peer) Call(event *protocol.Custom, answer func(*protocol.Answer, error)) (cancel func()) {
	p.session.Calling(1)
	b := p.talk.conn.Begin()
	c := &p.calls
	failure := errEnded
	switch {
	case p.closed || p.opening != nil:
	case len(c.waiting) >= maxCalls:
		failure = errCalls
	default:
		failure = nil
	}
	if failure != nil {
		b.End()
		p.session.Calling(-1)
		answer(nil, failure)
		return func() {}
	}
	if c.waiting == nil {
		c.waiting = make(map[uint64]func(*protocol.Answer, error))
	}
	id := c.last
	c.last++
	c.waiting[id] = answer
	body := p.space.appendCustom(nil, event, strconv.AppendUint(nil, id, 10))
	text, attachments := next(body)
	b.Text(text, closing)
	for len(attachments) > 0 {
		text, attachments = next(attachments)
		b.Binary(text)
	}
	sent := b.Send()
	b.End()
	if !sent {
		p.talk.conn.Overflow()
	}
	return func() { p.forget(id) }
}

// forget does not wait for an acknowledgement any more; it returns who did.
func (p *peer) forget(id uint64) func(*protocol.Answer, error) {
	b := p.talk.conn.Begin()
	answer := p.calls.waiting[id]
	delete(p.calls.waiting, id)
	b.End()
	if answer != nil {
		p.session.Calling(-1)
	}
	return answer
}

// acknowledge takes an acknowledgement. One that nobody waits for, any more or at all, is ignored, but counted.
func (p *peer) acknowledge(parcel *eio.Parcel) {
	size := len(parcel.Text)
	for _, data := range parcel.Attachments {
		size += len(data)
	}
	p.session.Control(size)
	id, err := strconv.ParseUint(string(parcel.ID), 10, 64)
	if err != nil {
		return
	}
	if answer := p.forget(id); answer != nil {
		answer(&protocol.Answer{Args: Split(parcel.Args), Attachments: parcel.Attachments}, nil)
	}
}
