package socketio

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/protocol"
)

// reading is what it takes to read events; it is shared by all connections.
type reading struct {
	parser   protocol.Parser
	request  protocol.Request
	envelope []byte
	room     []byte
	bytes    int // the attachment that stands in bytes; -1 for none
}

// maxReading bounds what is kept between two events, in bytes.
const maxReading = 64 << 10

var readings = sync.Pool{New: func() any { return new(reading) }}

// event hands an event to the session as a request. It returns false when nothing more is to be read until Resume.
func (p *peer) event(parcel *eio.Parcel) (more bool) {
	in := readings.Get().(*reading)
	defer in.release()
	kind := protocol.KindOf(string(parcel.Name))
	if kind == protocol.KindOther || p.space.speech.EventsOnly {
		in.own(parcel)
		return p.session.Receive(&in.request)
	}
	if err := in.native(parcel, p.space); err != nil {
		in.request.ID, in.request.Type, in.request.Kind = parcel.ID, parcel.Name, kind
		in.request.Attachments = parcel.Attachments
		p.session.Malformed(&in.request, err)
		return true
	}
	return p.session.Receive(&in.request)
}

func (in *reading) release() {
	if cap(in.envelope) > maxReading {
		in.envelope = nil
	}
	in.request = protocol.Request{}
	readings.Put(in)
}

// own reads an application's own event. Its first argument is its data, its first attachment its bytes.
func (in *reading) own(parcel *eio.Parcel) {
	r := &in.request
	*r = protocol.Request{
		Type: parcel.Name, ID: parcel.ID, Has: protocol.HasType,
		Args: parcel.Args, Attachments: parcel.Attachments, Raw: parcel.Text,
	}
	if r.Args == nil {
		r.Args = []byte{}
	}
	if r.Data, _ = parcel.Args.Next(); len(r.Data) > 0 {
		r.Has |= protocol.HasData
	}
	if len(parcel.Attachments) > 0 {
		r.Bytes = parcel.Attachments[0]
	}
	if len(r.ID) > 0 {
		r.Has |= protocol.HasID
	}
}

// native reads one of the protocol's own requests: its only argument is the envelope, without type and id, which the
// event has.
func (in *reading) native(parcel *eio.Parcel, n *namespace) *protocol.Error {
	object, _ := parcel.Args.Next()
	if len(object) > 0 && object[0] != '{' {
		return badRequest("", "the argument is not an object")
	}
	in.compose(parcel, object)
	if err := in.parser.Start(in.envelope); err != nil {
		return err
	}
	if _, err := in.parser.Next(&in.request); err != nil {
		return err
	}
	r := &in.request
	switch {
	case in.bytes < 0 && len(parcel.Attachments) > 0, len(parcel.Attachments) > 1:
		return badRequest("bytes", "binary data is the value of bytes, and nothing else")
	case in.bytes >= 0:
		if r.Has.Has(protocol.HasData) {
			return badRequest("data", "data beside bytes")
		}
		r.Bytes = parcel.Attachments[in.bytes]
		r.Has |= protocol.HasBytes
	}
	if n.prefix != "" && len(r.Room) > 0 && r.Room[0] != '@' {
		in.room = append(append(in.room[:0], n.prefix...), r.Room...)
		r.Room = in.room
	}
	return nil
}

// compose writes the envelope of a request.
func (in *reading) compose(parcel *eio.Parcel, object []byte) {
	b := append(in.envelope[:0], `{"type":"`...)
	b = append(append(b, parcel.Name...), '"')
	if len(parcel.ID) > 0 {
		b = append(append(b, `,"id":`...), withoutZeros(parcel.ID)...)
	}
	in.bytes = -1
	if len(object) > 0 {
		eio.Members(object, func(m eio.Member) bool {
			switch string(m.Key) {
			case "type", "id":
				return true
			case "bytes":
				if i := attachmentOf(m.Value, len(parcel.Attachments)); i >= 0 {
					in.bytes = i
					return true
				}
			}
			b = appendKey(append(b, ','), m.Key)
			b = append(append(b, ':'), m.Value...)
			return true
		})
	}
	in.envelope = append(b, '}')
}

// appendKey writes a key again.
func appendKey(b, key []byte) []byte { return protocol.AppendString(b, string(key)) }

// withoutZeros returns an id as JSON writes numbers.
func withoutZeros(id []byte) []byte {
	if id = bytes.TrimLeft(id, "0"); len(id) == 0 {
		return []byte("0")
	}
	return id
}

// attachmentOf returns the attachment that a value stands for, or -1.
func attachmentOf(value []byte, n int) int {
	if n == 0 || value[0] != '{' {
		return -1
	}
	var placeholder struct {
		Is     bool `json:"_placeholder"`
		Number int  `json:"num"`
	}
	if json.Unmarshal(value, &placeholder) != nil || !placeholder.Is || placeholder.Number < 0 || placeholder.Number >= n {
		return -1
	}
	return placeholder.Number
}

// Split returns the values of a list of arguments, in memory of their own.
func Split(list []byte) []json.RawMessage {
	rest := eio.List(bytes.Clone(list))
	args := make([]json.RawMessage, 0, 4)
	for {
		var value []byte
		if value, rest = rest.Next(); len(value) == 0 {
			return args
		}
		args = append(args, value)
	}
}

// CheckArgs reports whether arguments can travel with n attachments: each is referred to once, and nothing else is.
func CheckArgs(args []json.RawMessage, n int) bool {
	var list []byte
	for i, arg := range args {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, arg...)
	}
	return eio.CheckPlaceholders(list, n)
}

// Reserved reports whether an event may not have that name, because clients use it for themselves.
func Reserved(name string) bool { return eio.Reserved(name) }

func badRequest(field, message string) *protocol.Error {
	return &protocol.Error{Code: protocol.CodeBadRequest, Field: field, Message: message}
}
