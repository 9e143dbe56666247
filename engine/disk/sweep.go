package disk

import (
	"bytes"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// sweepEvery is how often what has run out is deleted: what is read or published to is always exact.
const sweepEvery = 30 * time.Second

// How much the sweeper does at once: of what it reads of one kind in a sweep, and asks of the committer in a turn.
const (
	sweepPage  = 100_000
	sweepChunk = 64
)

// noteTimeEvery is how old the newest time in the store may become while nothing is stored, in milliseconds.
const noteTimeEvery = int64(10 * time.Minute / time.Millisecond)

// sweeper is what the sweeper remembers from one sweep to the next.
type sweeper struct {
	*Engine
	producers []byte // the key to go on from
	records   []byte
}

// sweep runs until the engine is closed.
func (e *Engine) sweep() {
	s := &sweeper{Engine: e, producers: []byte{producerSpace}, records: []byte{recordSpace}}
	ticker := time.NewTicker(e.options.sweeping)
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
		case <-e.crowded:
		}
		if err := s.once(); err != nil && e.health.err() == nil {
			e.options.Logger.Warn("disk store: what has run out could not all be deleted", "error", err)
		}
	}
}

// once does one sweep.
func (s *sweeper) once() error {
	if err := s.space.hold(); err != nil {
		return err
	}
	for _, step := range [...]func(pebble.Reader, int64) error{
		s.sweepRooms, s.sweepKeys, s.sweepProducers, s.sweepRecords, s.sweepJournal, s.evict,
	} {
		v, err := s.views.acquire()
		if err != nil {
			return nil //nolint:nilerr // the engine is closed
		}
		_, now := s.clock.now()
		err = step(v.snapshot, now)
		s.views.release(v)
		if err != nil {
			return err
		}
	}
	return nil
}

// ask has the committer do some work, and waits for it.
func (s *sweeper) ask(work func(*committer, *turn) error) error {
	done := make(chan error, 1)
	if err := s.queue.push(request{work: work, done: func(_ engine.Receipt, err error) { done <- err }}); err != nil {
		return err
	}
	return <-done
}

// askEach has the committer do some work for each of many, a few in a turn.
func (s *sweeper) askEach(many []string, work func(*committer, *turn, string) error) (failed error) {
	for len(many) > 0 {
		some := many[:min(len(many), sweepChunk)]
		many = many[len(some):]
		err := s.ask(func(c *committer, t *turn) error {
			for _, one := range some {
				if err := work(c, t, one); err != nil {
					failed = err // of a room that is damaged; the others go on
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return failed
}

// sweepRooms looks at the rooms that are due.
func (s *sweeper) sweepRooms(src pebble.Reader, now int64) error {
	iter, err := src.NewIter(&pebble.IterOptions{
		LowerBound: []byte{dueSpace}, UpperBound: numberKey(nil, dueSpace, uint64(now)+1),
	})
	if err != nil {
		return err
	}
	var due []string
	for valid := iter.First(); valid && len(due) < sweepPage; valid = iter.Next() {
		if room, _, ok := cutText(iter.Key()[1+8:]); ok {
			due = append(due, room)
		}
	}
	if err := iter.Close(); err != nil {
		return err
	}
	return s.askEach(due, (*committer).look)
}

// sweepKeys deletes the keys of windows that are over.
func (s *sweeper) sweepKeys(src pebble.Reader, now int64) error {
	live := max(window(now), 1) - 1
	from, to := []byte{keySpace}, numberKey(nil, keySpace, live)
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	some := iter.First()
	if err := iter.Close(); err != nil || !some {
		return err
	}
	return s.ask(func(_ *committer, t *turn) error {
		t.deleteRange(from, to)
		return nil
	})
}

// sweepProducers deletes producers that were silent for long, of the next of all producers.
func (s *sweeper) sweepProducers(src pebble.Reader, now int64) error {
	var silent []string
	looked := 0
	next := []byte{producerSpace}
	err := eachProducer(src, s.producers, []byte{producerSpace + 1}, func(key []byte, p *producer) bool {
		if looked++; looked > sweepPage {
			next = bytes.Clone(key)
			return false
		}
		if now-p.seen > silence {
			silent = append(silent, string(key))
		}
		return true
	})
	if s.producers = next; err != nil {
		return err
	}
	return s.askEach(silent, (*committer).endProducer)
}

// silence is for how long a producer is kept at least, in milliseconds; its record may lag behind.
const silence = int64(engine.KeyWindow/time.Millisecond) + 2*noteEvery

// endProducer deletes the producer with a key when it has been silent for as long as its room keeps a message, and at
// least for engine.KeyWindow; for no longer than that when the quota is crowded.
func (c *committer) endProducer(t *turn, key string) error {
	room, rest, ok := cutText([]byte(key)[1:])
	name, _, ok2 := cutText(rest)
	if !ok || !ok2 {
		return errShort
	}
	r, err := c.hold(room)
	if err != nil || r.unwritten() || t.ended[key] {
		return err
	}
	p, err := c.producer(r, name)
	if err != nil || p == nil || p.turn == c.turns {
		return err
	}
	life := r.retention.Age.Milliseconds()
	if r.retention.Messages > 0 && life == 0 {
		life = engine.RoomLife.Milliseconds()
	}
	if quiet := t.now - p.seen; quiet <= silence || quiet <= life && !c.quota.crowded(p.owner) {
		return nil
	}
	t.delete([]byte(key))
	stamps := producerKey(nil, stampSpace, room, name)
	t.deleteRange(stamps, after(stamps))
	c.quota.releaseProducer(p.owner)
	c.rooms.disown(r, name)
	r.dropped = c.turns
	t.ended = note(t.ended, key, true)
	return nil
}

// sweepRecords deletes records that have expired, of the next of all records.
func (s *sweeper) sweepRecords(src pebble.Reader, _ int64) error {
	var over []string
	looked := 0
	next := []byte{recordSpace}
	wall := s.clock.wall()
	err := eachRecord(src, s.records, func(key []byte, r engine.Record) bool {
		if looked++; looked > sweepPage {
			next = bytes.Clone(key)
			return false
		}
		if r.Expires.UnixMilli() <= wall {
			over = append(over, string(key))
		}
		return true
	})
	if s.records = next; err != nil {
		return err
	}
	return s.askEach(over, (*committer).endRecord)
}

// endRecord deletes the record with a key if it has expired.
func (c *committer) endRecord(t *turn, key string) error {
	if _, put := t.records[key]; put {
		return nil
	}
	record, err := lookup(c.store.db, []byte(key))
	if err != nil || record == nil {
		return err
	}
	r, err := decodeRecord([]byte(key), record)
	if err != nil || r.Expires.UnixMilli() > t.wall {
		return err
	}
	t.delete([]byte(key))
	c.records--
	t.records = note(t.records, key, false)
	return nil
}

// sweepJournal deletes old records of the journal, and notes the time where nothing else does.
func (s *sweeper) sweepJournal(pebble.Reader, int64) error {
	return s.ask(func(c *committer, t *turn) error {
		j := &c.journal
		if kept := c.options.batches; j.batch-j.first >= 2*kept {
			first := j.batch - kept
			t.deleteRange([]byte{journalSpace}, numberKey(nil, journalSpace, first))
			j.first = first
		}
		t.written = t.written || t.now-j.now > noteTimeEvery
		return nil
	})
}
