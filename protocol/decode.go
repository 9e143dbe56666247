package protocol

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrEnvelope reports bytes from a server that are not an envelope of this protocol.
var ErrEnvelope = errors.New("not an envelope")

// Envelope is the head of what a server sent: enough to know what to decode the rest into.
type Envelope struct {
	Type string
	ID   []byte // raw JSON of the request's id in an ok or error; empty when absent
	Of   string // the request's type in an ok or error; empty when absent
	Raw  []byte // the whole envelope
}

// ReadEnvelope reads the head of frame, which the envelope borrows. It reads no further than it must, as the server
// writes type, id and of first: the syntax of the rest is checked by who decodes it.
func ReadEnvelope(frame []byte) (Envelope, error) {
	e := Envelope{Raw: frame}
	s := scanner{text: frame}
	if s.next() != '{' {
		return e, ErrEnvelope
	}
	for s.peek() != '}' {
		s.pos++ // the brace or a comma
		s.next()
		more, ok := e.member(&s)
		if !ok {
			return e, ErrEnvelope
		}
		if !more {
			break
		}
		if c := s.next(); c != ',' && c != '}' {
			return e, ErrEnvelope
		}
	}
	if e.Type == "" {
		return e, ErrEnvelope
	}
	return e, nil
}

// member reads one member of the head; more is false when it is none although the type has been read.
func (e *Envelope) member(s *scanner) (more, ok bool) {
	start := s.pos
	if !s.name() {
		return false, false
	}
	key := string(bytes.TrimRight(s.text[start:s.pos], ": \t\r\n"))
	if e.Type != "" && key != `"id"` && key != `"of"` {
		return false, true
	}
	start = s.pos
	if !s.value(2) {
		return false, false
	}
	value := s.text[start:s.pos]
	ok = true
	switch key {
	case `"type"`:
		e.Type, ok = headText(value, s.escaped)
	case `"of"`:
		e.Of, ok = headText(value, s.escaped)
	case `"id"`:
		e.ID = value
	}
	return true, ok
}

// headText returns the string that raw stands for.
func headText(raw []byte, escaped bool) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	text := raw[1 : len(raw)-1]
	if escaped {
		text, _ = unescape(nil, text)
	}
	for _, name := range serverTypes {
		if string(text) == name {
			return name, true
		}
	}
	return string(text), true
}

// serverTypes are the usual types and ofs, which need no memory of their own when they are read.
var serverTypes = [...]string{
	TypeMessage, TypeOK, TypePublish, TypeJoin, TypeLeave, TypeUserJoined, TypeUserLeft, TypePresence, TypePing, TypePong,
}

// Push decodes the envelope into the type of this package that its type names. The result borrows nothing.
func (e *Envelope) Push() (Push, error) {
	p := newPush(e.Type)
	if p == nil {
		return nil, fmt.Errorf("%w: type %q is no push", ErrEnvelope, e.Type)
	}
	if err := json.Unmarshal(e.Raw, p); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrEnvelope, e.Type, err)
	}
	return p, nil
}

// newPush returns an empty push of a type, nil when there is none.
func newPush(name string) Push {
	switch name {
	case TypeMessage:
		return new(Message)
	case TypeWelcome:
		return new(Welcome)
	case TypeAuthRequired:
		return new(AuthRequired)
	case TypeUserJoined:
		return new(UserEvent)
	case TypeUserLeft:
		return &UserEvent{Left: true}
	case TypePresence:
		return new(Presence)
	case TypeState:
		return new(State)
	case TypeGap:
		return new(Gap)
	case TypeKicked:
		return new(Kicked)
	case TypeTokenExpiring:
		return new(TokenExpiring)
	case TypeDraining:
		return new(Draining)
	case TypePing:
		return new(Ping)
	case TypePong:
		return new(Pong)
	}
	return nil
}

// Reply decodes an ok or error. An ok becomes a Result by its of; it has none for of that carries nothing of its own
// (state). The result borrows nothing but its ID.
func (e *Envelope) Reply() (*Reply, error) {
	r := &Reply{ID: e.ID, Of: e.Of}
	var into any
	switch {
	case e.Type == TypeError:
		r.Err = new(Error)
		into = r.Err
	case e.Type != TypeOK:
		return nil, fmt.Errorf("%w: type %q is no reply", ErrEnvelope, e.Type)
	case e.Of == TypeState:
		return r, nil
	default:
		r.Result = newResult(e.Of)
		into = r.Result
	}
	if err := json.Unmarshal(e.Raw, into); err != nil {
		return nil, fmt.Errorf("%w: %s of %s: %w", ErrEnvelope, e.Type, e.Of, err)
	}
	return r, nil
}

// newResult returns an empty result of a request's type; those of the application answer.
func newResult(of string) Result {
	switch of {
	case TypeAuth:
		return new(Authenticated)
	case TypeJoin:
		return new(Joined)
	case TypeLeave:
		return new(Left)
	case TypePublish:
		return new(Published)
	case TypePresence:
		return new(Presence)
	case TypeHistory:
		return new(History)
	}
	return new(Answer)
}

// DecodeBinary reads the content of a binary frame from a server: a message with a binary payload. The message borrows
// nothing.
func DecodeBinary(frame []byte) (*Message, error) {
	if len(frame) < 2 || len(frame)-2 < int(binary.BigEndian.Uint16(frame)) {
		return nil, fmt.Errorf("%w: longer than its frame", ErrEnvelope)
	}
	end := 2 + int(binary.BigEndian.Uint16(frame))
	e, err := ReadEnvelope(frame[2:end])
	if err != nil {
		return nil, err
	}
	if e.Type != TypeMessage {
		return nil, fmt.Errorf("%w: type %q in a binary frame", ErrEnvelope, e.Type)
	}
	m := new(Message)
	if err := json.Unmarshal(e.Raw, m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrEnvelope, e.Type, err)
	}
	m.Data = nil
	m.Bytes = append(make([]byte, 0, len(frame)-end), frame[end:]...)
	return m, nil
}

// UnmarshalJSON decodes what AppendFields wrote: recovered tells WithSince, present tells WithPresence.
func (j *Joined) UnmarshalJSON(text []byte) error {
	type plain Joined
	fields := struct {
		*plain
		Recovered *bool `json:"recovered"`
		Present   *int  `json:"present"`
	}{plain: (*plain)(j)}
	*j = Joined{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if j.WithSince = fields.Recovered != nil; j.WithSince {
		j.Recovered = *fields.Recovered
	}
	if j.WithPresence = fields.Present != nil; j.WithPresence {
		j.Present = *fields.Present
	}
	return nil
}
