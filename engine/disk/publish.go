package disk

import (
	"context"
	"fmt"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Publish implements engine.Engine. done is called by the goroutine that commits, or, where the publication cannot be
// queued, before Publish returns.
func (e *Engine) Publish(_ context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	room := p.Message.Room
	answer := func(r engine.Receipt, err error) {
		if err != nil {
			e.report(err)
			err = fmt.Errorf("disk: publish %q: %w", room, err)
		}
		done(r, err)
	}
	err := e.queue.push(request{publication: p, done: answer, size: int64(p.Message.Size())})
	if err != nil {
		answer(engine.Receipt{}, err)
	}
}

// hold returns a room.
func (c *committer) hold(name string) (*room, error) {
	r, err := c.rooms.hold(c.store.db, name)
	if err == nil && r.unwritten() {
		epoch := c.epochs[bucketOf(name)] // it may have changed since
		r.head.Epoch, r.floor.Epoch = epoch, epoch
	}
	return r, err
}

// pass has an ephemeral message fed, after what was published before it.
func (c *committer) pass(t *turn, m *protocol.Message) (engine.Receipt, error) {
	r, err := c.hold(m.Room)
	if err != nil {
		return engine.Receipt{}, err
	}
	r.time = max(t.wall, r.time)
	m.Room, m.Time = r.name, r.time
	return engine.Receipt{Time: m.Time}, nil
}

// publish stores p, unless it was stored before. Whatever can fail comes first.
func (c *committer) publish(t *turn, p *engine.Publication) (engine.Receipt, error) {
	if err := c.refusals.of(p.Message.Room); err != nil {
		return engine.Receipt{}, err
	}
	r, err := c.hold(p.Message.Room)
	if err != nil {
		return engine.Receipt{}, err
	}
	if r.dropped == c.turns {
		return engine.Receipt{}, errTurnOver
	}
	known, err := c.known(t, r, p)
	if err != nil {
		return engine.Receipt{}, err
	}
	if known != nil && !mutNoDup {
		c.use(t, r)
		return *known, nil
	}
	if t.full || !c.fits(p) {
		return engine.Receipt{}, engine.ErrStorageFull
	}
	if err := c.retain(t, r, p.Retention); err != nil {
		return engine.Receipt{}, err
	}
	if err := c.count(t, r, p); err != nil {
		return engine.Receipt{}, err
	}
	return c.keep(t, r, p), nil
}

// known returns what p was answered when it was stored before, or nil.
func (c *committer) known(t *turn, r *room, p *engine.Publication) (*engine.Receipt, error) {
	if p.Producer != "" {
		return c.knownSeq(t, r, p)
	}
	if p.Message.Key == "" {
		return nil, nil
	}
	known, err := c.findKey(t, p)
	if err != nil || known == nil {
		return nil, err
	}
	receipt := known.receipt()
	return &receipt, nil
}

// knownSeq is known for a producer's sequence.
func (c *committer) knownSeq(t *turn, r *room, p *engine.Publication) (*engine.Receipt, error) {
	known, err := c.producer(r, p.Producer)
	if err != nil {
		return nil, err
	}
	var last uint64
	if known != nil {
		last = known.last
	}
	switch {
	case p.Seq == 0, p.Seq > last && p.Seq-last > 1:
		return nil, engine.ErrOutOfOrder
	case p.Seq > last:
		return nil, nil
	}
	receipt, err := c.answer(r, p.Producer, known, p.Seq)
	if err != nil {
		return nil, err
	}
	if known.seen = t.now; t.now-known.noted > noteEvery && !t.full {
		c.noteProducer(t, r, p.Producer, known)
	}
	return &receipt, nil
}

// use notes that r was published to, though nothing was stored.
func (c *committer) use(t *turn, r *room) {
	if r.used = t.now; t.now-r.noted > noteEvery && !t.full && !r.unwritten() {
		c.change(t, r)
	}
}

// fits reports whether there is space for p within the engine's bytes.
func (c *committer) fits(p *engine.Publication) bool {
	if c.options.MaxBytes <= 0 {
		return true
	}
	size := int64(p.Message.Size())
	var need int64
	if p.Retention.Messages > 0 {
		need += size
	}
	if p.Retention.Latest {
		need += size
	}
	return need == 0 || c.journal.bytes+need <= c.options.MaxBytes
}

// count counts what p will be recognised by.
func (c *committer) count(t *turn, r *room, p *engine.Publication) error {
	switch {
	case p.Producer == "" && p.Message.Key != "":
		return c.quota.takeKey(p.Owner, t.now)
	case p.Producer != "" && r.producers[p.Producer] == nil:
		return c.quota.takeProducer(p.Owner, t.now)
	}
	return nil
}

// keep stores p, which nothing stands in the way of.
func (c *committer) keep(t *turn, r *room, p *engine.Publication) engine.Receipt {
	m, before, size := p.Message, r.bytes(), uint64(p.Message.Size())
	m.ID = protocol.NewMessageID()
	m.Room, m.Position, m.Time = r.name, r.head.Next(m.ID), max(t.wall, r.time)
	r.head, r.time, r.used, r.retention, r.grown = m.Position, m.Time, t.now, p.Retention, c.turns
	r.total += size
	if p.Retention.Messages > 0 {
		c.key = offsetKey(c.key[:0], messageSpace, r.name, m.Position.Offset)
		c.value = appendMessage(c.value, c.key, m, t.now, r.total)
		t.set(c.key, c.value)
	} else {
		r.floor, r.floorTotal = r.head, r.total
	}
	if p.Retention.Latest {
		c.putLatest(t, r, m)
	} else {
		c.dropLatest(t, r)
	}
	c.schedule(t, r)
	c.change(t, r)
	c.journal.bytes += r.bytes() - before
	at := stored{position: m.Position, time: m.Time, at: t.now}
	switch {
	case p.Producer != "":
		c.rememberSeq(t, r, p, at)
	case m.Key != "":
		c.rememberKey(t, p, &at)
	}
	return engine.Receipt{Position: m.Position, Time: m.Time}
}
