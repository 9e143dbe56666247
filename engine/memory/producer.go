package memory

import (
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// producer is a publisher that numbers its publishes to one room.
type producer struct {
	owner  string        // whose quota it counts in
	last   uint64        // the sequence stored last
	seen   time.Duration // when it published last
	window ring[stamp]   // of the last engine.ProducerWindow messages, up to last
}

// stamp is what a duplicate is answered with.
type stamp struct {
	offset uint64
	time   int64
	check  uint32
}

// once returns receipt when the producer's sequence is the next one, and remembers it; what the publish got before,
// when it is a lower one; engine.ErrOutOfOrder otherwise. The room's lock is held.
func (r *room) once(p *engine.Publication, receipt engine.Receipt, q *quota, now time.Duration) (engine.Receipt, error) {
	known := r.producers[p.Producer]
	if known == nil {
		if p.Seq != 1 {
			return engine.Receipt{}, engine.ErrOutOfOrder
		}
		if err := q.take(p.Owner); err != nil {
			return engine.Receipt{}, err
		}
		if r.producers == nil {
			r.producers = make(map[string]*producer)
		}
		known = &producer{owner: p.Owner}
		r.producers[p.Producer] = known
	}
	if p.Seq == 0 || p.Seq > known.last+1 {
		return engine.Receipt{}, engine.ErrOutOfOrder
	}
	if first, ok := r.known(p, now); ok {
		return first, nil
	}
	known.seen = now
	known.remember(receipt)
	return receipt, nil
}

// known returns what a publish of a producer got before, if it was stored. The room's lock is held.
func (r *room) known(p *engine.Publication, now time.Duration) (receipt engine.Receipt, ok bool) {
	known := r.producers[p.Producer]
	if known == nil || p.Seq == 0 || p.Seq > known.last {
		return receipt, false
	}
	known.seen = now
	return known.answer(p.Seq, r.head.Epoch), true
}

// remember takes the next sequence.
func (p *producer) remember(receipt engine.Receipt) {
	p.last++
	if p.window.n == engine.ProducerWindow {
		p.window.pop()
	}
	p.window.push(stamp{offset: receipt.Position.Offset, time: receipt.Time, check: receipt.Position.Check})
}

// answer returns where seq, which is not above last, was stored: without position and time when that was too long ago.
func (p *producer) answer(seq uint64, epoch protocol.Epoch) engine.Receipt {
	back := p.last - seq
	if back >= uint64(p.window.n) {
		return engine.Receipt{Duplicate: true}
	}
	s := p.window.at(p.window.n - 1 - int(back))
	return engine.Receipt{
		Position:  protocol.Position{Epoch: epoch, Offset: s.offset, Check: s.check},
		Time:      s.time,
		Duplicate: true,
	}
}

// expireProducers lets go the producers that have been silent for as long as the room keeps a message, and at least
// for engine.KeyWindow; for no longer than that when q is crowded. The room's lock is held.
func (r *room) expireProducers(q *quota, now time.Duration) {
	life := r.retention.Age
	if r.retention.Messages > 0 && life == 0 {
		life = engine.RoomLife
	}
	for name, p := range r.producers {
		if silent := now - p.seen; silent > engine.KeyWindow && (silent > life || q.crowded(p.owner)) {
			delete(r.producers, name)
			q.release(p.owner)
		}
	}
	if len(r.producers) == 0 {
		r.producers = nil
	}
}
