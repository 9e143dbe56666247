package client

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// asker waits for the answer to one request. Its methods are called with the client's mu held, one of them once.
type asker interface {
	answered(c *Client, r *protocol.Reply)
	lost(c *Client) // the connection ended before an answer came
}

// joinAsk waits for a room to be joined.
type joinAsk struct {
	room      *Room
	withSince bool
}

func (a joinAsk) answered(c *Client, r *protocol.Reply) {
	if a.room.stage != stageJoining {
		return
	}
	a.room.asked = false
	if r.Err != nil {
		a.room.refused(r.Err, func() { c.roster.end(a.room, r.Err) })
		return
	}
	joined, ok := r.Result.(*protocol.Joined)
	switch {
	case !ok:
	case joined.Already:
		a.room.joinAnew()
	default:
		a.room.welcome(joined, a.withSince)
	}
}

func (a joinAsk) lost(*Client) {}

// pageAsk waits for a page of the history of a room that is behind.
type pageAsk struct{ room *Room }

func (a pageAsk) answered(c *Client, r *protocol.Reply) {
	a.room.place.fetching = false
	if a.room.stage != stageJoined {
		return
	}
	if r.Err != nil {
		a.room.refused(r.Err, a.room.noPage)
	} else if h, ok := r.Result.(*protocol.History); ok {
		a.room.tries = 0
		a.room.page(h)
	}
	c.roster.soon()
}

func (a pageAsk) lost(*Client) {}

// listAsk waits for the presence of a room that has missed events of it.
type listAsk struct{ room *Room }

func (a listAsk) answered(c *Client, r *protocol.Reply) {
	a.room.place.fetching = false
	if a.room.stage != stageJoined {
		return
	}
	if r.Err != nil {
		a.room.refused(r.Err, func() { a.room.place.stale = false })
	} else if list, ok := r.Result.(*protocol.Presence); ok {
		a.room.tries = 0
		a.room.place.stale = false
		list.Room, list.Next = a.room.name, ""
		a.room.push(list)
	}
	c.roster.soon()
}

func (a listAsk) lost(*Client) {}

// refused takes an error: one that may pass is waited for, any other is final.
func (r *Room) refused(err *protocol.Error, final func()) {
	if !err.Code.Retryable() {
		final()
		return
	}
	r.hold = time.Now().Add(retryWait(err, r.tries))
	r.tries++
	r.client.roster.by(r.hold)
}

// retryWait returns how long to wait after err, which may pass, the (tries+1)th in a row.
func retryWait(err *protocol.Error, tries int) time.Duration {
	if wait := duration(err.RetryAfter); wait > 0 {
		return wait
	}
	const base, most = 100 * time.Millisecond, 5 * time.Second
	return base/2 + fullJitter(base, most, tries, rand.Float64())
}

// call is a request whose answer somebody waits for.
type call struct {
	request protocol.Request
	again   bool                  // may be sent twice
	settled func(*protocol.Error) // called with the client's mu held when it was answered; nil for none

	// The client's mu guards what follows, until done is closed.
	sent   bool
	result protocol.Result
	err    error
	done   chan struct{}
}

// newCall returns a call of a type.
func newCall(name string) *call {
	return &call{request: protocol.Request{Type: []byte(name)}, done: make(chan struct{})}
}

// settle ends the call.
func (q *call) settle(result protocol.Result, err error) {
	select {
	case <-q.done:
	default:
		q.result, q.err = result, err
		close(q.done)
	}
}

func (q *call) answered(_ *Client, r *protocol.Reply) {
	if q.settled != nil {
		q.settled(r.Err)
	}
	if r.Err != nil {
		q.settle(nil, r.Err)
		return
	}
	q.settle(r.Result, nil)
}

func (q *call) lost(c *Client) {
	if q.again && c.closing == nil {
		c.calls = append(c.calls, q)
		return
	}
	q.settle(nil, lostError(c))
}

// lostError returns the error of a request that was on its way when the connection ended.
func lostError(c *Client) error {
	if c.closing != nil {
		return uncertain(c.closing)
	}
	return uncertain(ErrDisconnected)
}

// ask sends q, as soon as there is a connection, and waits for the answer.
func (c *Client) ask(ctx context.Context, q *call) (protocol.Result, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.closing != nil {
		defer c.mu.Unlock()
		return nil, c.closing
	}
	c.calls = append(c.calls, q)
	c.mu.Unlock()
	c.poke()
	select {
	case <-q.done:
		return q.result, q.err
	case <-ctx.Done():
		return nil, c.forget(q, context.Cause(ctx))
	}
}

// forget takes back a call that nobody waits for any more, and returns err with what is known of its outcome.
func (c *Client) forget(q *call, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.again = false
	if i := slices.Index(c.calls, q); i >= 0 {
		c.calls = slices.Delete(c.calls, i, i+1)
	}
	if q.sent {
		return uncertain(err)
	}
	return err
}
