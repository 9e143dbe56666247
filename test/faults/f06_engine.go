package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// engineRestarts is F6: the engine's server is killed and started again. One that syncs what it acknowledges loses nothing.
// What one loses that keeps nothing is told to everybody.
func engineRestarts(ctx context.Context, t *rig.Trial) error {
	if err := engineKeeps(ctx, t); err != nil {
		return fmt.Errorf("a server that syncs: %w", err)
	}
	part, err := t.Part("forgets")
	if err != nil {
		return err
	}
	if err := engineForgets(ctx, part); err != nil {
		return fmt.Errorf("a server that keeps nothing: %w", err)
	}
	return nil
}

func engineKeeps(ctx context.Context, t *rig.Trial) error {
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
	kills, random := rig.Pick(t, 3, 20), t.Random(1)
	k := f.publish(ctx, t, "", 1<<30, time.Millisecond, "a", "b")
	for range kills {
		if err := k.flows(ctx, 500+random.Int64N(500)); err != nil {
			return err
		}
		if err := restart(ctx, store, time.Duration(random.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
	}
	if err := k.flows(ctx, 500); err != nil {
		return err
	}
	if err := k.end(ctx); err != nil {
		return err
	}
	t.Figure("restarts", kills)
	t.Figure("publishes", k.acked.Load())
	return f.finish(ctx, t, crowd)
}

func engineForgets(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t})
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{})
	if err != nil {
		return err
	}
	crowd, err := f.crowd(ctx, t, 8, "a")
	if err != nil {
		return err
	}
	defer crowd.Stop()
	if err := f.publish(ctx, t, "before-", 200, 0, "a").wait(ctx); err != nil {
		return err
	}
	if err := crowd.Settle(ctx, t, f.servers[0].URL()); err != nil {
		return err
	}
	if err := restart(ctx, store, 100*time.Millisecond); err != nil {
		return err
	}
	if err := toldAll(ctx, t, crowd); err != nil {
		return err
	}
	crowd.Rebase()
	if err := f.publish(ctx, t, "after-", 400, 0, "a").wait(ctx); err != nil {
		return err
	}
	return f.finish(ctx, t, crowd)
}

// toldAll wants every member to be told that it missed something.
func toldAll(ctx context.Context, t *rig.Trial, crowd *rig.Crowd) error {
	told := func() (n int) {
		for _, m := range crowd.Members {
			if m.Gaps() > 0 {
				n++
			}
		}
		return n
	}
	err := rig.Wait(ctx, "every member is told", 20*time.Second, func() bool { return told() == len(crowd.Members) })
	t.Figure("members", len(crowd.Members))
	t.Figure("told", told())
	if err != nil {
		return fmt.Errorf("%w: %d of %d", err, told(), len(crowd.Members))
	}
	return nil
}
