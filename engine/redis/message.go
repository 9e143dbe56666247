package redis

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/wireroom/wireroom/protocol"
)

// What servers keep and nodes tell each other of a message is a stamp, which the script makes, and a body:
//
//	stamp  epoch (8 bytes), offset (8), check (4), time in Unix milliseconds (8)
//	body   version (1), id (8), what it carries (1), six texts with their lengths, the payload
//
// Numbers are big-endian, lengths are variable (encoding/binary's Uvarint).
const (
	bodyVersion = 1
	stampLen    = 28
)

// What a message carries.
const (
	carriesNothing = iota
	carriesData
	carriesBytes
)

// errBody reports a message that another node has not written, or one of another version.
var errBody = errors.New("not a message of this version")

// appendBody appends what is kept of m beside its stamp.
func appendBody(b []byte, m *protocol.Message) []byte {
	kind, payload := byte(carriesNothing), m.Bytes
	switch {
	case m.Bytes != nil:
		kind = carriesBytes
	case m.Data != nil:
		kind, payload = carriesData, m.Data
	}
	b = append(b, bodyVersion)
	b = binary.BigEndian.AppendUint64(b, m.ID)
	b = append(b, kind)
	for _, s := range [...]string{m.From.User, m.From.Client, m.From.Name, m.Event, m.Key, m.Exclude} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(b, payload...)
}

// decodeBody reads a body into m, which shares no memory with it.
func decodeBody(body string, m *protocol.Message) error {
	const fixed = 1 + 8 + 1
	if len(body) < fixed || body[0] != bodyVersion {
		return errBody
	}
	m.ID = binary.BigEndian.Uint64([]byte(body[1:9]))
	kind, rest := body[9], body[fixed:]
	for _, s := range [...]*string{&m.From.User, &m.From.Client, &m.From.Name, &m.Event, &m.Key, &m.Exclude} {
		n, width := uvarint(rest)
		if width <= 0 || n > uint64(len(rest)-width) {
			return errBody
		}
		*s, rest = strings.Clone(rest[width:width+int(n)]), rest[width+int(n):]
	}
	switch kind {
	case carriesNothing:
	case carriesData:
		m.Data = []byte(rest)
	case carriesBytes:
		m.Bytes = []byte(rest)
	default:
		return errBody
	}
	return nil
}

// uvarint is binary.Uvarint of a text.
func uvarint(s string) (n uint64, width int) {
	return binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
}

// stamp is what a script gives a message.
type stamp struct {
	position protocol.Position
	time     int64
}

// decodeStamp reads the stamp at the front of s.
func decodeStamp(s string) (stamp, error) {
	if len(s) < stampLen {
		return stamp{}, errBody
	}
	b := []byte(s[:stampLen])
	return stamp{
		position: protocol.Position{
			Epoch:  protocol.Epoch(binary.BigEndian.Uint64(b)),
			Offset: binary.BigEndian.Uint64(b[8:]),
			Check:  binary.BigEndian.Uint32(b[16:]),
		},
		time: int64(binary.BigEndian.Uint64(b[20:])),
	}, nil
}

// decodeMessage reads a stamp and a body.
func decodeMessage(room, text string) (*protocol.Message, error) {
	s, err := decodeStamp(text)
	if err != nil {
		return nil, err
	}
	m := &protocol.Message{Room: room, Position: s.position, Time: s.time}
	return m, decodeBody(text[stampLen:], m)
}

// epochText is an epoch as scripts have it.
func epochText(e protocol.Epoch) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(e)))
}
