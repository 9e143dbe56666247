package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Bounds of the outbox besides those of Options.
const (
	startWindow = 64   // publishes on their way at once, at first
	mostWindow  = 256  // and at most: more a server does not read
	idleLanes   = 1024 // rooms whose numbers are remembered
	plainSize   = 256  // what a publication counts besides its texts
)

// outbox holds what was given to Publish and is not settled. The client's mu guards it.
type outbox struct {
	most      int
	mostBytes int
	count     int
	bytes     int
	lanes     map[string]*lane
	active    []*lane        // those with something in them; the first has its turn
	ephemeral []*publication // not written yet
	inFlight  int
	window    int           // bound of inFlight: grows with each success, is halved when the server has enough
	freed     chan struct{} // closed when a place became free; nil while nobody waits
	empty     chan struct{} // closed when nothing is left; nil while nobody waits
}

// newOutbox returns an outbox bounded by o.
func newOutbox(o *Options) outbox {
	return outbox{most: o.MaxOutbox, mostBytes: o.MaxOutboxBytes, lanes: make(map[string]*lane), window: startWindow}
}

// fits reports whether there is place for size bytes more.
func (o *outbox) fits(size int) bool { return o.count < o.most && o.bytes+size <= o.mostBytes }

// add takes p, which fits.
func (o *outbox) add(p *publication) {
	o.count++
	o.bytes += p.size
	if p.request.Ephemeral {
		o.ephemeral = append(o.ephemeral, p)
		return
	}
	l := o.lane(string(p.request.Room))
	if len(l.queue) == 0 {
		o.active = append(o.active, l)
	}
	l.queue = append(l.queue, p)
}

// lane returns the lane of a room. A lane that was forgotten comes back with another producer, so its numbers may
// begin anew.
func (o *outbox) lane(room string) *lane {
	if l := o.lanes[room]; l != nil {
		return l
	}
	for name, l := range o.lanes {
		if len(o.lanes) < idleLanes {
			break
		}
		if len(l.queue) == 0 {
			delete(o.lanes, name)
		}
	}
	l := &lane{room: room, producer: newProducer()}
	o.lanes[room] = l
	return l
}

// write appends what may be written now to out, and returns when there may be more; zero when something else must
// happen first.
func (o *outbox) write(s *session, out *frames, now time.Time) (next time.Time) {
	for len(o.ephemeral) > 0 && !out.full() && o.inFlight < o.window {
		p := o.ephemeral[0]
		o.ephemeral = o.ephemeral[1:]
		o.send(s, out, nil, p)
	}
	for idle := 0; idle < len(o.active); {
		if out.full() || o.inFlight >= o.window {
			return next // an answer or the next turn comes before anything else
		}
		l := o.active[0]
		copy(o.active, o.active[1:])
		o.active[len(o.active)-1] = l
		p, wait := l.next(now)
		if p == nil {
			idle++
			next = earlier(next, wait)
			continue
		}
		idle = 0
		o.send(s, out, l, p)
	}
	return next
}

// send appends p, of lane l unless it is ephemeral, to out.
func (o *outbox) send(s *session, out *frames, l *lane, p *publication) {
	q := p.request
	if l != nil {
		l.number(p)
		if p.producer != "" {
			q.Producer, q.Seq = []byte(p.producer), p.seq
			q.Has |= protocol.HasProducer | protocol.HasSeq
		}
	}
	if !s.request(out, &q, publishAsk{p}) {
		o.refuse(p, s.tooLarge())
		return
	}
	o.inFlight++
	if l == nil {
		p.onWay = true
		return
	}
	l.written(p)
}

// publishAsk waits for a publication to be acknowledged.
type publishAsk struct{ p *publication }

func (a publishAsk) answered(c *Client, r *protocol.Reply) {
	o, p := &c.outbox, a.p
	o.inFlight--
	if p.settled {
		return
	}
	if r.Err != nil {
		o.refused(p, r.Err)
		return
	}
	o.window = min(o.window+1, mostWindow)
	if published, ok := r.Result.(*protocol.Published); ok {
		p.published = *published
	}
	if l := o.laneOf(p); l != nil {
		l.landed(p)
		l.tries = 0
		l.remove(p)
	}
	o.settle(p, nil)
}

