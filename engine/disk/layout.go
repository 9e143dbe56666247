package disk

import (
	"encoding/binary"
	"hash/crc32"
)

// The store is one ordered space of keys; the first byte of a key says what it is of. Texts in keys are written by
// appendText and numbers big-endian, so that what belongs together stands together and in its order.
const (
	dueSpace      = 'd' // due time, room: when a room must be looked at
	epochSpace    = 'e' // bucket: the epoch of rooms in which nothing was stored
	journalSpace  = 'j' // number of a batch: what the node counts, as of that batch
	keySpace      = 'k' // window, owner, room, key: the publish with an idempotency key
	latestSpace   = 'l' // room, offset: the newest message of an event
	messageSpace  = 'm' // room, offset: a message of the log
	producerSpace = 'p' // room, producer
	stampSpace    = 'q' // room, producer, slot: one of the producer's last messages
	roomSpace     = 'r' // room
	recordSpace   = 'x' // kind, key: an engine.Record
)

// A text in a key ends with textEnd; a zero byte in it is followed by textZero, so that the order of texts is kept and
// none is the beginning of another.
const (
	textEnd  = 0x01
	textZero = 0xff
)

// appendText appends a text to a key.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		b = append(b, text[i])
		if text[i] == 0 {
			b = append(b, textZero)
		}
	}
	return append(b, 0, textEnd)
}

// cutText takes the text off the front of a key.
func cutText(key []byte) (text string, rest []byte, ok bool) {
	var b []byte
	for i := 0; i+1 < len(key); i++ {
		if key[i] != 0 {
			b = append(b, key[i])
			continue
		}
		switch i++; key[i] {
		case textEnd:
			return string(b), key[i+1:], true
		case textZero:
			b = append(b, 0)
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// roomPrefix appends what the keys of a room in a space begin with.
func roomPrefix(b []byte, space byte, room string) []byte {
	return appendText(append(b, space), room)
}

// offsetKey appends the key of a room's message in messageSpace or latestSpace.
func offsetKey(b []byte, space byte, room string, offset uint64) []byte {
	return binary.BigEndian.AppendUint64(roomPrefix(b, space, room), offset)
}

// keyOffset returns the offset at the end of a key that offsetKey wrote.
func keyOffset(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// numberKey appends a space and a number: the front of the keys in dueSpace, journalSpace and keySpace.
func numberKey(b []byte, space byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, space), number)
}

// dueKey appends the key that says when a room must be looked at, in engine time.
func dueKey(b []byte, due int64, room string) []byte {
	return appendText(numberKey(b, dueSpace, uint64(due)), room)
}

// producerKey appends the key of a producer, or with a slot after it of one of its stamps.
func producerKey(b []byte, space byte, room, producer string) []byte {
	return appendText(roomPrefix(b, space, room), producer)
}

// recordKey appends the key of an engine.Record.
func recordKey(b []byte, kind, key string) []byte {
	return appendText(appendText(append(b, recordSpace), kind), key)
}

// buckets is how many epochs there are for rooms in which nothing was stored.
const buckets = 256

// bucketOf returns the bucket of a room.
func bucketOf(room string) byte { return byte(crc32.ChecksumIEEE([]byte(room))) }

// epochKey appends the key of a bucket's epoch.
func epochKey(b []byte, bucket byte) []byte { return append(b, epochSpace, bucket) }

// after returns the first key behind all those that begin with prefix, which does not end with 0xff.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
