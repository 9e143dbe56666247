package redis

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// PassSource is the script of ephemeral messages.
var PassSource = passSource

// AskAgain is how soon a cluster is asked again which server has what.
const AskAgain = askAgain

// Links returns the servers of a cluster to which there are links.
func (e *Engine) Links() []string {
	e.links.mu.Lock()
	defer e.links.mu.Unlock()
	return slices.Sorted(maps.Keys(e.links.byAddress))
}

// GivesUpALink ends a link to a server that the cluster does not have any more, of which a room was asked, and then asks it
// again. It returns where the answers will be, and when the link does nothing any more.
func (e *Engine) GivesUpALink(room string) (before, after <-chan error, ended <-chan struct{}) {
	l := e.links.link("nowhere:1")
	done := []chan error{make(chan error, 1), make(chan error, 1)}
	e.feeder.add(room)
	l.ask(order{room: room, done: done[0]})
	l.end()
	if !l.ask(order{room: room, done: done[1]}) {
		e.links.ask(order{room: room, done: done[1]})
	}
	running := make(chan struct{})
	go func() {
		defer close(running)
		l.run()
	}()
	return done[0], done[1], running
}

// SendTogether sends messages of rooms that have one lane in one pipeline.
func (e *Engine) SendTogether(messages ...*engine.Publication) []error {
	errs := make([]error, len(messages))
	var batch []*job
	for i, p := range messages {
		batch = append(batch, &job{publication: p, deadline: time.Now().Add(time.Minute), done: func(_ engine.Receipt, err error) { errs[i] = err }})
	}
	e.lane(messages[0].Message.Room).send(batch)
	return errs
}

// KeepPresentEvery is to be called before Open.
func (e *Engine) KeepPresentEvery(d time.Duration) { e.rolls.every = d }

// Watch is what a node keeps in mind of the leases.
type Watch = watch

// LookAtLeases looks at the leases, as a node does now and then.
func (e *Engine) LookAtLeases(ctx context.Context, w *Watch) error {
	_, err := e.lease.turn(ctx, w)
	return err
}

// Leases is what is known of leases.
type Leases = lease

// NewLeases returns what a node knows of leases at first. Nobody looks at them but the test.
func (e *Engine) NewLeases(feed engine.Feed) *Leases {
	l := new(lease)
	l.init(e, feed)
	return l
}

// Next takes note of the leases of other nodes at a time, and returns how long to wait until they are looked at again.
func (l *lease) Next(now time.Time, w *Watch, ends map[string]time.Duration) time.Duration {
	return l.next(now, w, ends)
}

// Lives reports whether another node lives.
func (l *lease) Lives(node string) bool { return l.lives(node) }

// Patience returns until when nobody is given up.
func (w *watch) Patience() time.Time { return w.patient }

// WaitUntil has nobody given up before a time.
func (w *watch) WaitUntil(at time.Time) { w.patient = at }

// AfterAbsence is how long others have to be heard of again.
const AfterAbsence = afterAbsence

// RenewedNow has the next look not renew the lease.
func (w *watch) RenewedNow() { w.renewed = time.Now() }

// Renews reports whether the next look renews the lease.
func (w *watch) Renews() bool { return time.Since(w.renewed) >= renewEvery }

// ForgetUsersOf has some of a node's users forgotten, as after its death.
func (e *Engine) ForgetUsersOf(ctx context.Context, node string) error {
	return e.do(ctx, e.scripts.reap, e.names.users(node), node, maxReaped).Error()
}

// Lives reports whether another node lives, as far as is known.
func (e *Engine) Lives(node string) bool { return e.lease.lives(node) }

// SlotOf returns the hash slot of a room.
func SlotOf(room string) int { return int(crc16(room)) % slotCount }