func (a publishAsk) lost(c *Client) {
	if p := a.p; p.request.Ephemeral && !p.settled {
		c.outbox.settle(p, lostError(c))
	}
}

// laneOf returns the lane that p stands in, nil for an ephemeral one.
func (o *outbox) laneOf(p *publication) *lane {
	if p.request.Ephemeral {
		return nil
	}
	return o.lanes[string(p.request.Room)]
}

// refused takes the error that answered p.
func (o *outbox) refused(p *publication, err *protocol.Error) {
	l := o.laneOf(p)
	if l == nil {
		o.settle(p, err)
		return
	}
	l.landed(p)
	p.last = err
	if !err.Code.Retryable() {
		o.refuse(p, err)
		return
	}
	switch err.Code {
	case protocol.CodeOutOfOrder:
		fresh := p.seq == 1
		p.uncertain = false
		l.outOfOrder(p)
		if !fresh {
			l.rewind = true
			return // the next try needs no waiting: it begins from the first
		}
	case protocol.CodeTimeout, protocol.CodeInternal:
		p.uncertain = true
	case protocol.CodeRateLimited, protocol.CodeOverloaded:
		if !l.rewind {
			o.window = max(1, o.window/2)
		}
	}
	l.rewind = true
	l.hold = time.Now().Add(retryWait(err, l.tries))
	l.tries++
}

// refuse settles p with an error that is final.
func (o *outbox) refuse(p *publication, err error) {
	if l := o.laneOf(p); l != nil {
		l.drop(p)
	}
	o.settle(p, p.outcome(err))
}

// settle ends p, which stands in no lane any more.
func (o *outbox) settle(p *publication, err error) {
	p.settled, p.err = true, err
	close(p.done)
	o.count--
	o.bytes -= p.size
	if l := o.laneOf(p); l != nil && len(l.queue) == 0 {
		o.deactivate(l)
	}
	if o.freed != nil {
		close(o.freed)
		o.freed = nil
	}
	if o.count == 0 && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

// withdraw takes p back, which was never sent.
func (o *outbox) withdraw(p *publication) {
	if l := o.laneOf(p); l != nil {
		l.remove(p)
	} else if i := slices.Index(o.ephemeral, p); i >= 0 {
		o.ephemeral = slices.Delete(o.ephemeral, i, i+1)
	}
	o.settle(p, context.Canceled)
}

// deactivate takes l out of the lanes that have something in them.
func (o *outbox) deactivate(l *lane) {
	if i := slices.Index(o.active, l); i >= 0 {
		o.active = slices.Delete(o.active, i, i+1)
	}
}

// expire gives up on what was tried for long enough, and returns when that is to be looked at again; zero for never.
func (o *outbox) expire(now time.Time, retryFor time.Duration) (next time.Time) {
	for _, l := range slices.Clone(o.active) {
		for len(l.queue) > 0 && !now.Before(l.queue[0].deadline) {
			p := l.queue[0]
			l.abandon(p)
			o.settle(p, p.giveUp(retryFor))
		}
		if len(l.queue) > 0 {
			next = earlier(next, l.queue[0].deadline)
		}
	}
	return next
}

// giveUp returns the error of a publication that was tried for long enough.
func (p *publication) giveUp(after time.Duration) error {
	err := fmt.Errorf("%w after %v", ErrGaveUp, after)
	if p.last != nil {
		err = fmt.Errorf("%w: %w", err, p.last)
	}
	return p.outcome(err)
}

// outcome returns err with what is known of p.
func (p *publication) outcome(err error) error {
	if p.uncertain {
		return uncertain(err)
	}
	return err
}

// disconnected makes everything be sent again with the next connection, save what is ephemeral.
func (o *outbox) disconnected() {
	o.inFlight, o.window = 0, startWindow
	for _, l := range o.active {
		l.disconnected()
	}
	for _, p := range o.ephemeral {
		o.settle(p, ErrDisconnected)
	}
	o.ephemeral = nil
}

// close settles everything with err.
func (o *outbox) close(err error) {
	for _, p := range o.ephemeral {
		o.settle(p, err)
	}
	o.ephemeral = nil
	for _, l := range slices.Clone(o.active) {
		for len(l.queue) > 0 {
			p := l.queue[0]
			l.abandon(p)
			o.settle(p, p.outcome(err))
		}
	}
}

// earlier returns the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
