package memory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Publish implements engine.Engine.
func (e *Engine) Publish(_ context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	name := p.Message.Room
	receipt, err := e.publish(p)
	if err != nil {
		err = fmt.Errorf("memory: publish %q: %w", name, err)
	}
	done(receipt, err)
}

func (e *Engine) publish(p *engine.Publication) (engine.Receipt, error) {
	if p.Ephemeral {
		return e.pass(p.Message)
	}
	if e.over(p) > 0 {
		if receipt, ok, err := e.again(p); ok || err != nil {
			return receipt, err // what was stored needs no space
		}
		if !e.spaceFor(p) {
			return engine.Receipt{}, engine.ErrStorageFull
		}
	}
	r, err := e.hold(p.Message.Room, true)
	if err != nil {
		return engine.Receipt{}, err
	}
	receipt, unwritten, err := e.store(r, p)
	if unwritten {
		e.forget(r, (*room).unwritten)
	}
	return receipt, err
}

// store stores p in r, which is locked and which it unlocks, and feeds it. It reports whether nothing was ever stored
// in r, so that it may have been created in vain.
func (e *Engine) store(r *room, p *engine.Publication) (receipt engine.Receipt, unwritten bool, err error) {
	defer r.mu.Unlock()
	wall, now := e.clock()
	id := protocol.NewMessageID()
	receipt, err = e.once(r, p, engine.Receipt{Position: r.head.Next(id), Time: max(wall, r.time)}, now)
	if err == nil && !receipt.Duplicate {
		m := p.Message
		m.Room = r.name // one copy of the name for all messages
		m.ID, m.Position, m.Time = id, receipt.Position, receipt.Time
		e.bytes.Add(r.keep(m, p.Retention, now))
		if r.subscribed {
			e.feed.Deliver(m)
		}
	}
	if err == nil {
		e.place(r, now)
	}
	return receipt, r.unwritten(), err
}

// once returns receipt, and remembers it, when p was not stored before; otherwise the receipt of that time. The
// room's lock is held.
func (e *Engine) once(r *room, p *engine.Publication, receipt engine.Receipt, now time.Duration) (engine.Receipt, error) {
	if p.Producer == "" && p.Message.Key == "" {
		return receipt, nil
	}
	try := func() (engine.Receipt, error) {
		if p.Producer != "" {
			return r.once(p, receipt, &e.quota, now)
		}
		return e.keys.once(scope{owner: p.Owner, room: r.name, key: p.Message.Key}, receipt, now)
	}
	answer, err := try()
	if errors.Is(err, engine.ErrTooManyKeys) { // some may have expired since
		e.keys.expire(now)
		answer, err = try()
	}
	return answer, err
}

// again returns what p was answered when it was stored before, if it was. No lock is held.
func (e *Engine) again(p *engine.Publication) (receipt engine.Receipt, ok bool, err error) {
	if p.Producer == "" && p.Message.Key == "" {
		return receipt, false, nil
	}
	r, err := e.look(p.Message.Room)
	if err != nil {
		return receipt, false, err
	}
	defer r.mu.Unlock()
	if r.unwritten() { // nothing may keep it
		return receipt, false, nil
	}
	_, now := e.clock()
	if p.Producer != "" {
		receipt, ok = r.known(p, now)
	} else {
		receipt, ok = e.keys.known(scope{owner: p.Owner, room: r.name, key: p.Message.Key}, now)
	}
	if ok {
		e.place(r, now)
	}
	return receipt, ok, nil
}

// keep makes m, at the next position, the head, keeps it as retention says, and returns by how much the bytes kept
// grew. The room's lock is held.
func (r *room) keep(m *protocol.Message, retention engine.Retention, now time.Duration) int64 {
	before := r.bytes()
	r.log.trim(r.retention, now) // what has left does not come back with a wider bound
	r.head, r.time, r.retention = m.Position, m.Time, retention
	if retention.Messages > 0 {
		r.log.append(m, now)
	}
	r.log.trim(retention, now)
	if r.log.entries.n == 0 {
		r.log.base = r.head
	}
	if !retention.Latest {
		r.latest = nil
		return r.bytes() - before
	}
	if r.latest == nil {
		r.latest = newLatest()
	}
	r.latest.put(m)
	return r.bytes() - before
}

// pass feeds an ephemeral message.
func (e *Engine) pass(m *protocol.Message) (engine.Receipt, error) {
	r, err := e.look(m.Room)
	if err != nil {
		return engine.Receipt{}, err
	}
	defer r.mu.Unlock()
	wall, _ := e.clock()
	r.time = max(wall, r.time)
	m.Room, m.Time = r.name, r.time
	if r.subscribed {
		e.feed.Deliver(m)
	}
	return engine.Receipt{Time: m.Time}, nil
}

// touchEvery is how exact the order of rooms by their last publish is.
const touchEvery = time.Second

// place notes that r was published to. Its lock is held.
func (e *Engine) place(r *room, now time.Duration) {
	again := now/touchEvery != r.used/touchEvery
	r.used = now
	switch {
	case r.log.entries.n == 0:
		e.logs.remove(&r.inLogs)
	case again || r.inLogs == nil:
		e.logs.touch(r, &r.inLogs)
	}
	if !r.subscribed && (again || r.inIdle == nil) {
		e.idle.touch(r, &r.inIdle)
	}
}
