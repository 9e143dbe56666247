package disk

import (
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// producer is a publisher that numbers its publishes to one room. Where its last messages are stands in records of
// their own, its stamps: one publish writes one of them, whatever the window.
type producer struct {
	owner string  // whose quota it counts in
	last  uint64  // the sequence stored last
	seen  int64   // engine time at which it published last
	noted int64   // what its record says of seen
	turn  uint64  // in which fresh was stored
	fresh []stamp // stored in that turn, in order: they cannot be read yet
}

// stamp is one of a producer's last messages.
type stamp struct {
	seq   uint64
	place stored
}

// noteEvery is how far the record of when something was last used may lag behind, in milliseconds, where nothing else
// is written.
const noteEvery = int64(time.Minute / time.Millisecond)

// appendProducer writes the record of p, which goes under key, over b.
func appendProducer(b, key []byte, p *producer) []byte {
	b = appendString(begin(b), p.owner)
	b = binary.AppendUvarint(b, p.last)
	return seal(binary.AppendVarint(b, p.seen), key)
}

// decodeProducer reads what appendProducer wrote.
func decodeProducer(key, record []byte) (*producer, error) {
	d, err := unseal(key, record)
	if err != nil {
		return nil, err
	}
	p := &producer{owner: d.string(), last: d.uvarint(), seen: d.varint()}
	p.noted = p.seen
	return p, d.err()
}

// appendStamp writes the record of s, which goes under key, over b.
func appendStamp(b, key []byte, s *stamp) []byte {
	b = appendPlace(binary.AppendUvarint(begin(b), s.seq), s.place.position)
	return seal(binary.AppendVarint(b, s.place.time), key)
}

// decodeStamp reads what appendStamp wrote.
func decodeStamp(epoch protocol.Epoch, key, record []byte) (stamp, error) {
	d, err := unseal(key, record)
	if err != nil {
		return stamp{}, err
	}
	s := stamp{seq: d.uvarint(), place: stored{position: d.place(epoch), time: d.varint()}}
	return s, d.err()
}

// stampKey appends the key of the stamp that a sequence has, for as long as it is among the last.
func stampKey(b []byte, room, name string, seq uint64) []byte {
	return append(producerKey(b, stampSpace, room, name), byte(seq%engine.ProducerWindow))
}

// producer returns the producer of a room, or nil.
func (c *committer) producer(r *room, name string) (*producer, error) {
	if p := r.producers[name]; p != nil {
		return p, nil
	}
	c.key = producerKey(c.key[:0], producerSpace, r.name, name)
	record, err := lookup(c.store.db, c.key)
	if err != nil {
		return nil, damaged(r.name, 0, err)
	}
	if record == nil {
		return nil, nil
	}
	p, err := decodeProducer(c.key, record)
	if err != nil {
		return nil, damaged(r.name, 0, err)
	}
	c.rooms.adopt(r, name, p)
	return p, nil
}

// answer returns where seq, which is not above p.last, was stored: without position and time when that was too long
// ago.
func (c *committer) answer(r *room, name string, p *producer, seq uint64) (engine.Receipt, error) {
	if p.last-seq >= engine.ProducerWindow {
		return engine.Receipt{Duplicate: true}, nil
	}
	if p.turn == c.turns && seq >= p.fresh[0].seq {
		return p.fresh[seq-p.fresh[0].seq].place.receipt(), nil
	}
	c.key = stampKey(c.key[:0], r.name, name, seq)
	record, err := lookup(c.store.db, c.key)
	if err != nil {
		return engine.Receipt{}, damaged(r.name, 0, err)
	}
	if record == nil { // it was lost and the store repaired
		return engine.Receipt{Duplicate: true}, nil
	}
	s, err := decodeStamp(r.head.Epoch, c.key, record)
	if err != nil {
		return engine.Receipt{}, damaged(r.name, 0, err)
	}
	if s.seq != seq { // as above
		return engine.Receipt{Duplicate: true}, nil
	}
	return s.place.receipt(), nil
}

// rememberSeq notes that p was stored as its producer's next, in r.
func (c *committer) rememberSeq(t *turn, r *room, p *engine.Publication, at stored) {
	known := r.producers[p.Producer]
	if known == nil {
		known = &producer{owner: p.Owner}
		c.rooms.adopt(r, p.Producer, known)
	}
	if known.turn != c.turns {
		known.turn, known.fresh = c.turns, nil
	}
	s := stamp{seq: p.Seq, place: at}
	known.last, known.fresh = p.Seq, append(known.fresh, s)
	c.key = stampKey(c.key[:0], r.name, p.Producer, p.Seq)
	c.value = appendStamp(c.value, c.key, &s)
	t.set(c.key, c.value)
	c.noteProducer(t, r, p.Producer, known)
}

// noteProducer writes that a producer published now.
func (c *committer) noteProducer(t *turn, r *room, name string, p *producer) {
	p.seen, p.noted = t.now, t.now
	c.key = producerKey(c.key[:0], producerSpace, r.name, name)
	c.value = appendProducer(c.value, c.key, p)
	t.set(c.key, c.value)
}

// eachProducer calls f with each producer whose key is from on and before to, until f returns false.
func eachProducer(src pebble.Reader, from, to []byte, f func(key []byte, p *producer) bool) error {
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	for valid := iter.First(); valid; valid = iter.Next() {
		record, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		p, err := decodeProducer(iter.Key(), record)
		if err != nil {
			return err
		}
		if !f(iter.Key(), p) {
			return nil
		}
	}
	return iter.Error()
}
