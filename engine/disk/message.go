package disk

import (
	"encoding/binary"

	"github.com/wireroom/wireroom/protocol"
)

// What a message carries.
const (
	carriesNothing = iota
	carriesData
	carriesBytes
)

// entry is what a message's record says besides the message.
type entry struct {
	position protocol.Position
	id       uint64
	time     int64  // protocol.Message.Time
	at       int64  // engine time when it was stored
	size     uint64 // protocol.Message.Size
	total    uint64 // of the sizes of all messages ever stored in the room, up to this one
}

// before returns the position that the message was stored after.
func (e *entry) before() protocol.Position { return e.position.Before(e.id) }

// totalBefore returns the total without the message.
func (e *entry) totalBefore() uint64 { return e.total - e.size }

// appendMessage writes the record of m, which goes under key, over b.
func appendMessage(b, key []byte, m *protocol.Message, at int64, total uint64) []byte {
	b = begin(b)
	b = binary.LittleEndian.AppendUint32(b, m.Position.Check)
	b = binary.LittleEndian.AppendUint64(b, m.ID)
	b = binary.AppendVarint(b, m.Time)
	b = binary.AppendVarint(b, at-m.Time)
	b = binary.AppendUvarint(b, uint64(m.Size()))
	b = binary.AppendUvarint(b, total)
	kind, payload := byte(carriesNothing), m.Bytes
	switch {
	case m.Bytes != nil:
		kind = carriesBytes
	case m.Data != nil:
		kind, payload = carriesData, m.Data
	}
	b = append(b, kind)
	for _, s := range [...]string{m.From.User, m.From.Client, m.From.Name, m.Event, m.Key, m.Exclude} {
		b = appendString(b, s)
	}
	return seal(append(b, payload...), key)
}

// decodeEntry reads the front of a message's record under key, in a room with the given epoch.
func decodeEntry(epoch protocol.Epoch, key, record []byte) (entry, decoder, error) {
	d, err := unseal(key, record)
	if err != nil {
		return entry{}, d, err
	}
	e := entry{position: protocol.Position{Epoch: epoch, Offset: keyOffset(key), Check: d.uint32()}, id: d.uint64()}
	e.time = d.varint()
	e.at = e.time + d.varint()
	e.size, e.total = d.uvarint(), d.uvarint()
	if d.bad || e.size > e.total {
		return entry{}, d, errShort
	}
	return e, d, nil
}

// decodeMessage reads the record of a message of a room. The message does not share memory with the record.
func decodeMessage(room string, epoch protocol.Epoch, key, record []byte) (*protocol.Message, entry, error) {
	e, d, err := decodeEntry(epoch, key, record)
	if err != nil {
		return nil, e, err
	}
	m := &protocol.Message{Room: room, Position: e.position, ID: e.id, Time: e.time}
	kind := d.byte()
	for _, s := range [...]*string{&m.From.User, &m.From.Client, &m.From.Name, &m.Event, &m.Key, &m.Exclude} {
		*s = d.string()
	}
	payload := append([]byte{}, d.rest...)
	switch kind {
	case carriesData:
		m.Data = payload
	case carriesBytes:
		m.Bytes = payload
	}
	return m, e, d.err()
}
