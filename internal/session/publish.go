package session

import (
	"bytes"
	"sync"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// minProducerLen is the length of the shortest producer: 96 bits in base64.
const (
	minProducerLen = 16
	maxProducerLen = 64
)

// publish hands a message to the room's engine.
func (s *Session) publish(r *protocol.Request) *protocol.Error {
	if !s.node.admission.admit(&s.turn) {
		return s.node.overloaded()
	}
	if err := s.room(r); err != nil {
		return err
	}
	member := s.member(r.Room)
	room := nameOf(r, member)
	if err := s.permit(s.node.ctx, auth.Publish, room, member); err != nil {
		return err
	}
	if err := checkPublish(r); err != nil {
		return err
	}
	if err := s.checkContent(r, s.ruleOf(room, member)); err != nil {
		return err
	}
	p := s.begun(r, room)
	if mutKeyScope {
		p.publication.Owner = s.client.ID
	}
	if hook := s.node.Hooks.Publish; hook != nil {
		if err := hook(s.node.ctx, s, p.publication.Message); err != nil {
			return s.hookError(err)
		}
	}
	s.send(p)
	return nil
}

// publishing is a publish under way, in one piece of memory. With an inline engine it is over when send returns, and
// used again.
type publishing struct {
	session     *Session
	room        string
	id          []byte // of the request; borrowed with an inline engine
	begun       int64  // as Node.Begun says
	size        int    // of the payload, in bytes
	publication engine.Publication
	published   protocol.Published
	reply       protocol.Reply
	done        func(engine.Receipt, error) // finish, made once
}

var publishings = sync.Pool{New: func() any {
	p := new(publishing)
	p.done = p.finish
	return p
}}

// begun returns the publish that a request asks for, in a room.
func (s *Session) begun(r *protocol.Request, room string) *publishing {
	p := publishings.Get().(*publishing)
	p.session, p.id = s, r.ID
	p.publication = engine.Publication{Message: s.message(r, room), Ephemeral: r.Ephemeral, Owner: s.client.User}
	if !r.Ephemeral {
		p.publication.Producer, p.publication.Seq = string(r.Producer), r.Seq
	}
	return p
}

// send publishes p and answers its request when the outcome is known.
func (s *Session) send(p *publishing) {
	m := p.publication.Message
	p.room, p.size, p.begun = m.Room, len(m.Data)+len(m.Bytes), s.node.Begun()
	if !s.node.inline {
		p.id = bytes.Clone(p.id)
		s.begin()
	}
	s.node.Hub.Publish(s.node.ctx, &p.publication, p.done)
	if s.node.inline {
		*p = publishing{done: p.done}
		publishings.Put(p)
	}
}

// finish answers the request of a publish.
func (p *publishing) finish(receipt engine.Receipt, err error) {
	s := p.session
	s.node.Count(p.begun, p.size, receipt, err)
	p.reply = protocol.Reply{ID: p.id, Of: protocol.TypePublish}
	switch {
	case err != nil:
		p.reply.Err = clientError(s.node.Logger, err)
		s.denied(WantedPublish, p.room, p.reply.Err)
		s.outlet.Reply(&p.reply)
	case len(p.id) > 0:
		p.published = published(p.room, receipt)
		p.reply.Result = &p.published
		s.outlet.Reply(&p.reply)
	}
	if !s.node.inline {
		s.end()
	}
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

// nameOf returns the name of the room that a request names, which a membership has already.
func nameOf(r *protocol.Request, m *hub.Member) string {
	if m != nil {
		return m.Room()
	}
	return string(r.Room)
}

// message makes the message that a request publishes; it borrows nothing.
func (s *Session) message(r *protocol.Request, room string) *protocol.Message {
	payload := r.Data
	if r.Bytes != nil {
		payload = r.Bytes
	}
	m, memory := newMessage(len(payload))
	copy(memory, payload)
	m.Room = room
	me := s.Client() // a request beside this one may bring another name
	m.From = protocol.Sender{User: me.User, Client: me.ID, Name: me.Name}
	m.Event, m.Key = string(r.Event), string(r.Key)
	if r.Bytes != nil {
		m.Bytes = memory
	} else {
		m.Data = memory
	}
	if r.NoEcho {
		m.Exclude = s.client.ID
	}
	return m
}

// newMessage returns a message, and memory for a payload of n bytes: one piece for both where the payload is small, since
// they live and end together.
func newMessage(n int) (*protocol.Message, []byte) {
	switch {
	case n <= 64:
		m := new(struct {
			protocol.Message
			payload [64]byte
		})
		return &m.Message, m.payload[:n:n]
	case n <= 192:
		m := new(struct {
			protocol.Message
			payload [192]byte
		})
		return &m.Message, m.payload[:n:n]
	case n <= 512:
		m := new(struct {
			protocol.Message
			payload [512]byte
		})
		return &m.Message, m.payload[:n:n]
	}
	return new(protocol.Message), make([]byte, n)
}
