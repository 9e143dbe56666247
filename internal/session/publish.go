package session

import (
	"bytes"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// minProducerLen is the length of the shortest producer: 96 bits in base64.
const (
	minProducerLen = 16
	maxProducerLen = 64
)

// publish hands a message to the room's engine.
func (s *Session) publish(r *protocol.Request) *protocol.Error {
	if err := s.room(r); err != nil {
		return err
	}
	room, member := "", s.member(r.Room)
	if member != nil {
		room = member.Room()
	} else {
		room = string(r.Room)
	}
	if err := s.permit(s.node.ctx, auth.Publish, room, member); err != nil {
		return err
	}
	if err := checkPublish(r); err != nil {
		return err
	}
	if err := s.checkContent(r, s.ruleOf(room, member)); err != nil {
		return err
	}
	p := &engine.Publication{Message: s.message(r, room), Ephemeral: r.Ephemeral, Owner: s.client.User}
	if !r.Ephemeral {
		p.Producer, p.Seq = string(r.Producer), r.Seq
	}
	if hook := s.node.Hooks.Publish; hook != nil {
		if err := hook(s.node.ctx, s, p.Message); err != nil {
			return s.hookError(err)
		}
	}
	s.send(r, p)
	return nil
}

// send publishes p and answers r when the outcome is known.
func (s *Session) send(r *protocol.Request, p *engine.Publication) {
	id, room := r.ID, p.Message.Room
	if !s.node.inline {
		id = bytes.Clone(id)
		s.begin()
	}
	s.node.Hub.Publish(s.node.ctx, p, func(receipt engine.Receipt, err error) {
		published, failure := s.node.Receipt(room, receipt, err)
		switch {
		case failure != nil:
			s.outlet.Reply(&protocol.Reply{ID: id, Of: protocol.TypePublish, Err: failure})
		case len(id) > 0:
			s.outlet.Reply(&protocol.Reply{ID: id, Of: protocol.TypePublish, Result: published})
		}
		if !s.node.inline {
			s.end()
		}
	})
}

// checkPublish checks the fields of a publish that the parser cannot.
func checkPublish(r *protocol.Request) *protocol.Error {
	switch {
	case r.Bytes == nil && !r.Has.Has(protocol.HasData):
		return fail(protocol.CodeBadRequest, "data", "data is needed")
	case r.Has.Has(protocol.HasProducer) != r.Has.Has(protocol.HasSeq):
		return fail(protocol.CodeBadRequest, "seq", "producer and seq go together")
	case !r.Has.Has(protocol.HasProducer):
		return nil
	case r.Has.Has(protocol.HasKey):
		return fail(protocol.CodeBadRequest, "key", "either a key or a producer with seq")
	case len(r.Producer) < minProducerLen || len(r.Producer) > maxProducerLen:
		return fail(protocol.CodeBadRequest, "producer", "a producer has 16 to 64 bytes, of them 96 random bits")
	case r.Seq == 0:
		return fail(protocol.CodeBadRequest, "seq", "seq begins at 1")
	}
	return nil
}

// message makes the message that a request publishes; it borrows nothing.
func (s *Session) message(r *protocol.Request, room string) *protocol.Message {
	m := &protocol.Message{
		Room:  room,
		From:  protocol.Sender{User: s.client.User, Client: s.client.ID, Name: s.client.Name},
		Event: string(r.Event),
		Key:   string(r.Key),
	}
	if r.NoEcho {
		m.Exclude = s.client.ID
	}
	if r.Bytes != nil {
		m.Bytes = append(make([]byte, 0, len(r.Bytes)), r.Bytes...)
	} else {
		m.Data = append(make([]byte, 0, len(r.Data)), r.Data...)
	}
	return m
}
