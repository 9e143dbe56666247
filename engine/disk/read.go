package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Read implements engine.Engine. It sees what is synced, and waits for nothing but the files.
func (e *Engine) Read(_ context.Context, room string, q engine.Query) (engine.Page, error) {
	page, err := e.read(room, q)
	if err != nil {
		e.report(err)
		return engine.Page{}, fmt.Errorf("disk: read %q: %w", room, err)
	}
	return page, nil
}

// Heads implements the trait engine.Heads. All of them are read from one view.
func (e *Engine) Heads(_ context.Context, rooms []string) ([]protocol.Position, error) {
	v, err := e.view()
	if err != nil {
		return nil, fmt.Errorf("disk: heads of %d rooms: %w", len(rooms), err)
	}
	defer e.views.release(v)
	heads := make([]protocol.Position, len(rooms))
	for i, room := range rooms {
		s, err := readState(v.snapshot, room)
		if err != nil { // it is the room's own damage, and the others can be read
			e.report(err)
			continue
		}
		heads[i] = s.head
	}
	return heads, nil
}

func (e *Engine) read(room string, q engine.Query) (engine.Page, error) {
	v, err := e.view()
	if err != nil {
		return engine.Page{}, err
	}
	defer e.views.release(v)
	s, err := readState(v.snapshot, room)
	if err != nil {
		return engine.Page{}, err
	}
	_, now := e.clock.now()
	return readPage(v.snapshot, room, &s, q, now)
}

// readState returns the state of a room.
func readState(src pebble.Reader, room string) (state, error) {
	key := roomPrefix(nil, roomSpace, room)
	record, err := lookup(src, key)
	if err != nil {
		return state{}, damaged(room, 0, err)
	}
	if record != nil {
		s, err := decodeState(key, record)
		if err != nil {
			return state{}, damaged(room, 0, err)
		}
		return s, nil
	}
	epoch, err := readEpoch(src, bucketOf(room))
	if err != nil {
		return state{}, damaged(room, 0, err)
	}
	return unwrittenState(epoch), nil
}

// readEpoch returns the epoch of a bucket.
func readEpoch(src pebble.Reader, bucket byte) (protocol.Epoch, error) {
	key := epochKey(nil, bucket)
	record, err := lookup(src, key)
	if err != nil {
		return 0, err
	}
	if record == nil {
		return 0, errMissing
	}
	return decodeEpoch(key, record)
}

// appendEpoch writes the record of an epoch, which goes under key, over b.
func appendEpoch(b, key []byte, epoch protocol.Epoch) []byte {
	return seal(binary.AppendUvarint(begin(b), uint64(epoch)), key)
}

// decodeEpoch reads what appendEpoch wrote.
func decodeEpoch(key, record []byte) (protocol.Epoch, error) {
	d, err := unseal(key, record)
	if err != nil {
		return 0, err
	}
	epoch := protocol.Epoch(d.uvarint())
	if epoch == 0 {
		return 0, errShort
	}
	return epoch, d.err()
}

// readPage answers q from a room as src has it.
func readPage(src pebble.Reader, room string, s *state, q engine.Query, now int64) (engine.Page, error) {
	page := engine.Page{Head: s.head, Start: s.head}
	asked := q.Since
	if asked.IsZero() {
		asked = q.Before
	}
	if !q.Latest && q.Last <= 0 && (asked.IsZero() || asked == q.Since && asked == s.head) {
		return page, nil // the head alone
	}
	l, err := openLog(src, room, s)
	if err != nil {
		return page, err
	}
	defer l.close()
	var base protocol.Position
	if !q.Latest || !asked.IsZero() {
		if base, _, err = l.base(now); err != nil {
			return page, err
		}
	}
	if !asked.IsZero() {
		if page.Refused, err = l.prove(asked, base); err != nil {
			return page, err
		}
	}
	switch {
	case q.Latest:
		err = readLatest(src, room, s, &page, q.Since)
	case page.Refused != "":
	case !q.Since.IsZero():
		err = l.since(&page, q)
	case !q.Before.IsZero():
		err = l.newest(&page, base, q.Before.Offset, q)
	default:
		q.Limit = min(q.Limit, q.Last)
		err = l.newest(&page, base, s.head.Offset+1, q)
	}
	return page, err
}

// readLatest fills page with the newest per event after since, or with all of them where since is zero or refused.
func readLatest(src pebble.Reader, room string, s *state, page *engine.Page, since protocol.Position) error {
	proven := !since.IsZero() && page.Refused == ""
	var from uint64
	if proven {
		from = since.Offset
		page.Start = since
	}
	err := eachLatest(src, room, s, from, func(m *protocol.Message) {
		page.Messages = append(page.Messages, m)
	})
	if err != nil {
		return err
	}
	if proven {
		page.Count = len(page.Messages)
	}
	if len(page.Messages) > 0 {
		oldest := page.Messages[0]
		page.Start = oldest.Position.Before(oldest.ID)
	}
	return nil
}

// eachLatest calls f with the newest message of each event that was stored after an offset, ascending.
func eachLatest(src pebble.Reader, room string, s *state, offset uint64, f func(*protocol.Message)) error {
	if !s.retention.Latest {
		return nil
	}
	prefix := roomPrefix(nil, latestSpace, room)
	iter, err := src.NewIter(&pebble.IterOptions{
		LowerBound: binary.BigEndian.AppendUint64(bytes.Clone(prefix), offset+1),
		UpperBound: after(prefix),
	})
	if err != nil {
		return damaged(room, 0, err)
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.First(); valid; valid = iter.Next() {
		record, err := iter.ValueAndErr()
		if err != nil {
			return damaged(room, 0, err)
		}
		m, _, err := decodeMessage(room, s.head.Epoch, iter.Key(), record)
		if err != nil {
			return damaged(room, keyOffset(iter.Key()), err)
		}
		f(m)
	}
	if err := iter.Error(); err != nil {
		return damaged(room, 0, err)
	}
	return nil
}
