package disk

import (
	"encoding/binary"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// state is what is kept of a room besides its messages. Its log is what lies between floor and head; what of it has
// left by the retention is found when the log is read (log.go), and deleted now and then (trim.go).
type state struct {
	head        protocol.Position
	time        int64 // Unix milliseconds of the newest message; the next is never earlier
	used        int64 // engine time of the last publish, also of one recognised as a duplicate
	total       uint64
	floor       protocol.Position // of the last message that was deleted; offset 0 before the first
	floorTotal  uint64
	latestBytes uint64 // of the newest messages per event
	retention   engine.Retention
	due         int64 // engine time at which the room must be looked at; 0 before the first message
}

// unwritten reports whether nothing was ever stored in the room.
func (s *state) unwritten() bool { return s.head.Offset == 0 }

// empty reports whether the log has no message.
func (s *state) empty() bool { return s.floor.Offset == s.head.Offset }

// bytes returns what the room keeps.
func (s *state) bytes() int64 { return int64(s.total - s.floorTotal + s.latestBytes) }

// life returns how long the room is kept after its last publish, in milliseconds.
func (s *state) life() int64 {
	return max(engine.RoomLife, s.retention.Age+engine.RoomSlack).Milliseconds()
}

// unwrittenState returns the state of a room in which nothing was stored.
func unwrittenState(epoch protocol.Epoch) state {
	start := protocol.Position{Epoch: epoch}
	return state{head: start, floor: start}
}

// appendState writes the record of a room, which goes under key, over b.
func appendState(b, key []byte, s *state) []byte {
	b = begin(b)
	b = binary.AppendUvarint(b, uint64(s.head.Epoch))
	b = appendPlace(b, s.head)
	b = binary.AppendVarint(b, s.time)
	b = binary.AppendVarint(b, s.used)
	b = binary.AppendUvarint(b, s.total)
	b = appendPlace(b, s.floor)
	b = binary.AppendUvarint(b, s.floorTotal)
	b = binary.AppendUvarint(b, s.latestBytes)
	b = binary.AppendVarint(b, int64(s.retention.Messages))
	b = binary.AppendVarint(b, s.retention.Bytes)
	b = binary.AppendVarint(b, int64(s.retention.Age))
	latest := byte(0)
	if s.retention.Latest {
		latest = 1
	}
	b = append(b, latest)
	b = binary.AppendVarint(b, s.due)
	return seal(b, key)
}

// decodeState reads what appendState wrote.
func decodeState(key, record []byte) (state, error) {
	var s state
	d, err := unseal(key, record)
	if err != nil {
		return s, err
	}
	epoch := protocol.Epoch(d.uvarint())
	s.head = d.place(epoch)
	s.time, s.used, s.total = d.varint(), d.varint(), d.uvarint()
	s.floor = d.place(epoch)
	s.floorTotal, s.latestBytes = d.uvarint(), d.uvarint()
	s.retention.Messages, s.retention.Bytes, s.retention.Age = int(d.varint()), d.varint(), time.Duration(d.varint())
	s.retention.Latest = d.byte() == 1
	s.due = d.varint()
	if s.floor.Offset > s.head.Offset || s.floorTotal > s.total {
		return s, errShort
	}
	return s, d.err()
}

// appendPlace appends a position without its epoch.
func appendPlace(b []byte, p protocol.Position) []byte {
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, p.Offset), p.Check)
}

// place takes what appendPlace wrote.
func (d *decoder) place(epoch protocol.Epoch) protocol.Position {
	offset := d.uvarint()
	return protocol.Position{Epoch: epoch, Offset: offset, Check: d.uint32()}
}
