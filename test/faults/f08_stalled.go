package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom/test/faultproxy"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// Bounds of what /readyz says, with some seconds for a busy machine.
const (
	redWithin   = 20 * time.Second
	greenWithin = 20 * time.Second
)

// stalled is the part of F8 that an operator sees: a node to which nothing is delivered says that it is not ready and why,
// whether the engine does not answer or takes messages and does not deliver them, and is ready again by itself.
func stalled(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{})
	if err != nil {
		return err
	}
	began := time.Now()
	f.proxies[0].Set(faultproxy.Faults{Down: faultproxy.Way{BlackHole: true}})
	store.Must("ACL", "SETUSER", "default", "-subscribe")
	store.Must("CLIENT", "KILL", "TYPE", "pubsub")
	if err := f.unready(ctx, "from the engine"); err != nil {
		return err
	}
	t.Figure("seconds_until_red", time.Since(began).Seconds())
	if _, why := f.servers[1].Ready(); !strings.Contains(why, "it takes messages, and does not deliver them") {
		return fmt.Errorf("a node whose feed is refused says %q", why)
	}
	began = time.Now()
	store.Must("ACL", "SETUSER", "default", "+subscribe")
	f.proxies[0].Set(faultproxy.Faults{})
	if err := f.ready(ctx); err != nil {
		return err
	}
	t.Figure("seconds_until_green", time.Since(began).Seconds())
	return nil
}

// unready waits until every server says that it is not ready, with a reason.
func (f *fleet) unready(ctx context.Context, reason string) error {
	for i, s := range f.servers {
		last := ""
		if err := rig.Wait(ctx, "a node that hears nothing is not ready", redWithin, func() bool {
			ready, why := s.Ready()
			last = why
			return !ready && strings.Contains(why, reason)
		}); err != nil {
			return fmt.Errorf("node %d: %w: it says %q", i, err, last)
		}
	}
	return nil
}

// ready waits until every server says that it is ready.
func (f *fleet) ready(ctx context.Context) error {
	for i, s := range f.servers {
		last := ""
		if err := rig.Wait(ctx, "a node that hears again is ready", greenWithin, func() bool {
			ready, why := s.Ready()
			last = why
			return ready
		}); err != nil {
			return fmt.Errorf("node %d: %w: it says %q", i, err, last)
		}
	}
	return nil
}
