package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// syncFails is F5: one sync fails with EIO. Nothing is acknowledged after it, the node is not ready, and a restart
// recovers.
func syncFails(ctx context.Context, t *rig.Trial) error {
	o := ordeal{
		messages: rig.Pick(t, 8_000, 80_000), members: 2, rooms: 2, publishers: 2, pad: 200,
		server: rig.ServerOptions{Program: rig.Node, Data: filepath.Join(t.Dir, "data"), Args: []string{"--sync-time", "1ms"}},
	}
	server, err := t.Serve(ctx, o.server)
	if err != nil {
		return err
	}
	crowd, err := o.crowd(ctx, t, server)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	var acked atomic.Int64
	published := make(chan error, 1)
	go func() { published <- o.publish(ctx, t, server, &acked) }()
	failures := rig.Pick(t, 3, 20)
	var slowest time.Duration
	for i := range failures {
		took, err := failSync(ctx, server, &acked, int64(o.messages*(i+1)/(failures+2)))
		if err != nil {
			return fmt.Errorf("failure %d: %w", i+1, err)
		}
		slowest = max(slowest, took)
	}
	if err := <-published; err != nil {
		return err
	}
	t.Figure("failures", failures)
	t.Figure("not_ready_after_ms", slowest.Milliseconds())
	return errors.Join(crowd.Finish(ctx, t, server.URL()), server.Panicked())
}

// failSync has a sync fail once so many messages are acknowledged, and returns how long it took until the node was not
// ready.
func failSync(ctx context.Context, server *rig.Server, acked *atomic.Int64, at int64) (time.Duration, error) {
	err := rig.Wait(ctx, "messages are acknowledged", time.Minute, func() bool { return acked.Load() >= at })
	if err != nil {
		return 0, err
	}
	if err := server.Signal(syscall.SIGUSR1); err != nil {
		return 0, err
	}
	began := time.Now()
	err = rig.Wait(ctx, "the node is not ready", notReadyWithin, func() bool {
		ready, _ := server.Ready()
		return !ready
	})
	took := time.Since(began)
	if err != nil {
		return took, err
	}
	if err := rig.Sleep(ctx, onTheWay); err != nil {
		return took, err
	}
	before := acked.Load()
	if err := rig.Sleep(ctx, time.Second); err != nil {
		return took, err
	}
	if more := acked.Load() - before; more > 0 {
		return took, fmt.Errorf("%d messages were acknowledged after the sync had failed", more)
	}
	if _, why := server.Ready(); why == "" || why == "ok" || server.Exited() {
		return took, fmt.Errorf("the node says %q of why it is not ready", why)
	}
	return took, errors.Join(server.Kill(), server.Start(ctx))
}

const (
	notReadyWithin = time.Second            // how long a node whose sync failed may say that it is ready
	onTheWay       = 500 * time.Millisecond // what was acknowledged before has reached its publisher then; it is in the log, or the oracle tells
)
