package disk

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Keys stand under the window that they were stored in, which is as long as they live: a live one is in this window or
// the one before, and what is in older ones is deleted at a stroke, whatever it is.

// window returns the number of the window of an engine time.
func window(at int64) uint64 { return uint64(at / engine.KeyWindow.Milliseconds()) }

// appendScope appends where a key is unique: what follows the window.
func appendScope(b []byte, owner, room, key string) []byte {
	return appendText(appendText(appendText(b, owner), room), key)
}

// stored is what a duplicate is answered with.
type stored struct {
	position protocol.Position
	time     int64 // Unix milliseconds
	at       int64 // engine time
}

// receipt returns the answer.
func (s *stored) receipt() engine.Receipt {
	return engine.Receipt{Position: s.position, Time: s.time, Duplicate: true}
}

// appendStored writes a record of s, which goes under key, over b.
func appendStored(b, key []byte, s *stored) []byte {
	b = binary.AppendUvarint(begin(b), uint64(s.position.Epoch))
	b = appendPlace(b, s.position)
	b = binary.AppendVarint(b, s.time)
	return seal(binary.AppendVarint(b, s.at), key)
}

// decodeStored reads what appendStored wrote.
func decodeStored(key, record []byte) (stored, error) {
	d, err := unseal(key, record)
	if err != nil {
		return stored{}, err
	}
	s := stored{position: d.place(protocol.Epoch(d.uvarint())), time: d.varint(), at: d.varint()}
	return s, d.err()
}

// findKey returns what was stored with p's key within its window, or nil.
func (c *committer) findKey(t *turn, p *engine.Publication) (*stored, error) {
	scope := appendScope(nil, p.Owner, p.Message.Room, p.Message.Key)
	if s := t.keys[string(scope)]; s != nil {
		return s, nil
	}
	for w := window(t.now); ; w-- {
		key := append(numberKey(c.key[:0], keySpace, w), scope...)
		c.key = key
		record, err := lookup(c.store.db, key)
		if err != nil {
			return nil, damaged(p.Message.Room, 0, err)
		}
		if record != nil {
			s, err := decodeStored(key, record)
			if err != nil {
				return nil, damaged(p.Message.Room, 0, err)
			}
			if !expired(s.at, t.now) {
				return &s, nil
			}
		}
		if w+1 == window(t.now) || w == 0 {
			return nil, nil
		}
	}
}

// rememberKey notes that p was stored.
func (c *committer) rememberKey(t *turn, p *engine.Publication, s *stored) {
	scope := appendScope(nil, p.Owner, p.Message.Room, p.Message.Key)
	if t.keys == nil {
		t.keys = make(map[string]*stored)
	}
	t.keys[string(scope)] = s
	c.key = append(numberKey(c.key[:0], keySpace, window(t.now)), scope...)
	c.value = appendStored(c.value, c.key, s)
	t.set(c.key, c.value)
}

// eachKey calls f with the owner of each live key and the time at which it was stored.
func eachKey(src pebble.Reader, now int64, f func(owner string, at int64)) error {
	first := window(now)
	if first > 0 {
		first--
	}
	iter, err := src.NewIter(&pebble.IterOptions{
		LowerBound: numberKey(nil, keySpace, first), UpperBound: []byte{keySpace + 1},
	})
	if err != nil {
		return err
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.First(); valid; valid = iter.Next() {
		record, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		s, err := decodeStored(iter.Key(), record)
		if err != nil {
			return err
		}
		owner, _, ok := cutText(iter.Key()[1+8:])
		if !ok {
			return errShort
		}
		if !expired(s.at, now) {
			f(owner, s.at)
		}
	}
	return iter.Error()
}
