package disk

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// turn is what is committed at once.
type turn struct {
	batch     *pebble.Batch
	written   bool  // something is in the batch
	wall, now int64 // Unix milliseconds; engine time
	full      bool  // no new message may be stored
	outcomes  []outcome
	changed   []*room            // whose state has to be written
	keys      map[string]*stored // with the keys remembered in this turn, by scope
	records   map[string]bool    // the records put or deleted in this turn, by key: whether they are kept
	ended     map[string]bool    // the producers deleted in this turn, by key
}

// outcome is what a request will be answered once the turn is committed.
type outcome struct {
	request request
	receipt engine.Receipt
	err     error
}

// The batch keeps copies, and cannot fail before it is committed.

func (t *turn) set(key, value []byte) {
	t.written = true
	_ = t.batch.Set(key, value, nil)
}

func (t *turn) delete(key []byte) {
	t.written = true
	_ = t.batch.Delete(key, nil)
}

func (t *turn) deleteRange(from, to []byte) {
	t.written = true
	_ = t.batch.DeleteRange(from, to, nil)
}

// note notes something in a map, which is made when it is needed.
func note(in map[string]bool, key string, value bool) map[string]bool {
	if in == nil {
		in = make(map[string]bool)
	}
	in[key] = value
	return in
}

// change notes that the state of a room has to be written.
func (c *committer) change(t *turn, r *room) {
	if r.changed != c.turns {
		r.changed = c.turns
		t.changed = append(t.changed, r)
	}
}

// begin begins a turn.
func (c *committer) begin() *turn {
	c.turns++
	t := &turn{batch: c.store.db.NewBatch()}
	markBatch(t.batch, c.journal.secret)
	t.wall, t.now = c.clock.now()
	t.full = c.space.full(0)
	return t
}

// end commits a turn, and then in this order makes it visible, feeds it and answers it. It reports whether the engine
// goes on.
func (c *committer) end(t *turn) bool {
	if mutAckEarly {
		t.answer()
	}
	if err := c.commit(t); err != nil {
		c.refuse(t, err)
		return false
	}
	c.feedAll(t)
	if !mutAckEarly {
		t.answer()
	}
	c.rooms.shrink(t.wall)
	return true
}

// answer answers a turn.
func (t *turn) answer() {
	for i := range t.outcomes {
		o := &t.outcomes[i]
		o.request.done(o.receipt, o.err)
	}
}

// commit writes and syncs what the turn changed, if it did, and makes it visible.
func (c *committer) commit(t *turn) error {
	if !t.written && len(t.changed) == 0 {
		_ = t.batch.Close() // nothing is in it
		return c.health.err()
	}
	for _, r := range t.changed {
		c.key = roomPrefix(c.key[:0], roomSpace, r.name)
		if r.unwritten() {
			t.delete(c.key)
			continue
		}
		c.value = appendState(c.value, c.key, &r.state)
		t.set(c.key, c.value)
		r.noted = r.used
	}
	c.journal.batch++
	c.journal.now = t.now
	c.key = numberKey(c.key[:0], journalSpace, c.journal.batch)
	c.value = appendJournal(c.value, c.key, &c.journal)
	t.set(c.key, c.value)
	if err := c.store.commit(t.batch); err != nil {
		return err
	}
	c.views.advance(c.store.db)
	c.checkCrowded()
	return nil
}

// feedAll feeds the turn's messages of subscribed rooms, unless the engine was closed and nobody waits for it any more.
func (c *committer) feedAll(t *turn) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	if c.gate.shut {
		return
	}
	fed := false
	for i := range t.outcomes {
		o := &t.outcomes[i]
		if o.err != nil || o.receipt.Duplicate || o.request.publication == nil {
			continue
		}
		if m := o.request.publication.Message; c.subscriptions.has(m.Room) {
			c.feed.Deliver(m)
			fed = true
		}
	}
	if fed {
		c.feed.Flush()
	}
}

// refuse answers a turn that was not committed. What was to be stored may be found after a restart, or not.
func (c *committer) refuse(t *turn, err error) {
	if mutAckEarly {
		return
	}
	unknown := fmt.Errorf("%w, %w: %w", engine.ErrTimeout, engine.ErrClosed, err)
	for i := range t.outcomes {
		o := &t.outcomes[i]
		if o.err == nil {
			o.err = unknown
		}
		o.request.done(engine.Receipt{}, o.err)
	}
}
