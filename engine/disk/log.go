package disk

import (
	"bytes"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// log reads the messages between the floor and the head of one room.
type log struct {
	room  string
	state *state
	iter  *pebble.Iterator
	key   []byte
	found entry // of the message that seek or step went to
}

// openLog returns the log of a room as src has it, to be closed.
func openLog(src pebble.Reader, room string, s *state) (*log, error) {
	iter, err := src.NewIter(&pebble.IterOptions{
		LowerBound: offsetKey(nil, messageSpace, room, s.floor.Offset+1),
		UpperBound: offsetKey(nil, messageSpace, room, s.head.Offset+1),
	})
	if err != nil {
		return nil, damaged(room, 0, err)
	}
	return &log{room: room, state: s, iter: iter}, nil
}

// close ends the log.
func (l *log) close() { _ = l.iter.Close() } // whatever went wrong was seen when it was read

// seek goes to the message at an offset between the floor and the head.
func (l *log) seek(offset uint64) error {
	l.key = offsetKey(l.key[:0], messageSpace, l.room, offset)
	return l.at(l.iter.SeekGE(l.key), offset)
}

// next goes to the message after the one found, which must follow it.
func (l *log) next() error {
	last := l.found.position
	l.key = offsetKey(l.key[:0], messageSpace, l.room, last.Offset+1)
	if err := l.at(l.iter.Next(), last.Offset+1); err != nil {
		return err
	}
	return l.linked(last, &l.found)
}

// previous goes to the message before the one found, which must follow it.
func (l *log) previous() error {
	later := l.found
	l.key = offsetKey(l.key[:0], messageSpace, l.room, later.position.Offset-1)
	if err := l.at(l.iter.Prev(), later.position.Offset-1); err != nil {
		return err
	}
	return l.linked(l.found.position, &later)
}

// linked reports as damage that a message was not stored right after another one.
func (l *log) linked(prev protocol.Position, m *entry) error {
	if m.before() != prev {
		return damaged(l.room, m.position.Offset, errChain)
	}
	return nil
}

// at reads what the iterator went to, which must be the message at the given offset: the log has no hole.
func (l *log) at(valid bool, offset uint64) error {
	if !valid || !bytes.Equal(l.iter.Key(), l.key) {
		err := l.iter.Error()
		if err == nil {
			err = errMissing
		}
		return damaged(l.room, offset, err)
	}
	record, err := l.iter.ValueAndErr()
	if err == nil {
		l.found, _, err = decodeEntry(l.state.head.Epoch, l.key, record)
	}
	if err == nil && offset == l.state.head.Offset && l.found.position != l.state.head {
		err = errChain
	}
	if err != nil {
		return damaged(l.room, offset, err)
	}
	return nil
}

// message returns the message found.
func (l *log) message() (*protocol.Message, error) {
	record, err := l.iter.ValueAndErr()
	if err != nil {
		return nil, damaged(l.room, l.found.position.Offset, err)
	}
	m, _, err := decodeMessage(l.room, l.state.head.Epoch, l.key, record)
	if err != nil {
		return nil, damaged(l.room, l.found.position.Offset, err)
	}
	return m, nil
}

// base returns the position of the last message that has left by the room's retention at the given engine time, and
// the total up to it. Bounds only ever let more messages leave, so the first one kept is searched for.
func (l *log) base(now int64) (protocol.Position, uint64, error) {
	s := l.state
	if s.retention.Messages <= 0 || s.empty() {
		return s.head, s.total, nil
	}
	first := s.floor.Offset + 1
	if kept := uint64(s.retention.Messages); s.head.Offset > kept {
		first = max(first, s.head.Offset-kept+1)
	}
	if first == s.floor.Offset+1 && s.retention.Bytes == 0 && s.retention.Age == 0 {
		return s.floor, s.floorTotal, nil
	}
	if err := l.seek(first); err != nil {
		return protocol.Position{}, 0, err
	}
	if first == s.floor.Offset+1 {
		if err := l.linked(s.floor, &l.found); err != nil {
			return protocol.Position{}, 0, err
		}
	}
	if l.stays(now) {
		return l.found.before(), l.found.totalBefore(), nil
	}
	return l.search(first, now)
}

// search is base for the messages behind the first one, which has left.
func (l *log) search(first uint64, now int64) (protocol.Position, uint64, error) {
	s := l.state
	var failed error
	left := sort.Search(int(s.head.Offset-first), func(i int) bool {
		if failed == nil {
			failed = l.seek(first + 1 + uint64(i))
		}
		return failed != nil || l.stays(now)
	})
	if failed != nil {
		return protocol.Position{}, 0, failed
	}
	if first += 1 + uint64(left); first > s.head.Offset {
		return s.head, s.total, nil
	}
	if err := l.seek(first); err != nil {
		return protocol.Position{}, 0, err
	}
	return l.found.before(), l.found.totalBefore(), nil
}

// stays reports whether the message found is within the bounds on bytes and age.
func (l *log) stays(now int64) bool {
	keep := &l.state.retention
	return (keep.Bytes == 0 || l.state.total-l.found.totalBefore() <= uint64(keep.Bytes)) &&
		(keep.Age == 0 || now-l.found.at <= keep.Age.Milliseconds())
}

// prove reports why p cannot be proven to be a position of the log with the given base, or nothing.
func (l *log) prove(p, base protocol.Position) (protocol.Reason, error) {
	head := l.state.head
	switch {
	case p.Epoch != head.Epoch:
		return protocol.ReasonEpoch, nil
	case p == head:
		return "", nil
	case p.Offset >= head.Offset:
		return protocol.ReasonDiverged, nil
	case p.Offset < base.Offset:
		return protocol.ReasonExpired, nil
	case p == base:
		return "", nil
	case p.Offset == base.Offset:
		return protocol.ReasonDiverged, nil
	}
	if err := l.seek(p.Offset); err != nil {
		return "", err
	}
	if l.found.position != p {
		return protocol.ReasonDiverged, nil
	}
	return "", nil
}

// since fills page with the messages after q.Since, which is proven, oldest first.
func (l *log) since(page *engine.Page, q engine.Query) error {
	end := l.state.head.Offset
	page.Start, page.Count = q.Since, int(end-q.Since.Offset)
	page.More = page.Count > 0
	if page.Count == 0 || q.Limit <= 0 {
		return nil
	}
	err := l.seek(q.Since.Offset + 1)
	if err == nil {
		err = l.linked(q.Since, &l.found)
	}
	for size := 0; err == nil; err = l.next() {
		size += int(l.found.size)
		if q.MaxBytes > 0 && size > q.MaxBytes && len(page.Messages) > 0 {
			return nil
		}
		m, err := l.message()
		if err != nil {
			return err
		}
		page.Messages = append(page.Messages, m)
		if m.Position.Offset == end {
			page.More = false
			return nil
		}
		if len(page.Messages) == q.Limit {
			return nil
		}
	}
	return err
}

// newest fills page with the newest messages after base and up to, not including, the offset end.
func (l *log) newest(page *engine.Page, base protocol.Position, end uint64, q engine.Query) error {
	page.More = end > base.Offset+1
	if !page.More || q.Limit <= 0 {
		return nil
	}
	defer func() { slices.Reverse(page.Messages) }()
	err := l.seek(end - 1)
	for size := 0; err == nil; err = l.previous() {
		size += int(l.found.size)
		if q.MaxBytes > 0 && size > q.MaxBytes && len(page.Messages) > 0 {
			break
		}
		m, err := l.message()
		if err != nil {
			return err
		}
		page.Messages = append(page.Messages, m)
		page.Start = l.found.before()
		page.More = page.Start.Offset > base.Offset
		if !page.More || len(page.Messages) == q.Limit {
			break
		}
	}
	return err
}
