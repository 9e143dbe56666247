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

// Links returns the servers of a cluster to which there are links.
func (e *Engine) Links() []string {
	e.links.mu.Lock()
	defer e.links.mu.Unlock()
	return slices.Sorted(maps.Keys(e.links.byAddress))
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
