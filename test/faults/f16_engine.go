package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// pausedParts is F16: a process stands still for a while, of a node or a client without others, and of the engine's server
// and of one of two nodes.
func pausedParts(ctx context.Context, t *rig.Trial) error {
	if err := paused(ctx, t); err != nil {
		return err
	}
	part, err := t.Part("engine")
	if err != nil {
		return err
	}
	if err := pausedEngine(ctx, part); err != nil {
		return fmt.Errorf("with an engine for many nodes: %w", err)
	}
	if part, err = t.Part("dead"); err != nil {
		return err
	}
	if err := deadNode(ctx, part); err != nil {
		return fmt.Errorf("a node that never comes back: %w", err)
	}
	return nil
}

func pausedEngine(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{})
	if err != nil {
		return err
	}
	crowd, err := f.crowd(ctx, t, 8, "a", "b")
	if err != nil {
		return err
	}
	defer crowd.Stop()
	k := f.publish(ctx, t, "", 1<<30, 2*time.Millisecond, "a", "b")
	signal := func(s syscall.Signal) error {
		store.Signal(s)
		return nil
	}
	spans := []time.Duration{time.Second, 10 * time.Second, 60 * time.Second}[:rig.Pick(t, 2, 3)]
	for _, span := range spans {
		err := errors.Join(k.flows(ctx, 100), still(ctx, signal, span), k.flows(ctx, 100))
		if err != nil {
			return errors.Join(fmt.Errorf("the engine stood still for %v: %w", span, err), k.end(ctx))
		}
		t.Say("the engine stood still for %v", span)
	}
	if err := k.end(ctx); err != nil {
		return err
	}
	slowest := time.Duration(0)
	for _, span := range spans {
		repaired, err := f.missing(ctx, t, store, crowd, span)
		if err != nil {
			return fmt.Errorf("a node stood still for %v: %w", span, err)
		}
		t.Say("a node stood still for %v and was complete after %v", span, repaired)
		slowest = max(slowest, repaired)
	}
	t.Figure("slowest_repair_seconds", slowest.Seconds())
	if slowest > repairedWithin {
		return fmt.Errorf("repaired after %v, want %v", slowest, repairedWithin)
	}
	return f.finish(ctx, t, crowd)
}

// missing has the last node stand still while its feed ends and messages are published, and returns how long it took after
// that until its members had everything.
func (f *fleet) missing(ctx context.Context, t *rig.Trial, store *redistest.Server, crowd *rig.Crowd, span time.Duration) (time.Duration, error) {
	last := len(f.servers) - 1
	there := &fleet{servers: f.servers[:last]}
	// No room is quiet, or its head would be compared soon anyway.
	err := errors.Join(there.publish(ctx, t, fmt.Sprint(span, "-before-"), 20, 0, "a", "b").wait(ctx), crowd.Level(ctx))
	if err := errors.Join(err, f.servers[last].Signal(syscall.SIGSTOP)); err != nil {
		return 0, err
	}
	store.Must("CLIENT", "KILL", "TYPE", "pubsub")
	err = errors.Join(rig.Sleep(ctx, span), there.publish(ctx, t, fmt.Sprint(span, "-"), 100, 0, "a", "b").wait(ctx))
	if err := errors.Join(err, f.servers[last].Signal(syscall.SIGCONT)); err != nil {
		return 0, err
	}
	began := time.Now()
	err = crowd.Level(ctx)
	return time.Since(began), err
}
