package eio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"time"
)

// Type is the type of a packet of Engine.IO: the digit that it begins with.
type Type byte

// The types (Engine.IO protocol, "Packet encoding").
const (
	Open    Type = '0'
	Close   Type = '1'
	Ping    Type = '2'
	Pong    Type = '3'
	Message Type = '4'
	Upgrade Type = '5'
	Noop    Type = '6'
)

// Version is the version of the Engine.IO protocol, as it stands in the query of requests: EIO=4.
const Version = "4"

// ProbeText is what the ping and the pong of a probe carry, with which a client tries a WebSocket out.
const ProbeText = "probe"

const (
	separator  = '\x1e' // between the packets of a payload
	binaryMark = 'b'    // before the base64 of a binary packet in a payload
)

// Separates reports whether text would be more than one packet in a payload: there is no escape for the byte between them.
func Separates(text []byte) bool { return bytes.IndexByte(text, separator) >= 0 }

// MaxPackets is how many packets a payload may have.
const MaxPackets = 10_000

// Packet is one packet of Engine.IO. It borrows from what it was read from.
type Packet struct {
	Type   Type
	Binary bool   // a Message whose Data are bytes, not text
	Data   []byte // what follows the type
}

// What can be wrong with packets.
var (
	ErrPacket  = errors.New("not a packet of Engine.IO")
	ErrPackets = errors.New("too many packets in a payload")
)

// ParsePacket reads a packet that is text, such as a frame of a WebSocket. One that is binary is a Message as it is.
func ParsePacket(text []byte) (Packet, error) {
	if len(text) == 0 || text[0] < byte(Open) || text[0] > byte(Noop) {
		return Packet{}, ErrPacket
	}
	return Packet{Type: Type(text[0]), Data: text[1:]}, nil
}

// Payload is the body of a request over HTTP long-polling: packets with separators between them.
type Payload struct {
	// Err is why Next returned false before the end; nil at the end.
	Err  error
	rest []byte
	left int // packets that there may be still; -1 for any number
	over bool
}

// NewPayload returns the packets of a peer's body, MaxPackets of them at the most. It uses the body: binary packets are
// decoded in place.
func NewPayload(body []byte) *Payload { return &Payload{rest: body, left: MaxPackets} }

// OwnPayload is NewPayload for what this side wrote itself: there is no bound.
func OwnPayload(body []byte) *Payload { return &Payload{rest: body, left: -1} }

// Next reads the next packet, and reports whether there was one. It borrows from the body.
func (p *Payload) Next(packet *Packet) bool {
	if p.over || p.Err != nil {
		return false
	}
	if p.left == 0 {
		p.Err = ErrPackets
		return false
	}
	p.left = max(p.left-1, -1)
	text := p.rest
	if end := bytes.IndexByte(p.rest, separator); end >= 0 {
		text, p.rest = p.rest[:end], p.rest[end+1:]
	} else {
		p.over = true
	}
	if len(text) > 0 && text[0] == binaryMark {
		*packet = Packet{Type: Message, Binary: true}
		packet.Data, p.Err = decodeInPlace(text[1:])
		return p.Err == nil
	}
	*packet, p.Err = ParsePacket(text)
	return p.Err == nil
}

// decodeInPlace decodes base64 over itself: what is written never overtakes what is read.
func decodeInPlace(text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, "\r\n") {
		return nil, ErrPacket // the decoder would skip line ends
	}
	n, err := base64.StdEncoding.Decode(text, text)
	if err != nil {
		return nil, ErrPacket
	}
	return text[:n:n], nil
}

// AppendText appends a packet that is text to a payload.
func AppendText(payload, packet []byte) []byte {
	if len(payload) > 0 {
		payload = append(payload, separator)
	}
	return append(payload, packet...)
}

// AppendBinary appends a binary Message to a payload.
func AppendBinary(payload, data []byte) []byte {
	if len(payload) > 0 {
		payload = append(payload, separator)
	}
	return base64.StdEncoding.AppendEncode(append(payload, binaryMark), data)
}

// Handshake is what a server says in its Open packet.
type Handshake struct {
	ID           string
	Upgradable   bool // to a WebSocket
	PingInterval time.Duration
	PingTimeout  time.Duration
	MaxPayload   int // bytes
}

// Append appends the Open packet. The ID must need no escape in JSON.
func (h *Handshake) Append(b []byte) []byte {
	b = append(b, byte(Open))
	b = append(append(b, `{"sid":"`...), h.ID...)
	b = append(b, `","upgrades":[`...)
	if h.Upgradable {
		b = append(b, `"websocket"`...)
	}
	b = strconv.AppendInt(append(b, `],"pingInterval":`...), h.PingInterval.Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"pingTimeout":`...), h.PingTimeout.Milliseconds(), 10)
	b = strconv.AppendInt(append(b, `,"maxPayload":`...), int64(h.MaxPayload), 10)
	return append(b, '}')
}
