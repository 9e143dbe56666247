package eio

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// Kind is the type of a packet of Socket.IO: the digit that it begins with.
type Kind byte

// The kinds (Socket.IO protocol, "Exchange protocol").
const (
	Connect      Kind = '0'
	Disconnect   Kind = '1'
	Event        Kind = '2'
	Ack          Kind = '3'
	ConnectError Kind = '4'
	BinaryEvent  Kind = '5'
	BinaryAck    Kind = '6'
)

// Bounds of what a parcel says besides its data, in bytes.
const (
	maxNamespace = 200
	maxID        = 16 // digits: a client counts, and a number of JavaScript ends at 2^53
)

// MaxAttachments is the most that Limits.Attachments may be.
const MaxAttachments = 64

// Limits bound a parcel.
type Limits struct {
	Attachments int // at most MaxAttachments
	Bytes       int // of its text and its attachments together
	Depth       int // levels of JSON
}

// Parcel is one packet of Socket.IO, whole: its attachments have come. It borrows from what it was read from.
type Parcel struct {
	Kind        Kind   // never BinaryEvent or BinaryAck: an Event or an Ack with attachments
	Namespace   []byte // begins with a slash
	ID          []byte // digits; empty when there is none
	Object      []byte // of a Connect: raw JSON, an object; nil when there is none
	Name        []byte // of an Event, unescaped
	Args        List   // of an Event or an Ack
	Attachments [][]byte
	Text        []byte // all of it but the attachments, as it came

	announced int // attachments
}

// What can be wrong with parcels. Whoever sent one must be disconnected (Socket.IO protocol, "Packet encoding").
var (
	ErrParcel      = errors.New("not a packet of Socket.IO")
	ErrReserved    = errors.New("the name of the event is reserved")
	ErrAttachments = errors.New("attachments and placeholders do not belong together")
	ErrTooBig      = errors.New("a packet of Socket.IO is too big")
	ErrSequence    = errors.New("text where attachments were due, or bytes where none were")
)

// Reserved reports whether an event may not have that name, because clients use it for themselves.
func Reserved[T string | []byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// parse reads the text of a parcel, all of which it sets.
func (p *Parcel) parse(text []byte, l *Limits) error {
	*p = Parcel{Text: text}
	if len(text) == 0 || text[0] < byte(Connect) || text[0] > byte(BinaryAck) {
		return ErrParcel
	}
	p.Kind, text = Kind(text[0]), text[1:]
	var err error
	if p.Kind == BinaryEvent || p.Kind == BinaryAck {
		p.Kind -= BinaryEvent - Event
		if p.announced, text, err = attachments(text, l); err != nil {
			return err
		}
	}
	if p.Namespace, text, err = namespace(text); err != nil {
		return err
	}
	id := digits(text)
	p.ID, text = text[:id:id], text[id:]
	switch p.Kind {
	case Connect:
		return p.setObject(text, l)
	case Disconnect:
		if id > 0 || len(text) > 0 {
			return ErrParcel
		}
		return nil
	case Event, Ack:
		if id > maxID || p.Kind == Ack && id == 0 {
			return ErrParcel
		}
		return p.setList(text, l)
	}
	return ErrParcel
}

// attachments reads how many attachments are announced.
func attachments(text []byte, l *Limits) (n int, rest []byte, err error) {
	end := digits(text)
	if end == 0 || end == len(text) || text[end] != '-' {
		return 0, nil, ErrParcel
	}
	n, err = strconv.Atoi(string(text[:min(end, maxID)]))
	if err != nil || n < 1 || n > l.Attachments || end > maxID {
		return 0, nil, ErrAttachments
	}
	return n, text[end+1:], nil
}

// root is the namespace that is not written.
const root = "/"

// rootName is root, where bytes are wanted.
var rootName = []byte{'/'}

// namespace reads the namespace, up to a comma or the end.
func namespace(text []byte) (name, rest []byte, err error) {
	if len(text) == 0 || text[0] != '/' {
		return rootName, text, nil
	}
	name = text
	if end := bytes.IndexByte(text, ','); end >= 0 {
		name, rest = text[:end], text[end+1:]
	}
	if len(name) > maxNamespace {
		return nil, nil, ErrParcel
	}
	for _, c := range name {
		if c < ' ' || c == '"' || c == '\\' || c == 0x7F {
			return nil, nil, ErrParcel // nor could it be written back
		}
	}
	return name, rest, nil
}

// digits returns how many digits a text begins with.
func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || '9' < c {
			return i
		}
	}
	return len(text)
}

// setObject takes the data of a Connect: nothing, or an object.
func (p *Parcel) setObject(text []byte, l *Limits) error {
	if len(p.ID) > 0 {
		return ErrParcel
	}
	if len(text) == 0 {
		return nil
	}
	s := scanner{text: text, depth: l.Depth}
	if text[0] != '{' || !s.value(1) || s.pos != len(text) {
		return ErrParcel
	}
	p.Object = text
	return nil
}

// setList takes the data of an Event or an Ack: an array, of an event with the name first.
func (p *Parcel) setList(text []byte, l *Limits) error {
	s := scanner{text: text, depth: l.Depth, marked: p.announced > 0}
	if len(text) == 0 || text[0] != '[' || !s.value(1) || s.pos != len(text) {
		return ErrParcel
	}
	if p.announced > 0 && !s.marks.complete(p.announced) {
		return ErrAttachments
	}
	p.Args = List(trim(text[1 : len(text)-1]))
	if p.Kind == Ack {
		return nil
	}
	first, rest := p.Args.Next()
	if len(first) == 0 {
		return ErrParcel
	}
	p.Args = rest
	return p.setName(first)
}

// setName takes the name of an event: a string, or a number, which is its text.
func (p *Parcel) setName(first []byte) error {
	switch {
	case first[0] == '"' && bytes.IndexByte(first, '\\') < 0:
		p.Name = first[1 : len(first)-1]
	case first[0] == '"':
		var name string
		if err := json.Unmarshal(first, &name); err != nil {
			return ErrParcel
		}
		p.Name = []byte(name)
	case first[0] == '-' || '0' <= first[0] && first[0] <= '9':
		p.Name = first
	default:
		return ErrParcel
	}
	if Reserved(p.Name) || string(p.Name) == "error" { // that is the server's to say
		return ErrReserved
	}
	return nil
}
