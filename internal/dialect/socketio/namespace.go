package socketio

import (
	"strings"

	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// namespace is the words of one namespace, shared by all who are connected to it. Its rooms have its name in front, but
// for inboxes; clients do not see that. It implements hub.Framing.
type namespace struct {
	speech  *Speech
	name    string // "/" or "/name"
	prefix  string // "" or "name/"
	records stateless.Framing
}

func newNamespace(s *Speech, name string) *namespace {
	n := &namespace{speech: s, name: "/" + name}
	if name != "" {
		n.prefix = name + "/"
	}
	n.records.Body = n.appendBody
	return n
}

// owns reports whether a client of the namespace has a name for a room.
func (n *namespace) owns(room string) bool {
	return strings.HasPrefix(room, n.prefix) || strings.HasPrefix(room, "@")
}

// local returns what a client of the namespace calls a room.
func (n *namespace) local(room string) string { return strings.TrimPrefix(room, n.prefix) }

// AppendFrame implements hub.Framing: it appends a record whose body is an event, or nothing if clients are not told.
func (n *namespace) AppendFrame(dst []byte, p protocol.Push) []byte {
	if n.speech.EventsOnly {
		switch p.(type) {
		case *protocol.Welcome, *protocol.Draining, *protocol.TokenExpiring, *protocol.Pong, *stateless.Failure:
			return dst
		}
	}
	return n.records.AppendFrame(dst, p)
}

// appendBody appends where an event moves who gets it, as stands has it; the event without its end; and its attachments.
func (n *namespace) appendBody(dst []byte, p protocol.Push) []byte {
	start, dst := appendLength(dst)
	if room, position := stateless.Target(p); room != "" && n.speech.Recovery {
		dst = appendPlace(dst, room, position)
	}
	setLength(dst, start)
	return n.appendEvent(dst, p)
}

// appendEvent appends an event without its end, and its attachments.
func (n *namespace) appendEvent(dst []byte, p protocol.Push) []byte {
	switch p := p.(type) {
	case *protocol.Custom:
		return n.appendCustom(dst, p, nil)
	case *protocol.Message:
		return n.appendMessage(dst, p)
	}
	start, dst := n.begin(dst, p.Type(), nil, 0)
	dst = protocol.AppendPush(append(dst, ','), n.localPush(p))
	setLength(dst, start)
	return dst
}

// begin begins an event: its head and its name.
func (n *namespace) begin(dst []byte, event string, id []byte, attachments int) (start int, to []byte) {
	start, dst = appendLength(dst)
	head := eio.Head{Kind: eio.Event, Namespace: n.name, ID: id, Attachments: attachments}
	return start, protocol.AppendString(append(head.Append(dst), '['), event)
}

// appendAttachment appends what is behind the text of a body.
func appendAttachment(dst, data []byte) []byte {
	start, dst := appendLength(dst)
	dst = append(dst, data...)
	setLength(dst, start)
	return dst
}

// appendCustom appends an application's own event.
func (n *namespace) appendCustom(dst []byte, c *protocol.Custom, id []byte) []byte {
	start, dst := n.begin(dst, c.Kind, id, len(c.Attachments))
	if c.Args == nil && len(c.Data) > 0 {
		dst = append(append(dst, ','), c.Data...)
	}
	for _, arg := range c.Args {
		dst = append(append(dst, ','), arg...)
	}
	setLength(dst, start)
	for _, data := range c.Attachments {
		dst = appendAttachment(dst, data)
	}
	return dst
}

// defaultEvent is the name of a message that has none, where the names of messages are those of events.
const defaultEvent = "message"

// appendMessage appends a message of a room: its envelope, with a binary payload as an attachment; or, where events are
// the application's alone, an event of the message's name with the payload.
func (n *namespace) appendMessage(dst []byte, m *protocol.Message) []byte {
	attachments := 0
	if m.Bytes != nil {
		attachments = 1
	}
	event := protocol.TypeMessage
	if n.speech.EventsOnly {
		if event = m.Event; event == "" || eio.Reserved(event) {
			event = defaultEvent
		}
	}
	start, dst := n.begin(dst, event, nil, attachments)
	dst = append(dst, ',')
	switch {
	case n.speech.EventsOnly && m.Bytes != nil:
		dst = eio.AppendPlaceholder(dst, 0)
	case n.speech.EventsOnly:
		dst = append(dst, m.Data...)
	default:
		dst = n.appendEnvelope(dst, m)
	}
	setLength(dst, start)
	if m.Bytes != nil {
		dst = appendAttachment(dst, m.Bytes)
	}
	return dst
}

// appendEnvelope appends the envelope of a message.
func (n *namespace) appendEnvelope(dst []byte, m *protocol.Message) []byte {
	local := *m
	local.Room, local.Bytes = n.local(m.Room), nil
	dst = protocol.AppendPush(dst, &local)
	if m.Bytes == nil {
		return dst
	}
	dst = append(dst[:len(dst)-1], `,"bytes":`...)
	return append(eio.AppendPlaceholder(dst, 0), '}')
}

// appendReply adds the answer to a request: the acknowledgement of the event that it came with, or where it had none and
// something went wrong, an event.
func (n *namespace) appendReply(b *engineio.Batch, p *peer, r *protocol.Reply) {
	if len(r.ID) == 0 {
		if r.Err != nil && !n.speech.EventsOnly {
			start, text := n.begin(nil, protocol.TypeError, nil, 0)
			text = r.Append(append(text, ','))
			b.Text(text[start+4:], p.suffix())
		}
		return
	}
	answer, own := r.Result.(*protocol.Answer)
	head := eio.Head{Kind: eio.Ack, Namespace: n.name, ID: r.ID}
	if own && r.Err == nil {
		head.Attachments = len(answer.Attachments)
	}
	text := append(head.Append(make([]byte, 0, 256)), '[')
	switch {
	case r.Err != nil:
		text = append(r.Err.AppendFields(append(text, `{"ok":false`...)), '}')
	case own && answer.Args == nil:
		text = append(text, answer.Data...)
	case own:
		for i, arg := range answer.Args {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, arg...)
		}
	case r.Result != nil:
		text = append(n.localResult(r.Result).AppendFields(append(text, `{"ok":true`...)), '}')
	case !n.speech.EventsOnly && protocol.KindOf(r.Of) != protocol.KindOther:
		text = append(text, `{"ok":true}`...)
	}
	b.Text(append(text, ']'))
	if own && r.Err == nil {
		for _, data := range answer.Attachments {
			b.Binary(data)
		}
	}
}
