package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
)

// How events are sent that hooks are informed of.
const (
	DefaultWaiting = 10_000
	DefaultBackoff = time.Second
	maxBackoff     = time.Minute
	maxAge         = 24 * time.Hour // then an event is dropped
	sending        = 8              // events that one hook is sent at once
)

// errClosed is why the context of what is under way ends.
var errClosed = errors.New("the caller was closed")

// delivery is one event for one hook.
type delivery struct {
	ID   string          `json:"id"`
	URL  string          `json:"url"`  // of the hook
	Hook string          `json:"hook"` // its id; empty in a journal of an older version
	Lane string          `json:"lane"` // what has the same one is sent in order
	Time int64           `json:"ts"`
	Body json.RawMessage `json:"body"`
}

// queue has events sent, in order within each lane, until they are taken.
type queue struct {
	options Options
	sender  *sender
	hooks   []*hook
	journal *journal // nil without a directory
	work    sync.WaitGroup
	ctx     context.Context //nolint:containedctx // of the lanes' goroutines, which are the queue's; ends with close
	cancel  context.CancelCauseFunc

	mu     sync.Mutex
	lanes  map[string][]*delivery // each has a goroutine; the first of it is being sent
	count  int
	closed bool
	full   bool          // events were dropped since one was taken last
	empty  chan struct{} // has a token when nothing is left
}

// newQueue returns a queue, which begins with what its journal has.
func newQueue(o Options, hooks []*hook) (*queue, error) {
	if o.Waiting == 0 {
		o.Waiting = DefaultWaiting
	}
	if o.Backoff == 0 {
		o.Backoff = DefaultBackoff
	}
	q := &queue{
		options: o, sender: newSender(), hooks: hooks, lanes: make(map[string][]*delivery), empty: make(chan struct{}, 1),
	}
	var left []*delivery
	if o.Dir != "" {
		var err error
		if q.journal, left, err = openJournal(o.Dir, o.Logger); err != nil {
			return nil, err
		}
	}
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	for _, d := range left {
		q.enqueue(d)
	}
	return q, nil
}

// hook returns the hook that an event is for: the one that it was for when it came or, where that has another secret by
// now, the first with its URL; nil if there is none any more.
func (q *queue) hook(d *delivery) *hook {
	var found *hook
	for _, h := range q.hooks {
		switch {
		case !informs(h):
		case h.id == d.Hook:
			return h
		case found == nil && h.URL == d.URL:
			found = h
		}
	}
	return found
}

// drain waits until nothing is left, or ctx ends, and returns how many events are.
func (q *queue) drain(ctx context.Context) int {
	for {
		q.mu.Lock()
		left := q.count
		q.mu.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-q.empty:
		case <-ctx.Done():
			return left
		}
	}
}

// informs reports whether a hook is informed of anything.
func informs(h *hook) bool {
	for _, e := range h.Events {
		if !e.Decides() {
			return true
		}
	}
	return false
}

// close stops sending; what was not taken stays in the journal.
func (q *queue) close() error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()
	if again {
		return nil
	}
	q.cancel(errClosed)
	q.work.Wait()
	q.sender.close()
	return q.journal.close()
}

// add has an event sent, unless too many are waiting.
func (q *queue) add(d *delivery) {
	q.mu.Lock()
	drop, first := q.count >= q.options.Waiting, !q.full
	q.full = q.full || drop
	q.mu.Unlock()
	if drop {
		q.options.Metrics.Add(metrics.WebhookDropped, 1)
		if first {
			q.options.Logger.Error("too many events wait for webhooks: new ones are dropped", "waiting", q.options.Waiting)
		}
		return
	}
	q.journal.add(d)
	q.enqueue(d)
}

// enqueue puts an event behind those of its lane.
func (q *queue) enqueue(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return // it is in the journal, if there is one
	}
	q.count++
	q.options.Metrics.Put(metrics.WebhookQueued, int64(q.count))
	lane := append(q.lanes[d.Lane], d)
	q.lanes[d.Lane] = lane
	if len(lane) == 1 {
		q.work.Go(func() { q.run(d) })
	}
}

// run sends the events of a lane, from its first on, until there are none left.
func (q *queue) run(d *delivery) {
	for ; d != nil; d = q.next(d) {
		if !q.deliver(d) {
			return
		}
		q.journal.done(d.ID)
	}
}

// next takes an event off that is over, and returns the next one of its lane, or nil.
func (q *queue) next(over *delivery) *delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count--
	q.full = false
	q.options.Metrics.Put(metrics.WebhookQueued, int64(q.count))
	if q.count == 0 {
		select {
		case q.empty <- struct{}{}:
		default: // nobody has waited since
		}
	}
	lane := q.lanes[over.Lane][1:]
	if len(lane) == 0 {
		delete(q.lanes, over.Lane)
		return nil
	}
	q.lanes[over.Lane] = lane
	return lane[0]
}

// deliver sends an event until it is taken or too old; it reports false when the queue was closed first.
func (q *queue) deliver(d *delivery) bool {
	for wait := q.options.Backoff; ; wait = min(2*wait, maxBackoff) {
		h := q.hook(d)
		if h == nil || time.Since(time.UnixMilli(d.Time)) > maxAge {
			q.options.Metrics.Add(metrics.WebhookDropped, 1)
			return true
		}
		err := q.try(h, d)
		switch {
		case err == nil:
			q.options.Metrics.Add(metrics.WebhookDelivered, 1)
			return true
		case q.ctx.Err() != nil:
			return false
		}
		q.options.Metrics.Add(metrics.WebhookRetried, 1)
		q.options.Logger.Debug("a webhook was not informed", "url", d.URL, "id", d.ID, "again", wait, "error", err)
		timer := time.NewTimer(wait/2 + rand.N(wait/2+1)) // those that failed together do not come back together
		select {
		case <-timer.C:
		case <-q.ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// try sends an event once.
func (q *queue) try(h *hook, d *delivery) error {
	select {
	case h.tells <- struct{}{}:
		defer func() { <-h.tells }()
	case <-q.ctx.Done():
		return context.Cause(q.ctx)
	}
	began := time.Now()
	_, err := q.sender.send(q.ctx, h, d.ID, d.Body)
	q.options.Metrics.Observe(metrics.WebhookTime, int64(time.Since(began)))
	return err
}
