package disk

import (
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// What leaves a log by its retention is deleted later, many messages at once: when a room has a quarter too much, when
// its retention changes, and when it was not published to for a while.
const (
	slackMessages = 128
	slackBytes    = 64 << 10
	fewMessages   = 32 // are deleted one by one
)

// bulky reports whether a room has so much too much that it is worth deleting.
func (s *state) bulky() bool {
	keep := &s.retention
	most := keep.Messages + max(keep.Messages/4, slackMessages)
	if keep.Messages > 0 && s.head.Offset-s.floor.Offset > uint64(most) {
		return true
	}
	return keep.Bytes > 0 && s.total-s.floorTotal > uint64(keep.Bytes+max(keep.Bytes/4, slackBytes))
}

// retain prepares a room for a message of the given retention: it deletes what has left, where that is worth it or must
// not come back by a wider bound.
func (c *committer) retain(t *turn, r *room, keep engine.Retention) error {
	changed := keep != r.retention && !r.unwritten()
	if changed && r.grown == c.turns {
		return errTurnOver
	}
	if (changed || r.bulky()) && r.grown != c.turns {
		if _, err := c.trim(t, r); err != nil {
			return err
		}
	}
	if changed && keep.Messages <= 0 {
		c.cut(t, r, r.head, r.total)
	}
	if keep.Latest {
		return c.loadLatest(r)
	}
	return nil
}

// trim deletes what has left the log of a room in which nothing was stored in this turn. It returns the engine time at
// which the oldest message that stays was stored, where there is one and a bound on its age.
func (c *committer) trim(t *turn, r *room) (oldest int64, err error) {
	if r.empty() {
		return 0, nil
	}
	l, err := openLog(c.store.db, r.name, &r.state)
	if err != nil {
		return 0, err
	}
	defer l.close()
	base, total, err := l.base(t.now)
	if err != nil {
		return 0, err
	}
	if base != r.head && r.retention.Age > 0 {
		if err := l.seek(base.Offset + 1); err != nil {
			return 0, err
		}
		oldest = l.found.at
	}
	c.cut(t, r, base, total)
	return oldest, nil
}

// cut deletes the messages of a room up to base, where the total is given.
func (c *committer) cut(t *turn, r *room, base protocol.Position, total uint64) {
	if base == r.floor {
		return
	}
	first := r.floor.Offset + 1
	if base.Offset-r.floor.Offset > fewMessages {
		t.deleteRange(offsetKey(nil, messageSpace, r.name, first), offsetKey(nil, messageSpace, r.name, base.Offset+1))
	} else {
		for ; first <= base.Offset; first++ {
			c.key = offsetKey(c.key[:0], messageSpace, r.name, first)
			t.delete(c.key)
		}
	}
	c.journal.bytes -= int64(total - r.floorTotal)
	r.floor, r.floorTotal = base, total
	c.change(t, r)
}

// schedule sees to it that a room in which a message was stored is looked at in time.
func (c *committer) schedule(t *turn, r *room) {
	due := r.used + r.life()
	if !r.empty() && r.retention.Age > 0 {
		due = min(due, t.now+aged(r.retention.Age))
	}
	if r.due == 0 || r.due > due {
		c.lookAt(t, r, due)
	}
}

// aged returns after how many milliseconds a message of a room with that bound on age is deleted: a little late, so
// that many are deleted at once.
func aged(age time.Duration) int64 {
	return (age + max(age/8, time.Second)).Milliseconds()
}

// lookAt has a room looked at when it is due; 0 is never.
func (c *committer) lookAt(t *turn, r *room, due int64) {
	if r.due != 0 {
		c.key = dueKey(c.key[:0], r.due, r.name)
		t.delete(c.key)
	}
	if r.due = due; due != 0 {
		c.key = dueKey(c.key[:0], due, r.name)
		t.set(c.key, nil)
	}
	c.change(t, r)
}

// look does what is due for a room: it deletes what has left the log, or forgets the whole room.
func (c *committer) look(t *turn, name string) error {
	r, err := c.hold(name)
	if err != nil || r.unwritten() || r.grown == c.turns || r.dropped == c.turns || r.due > t.now {
		return err // what was stored in this turn cannot be read yet; it is due again next time
	}
	oldest, err := c.trim(t, r)
	if err != nil {
		return err
	}
	life := r.used + r.life()
	if r.empty() && r.latestBytes == 0 && t.now > life && !c.subscriptions.has(name) {
		return c.forget(t, r)
	}
	due := max(life, t.now+time.Hour.Milliseconds())
	if oldest != 0 {
		due = min(due, max(oldest+aged(r.retention.Age), t.now+time.Second.Milliseconds()))
	}
	c.lookAt(t, r, due)
	return nil
}

// forget drops all that is kept of a room in which nothing was stored in this turn. Its next message begins another
// epoch, as does that of every room of its bucket in which nothing was ever stored.
func (c *committer) forget(t *turn, r *room) error {
	var owners []string
	prefix := roomPrefix(nil, producerSpace, r.name)
	err := eachProducer(c.store.db, prefix, after(prefix), func(_ []byte, p *producer) bool {
		owners = append(owners, p.owner)
		return true
	})
	if err != nil {
		return damaged(r.name, 0, err)
	}
	for _, owner := range owners {
		c.quota.releaseProducer(owner)
	}
	for _, space := range [...]byte{messageSpace, latestSpace, producerSpace, stampSpace} {
		prefix := roomPrefix(nil, space, r.name)
		t.deleteRange(prefix, after(prefix))
	}
	c.lookAt(t, r, 0)
	c.journal.bytes -= r.bytes()
	bucket := bucketOf(r.name)
	c.epochs[bucket] = protocol.NewEpoch()
	c.key = epochKey(c.key[:0], bucket)
	c.value = appendEpoch(c.value, c.key, c.epochs[bucket])
	t.set(c.key, c.value)
	c.rooms.weigh(r, 1-r.weight)
	r.state, r.producers, r.latest, r.dropped = unwrittenState(c.epochs[bucket]), nil, nil, c.turns
	return nil
}
