package disk

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// gap is a part of the store that cannot be read: what lies behind from and before to.
type gap struct {
	from, to []byte // to is nil at the end of the space
	err      error
}

// covers reports whether what a room has in the space of the gap may lie in it.
func (g *gap) covers(room string) bool {
	space := g.from[0]
	prefix := roomPrefix(nil, space, room)
	return bytes.Compare(g.from, after(prefix)) < 0 && (g.to == nil || bytes.Compare(g.to, prefix) > 0)
}

// scan calls f with each record of a space that can be read, in their order, and returns the gaps. What f gets is not
// its own.
func scan(src pebble.Reader, space byte, f func(key, value []byte)) (gaps []gap) {
	for from := []byte{space}; from != nil; {
		last, err := scanFrom(src, from, f)
		if err == nil {
			break
		}
		g := gap{from: last, to: skip(src, last), err: err}
		gaps = append(gaps, g)
		from = g.to
	}
	return gaps
}

// scanFrom is scan up to the first gap; last is the last key that was read, or from.
func scanFrom(src pebble.Reader, from []byte, f func(key, value []byte)) (last []byte, err error) {
	last = from
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{from[0] + 1}})
	if err != nil {
		return last, err
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.First(); valid; valid = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return last, err
		}
		f(iter.Key(), value)
		last = append([]byte(nil), iter.Key()...)
	}
	return last, iter.Error()
}

// Bounds of how exactly the end of a gap is found: in bytes of a key, and in bytes 0xff at its end. No key has so many of
// these in a row, so that what follows them belongs to the gap; each byte more costs eight looks at what is damaged.
const (
	skipDepth = 600
	skipHighs = 9
)

// skip returns the first key behind from at which reading goes on, or nil: it is searched for byte by byte, since
// nothing tells where a damaged block ends.
func skip(src pebble.Reader, from []byte) []byte {
	var found []byte
	for p := []byte{from[0]}; len(p) < skipDepth; {
		low, high := 0, 256 // p with the byte low-1 cannot be read, with high it can
		for low < high {
			middle := (low + high) / 2
			if readable(src, from, append(p, byte(middle))) {
				high = middle
			} else {
				low = middle + 1
			}
		}
		if low < 256 {
			found = append(bytes.Clone(p), byte(low))
		}
		if low == 0 {
			break
		}
		p = append(p, byte(low-1))
		if bytes.HasSuffix(p, bytes.Repeat([]byte{0xff}, skipHighs)) {
			break
		}
	}
	return found
}

// readable reports whether the first record from key on can be read, which lies behind from.
func readable(src pebble.Reader, from, key []byte) bool {
	if bytes.Compare(key, from) <= 0 {
		return false
	}
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: []byte{key[0] + 1}})
	if err != nil {
		return false
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	if iter.First() {
		_, err = iter.ValueAndErr()
		return err == nil
	}
	return iter.Error() == nil
}

// roomOf returns the room that a key is of.
func roomOf(key []byte) (room string, ok bool) {
	if len(key) == 0 {
		return "", false
	}
	rest := key[1:]
	switch key[0] {
	case messageSpace, latestSpace, producerSpace, stampSpace, roomSpace:
	case dueSpace, keySpace:
		if len(rest) < 8 {
			return "", false
		}
		rest = rest[8:]
		if key[0] == keySpace { // behind the owner
			if _, rest, ok = cutText(rest); !ok {
				return "", false
			}
		}
	default:
		return "", false
	}
	room, _, ok = cutText(rest)
	return room, ok
}

// eachKeyOf calls f with the keys of a batch, as far as it can be read.
func eachKeyOf(batch []byte, f func(key []byte)) {
	if len(batch) < batchrepr.HeaderLen {
		return
	}
	for reader := batchrepr.Read(batch); ; {
		_, key, _, ok, err := reader.Next()
		if !ok || err != nil {
			return
		}
		f(key)
	}
}

// numberOf returns the number of a batch, or 0.
func numberOf(batch []byte) (number uint64) {
	eachKeyOf(batch, func(key []byte) {
		if len(key) == 9 && key[0] == journalSpace {
			number = binary.BigEndian.Uint64(key[1:])
		}
	})
	return number
}
