package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
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
// whether the engine does not answer, takes messages and does not deliver them, or takes none since it cannot write to its
// disk, and is ready again by itself.
func stalled(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{})
	if err != nil {
		return err
	}
	full, err := brokenDisk(ctx, t)
	if err != nil {
		return err
	}
	began := time.Now()
	f.proxies[0].Set(faultproxy.Faults{Down: faultproxy.Way{BlackHole: true}})
	store.Must("ACL", "SETUSER", "default", "-subscribe")
	store.Must("CLIENT", "KILL", "TYPE", "pubsub")
	if err := errors.Join(f.unready(ctx, "from the engine"), full.takesNothing(ctx)); err != nil {
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
	return full.takesAllAgain(ctx)
}

// broken is a node over a server that cannot write to its disk.
type broken struct {
	fleet *fleet
	store *redistest.Server
	raw   *rig.Raw
	inWay string // what the server cannot put its file in the place of
}

// brokenDisk starts one.
func brokenDisk(ctx context.Context, t *rig.Trial) (*broken, error) {
	dir := filepath.Join(t.Dir, "broken-disk")
	b := &broken{inWay: filepath.Join(dir, "dump.rdb")}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	b.store = redistest.Start(stage{t}, "--dir", dir, "--save", "3600 1")
	var err error
	if b.fleet, err = launch(ctx, t, b.store.Address, 1, rig.ServerOptions{}); err != nil {
		return nil, err
	}
	if b.raw, err = letIn(ctx, b.fleet.servers[0]); err != nil {
		return nil, err
	}
	t.AtEnd(func() error {
		b.raw.Drop()
		return nil
	})
	if err := os.MkdirAll(filepath.Join(b.inWay, "full"), 0o700); err != nil {
		return nil, err
	}
	b.store.Must("BGSAVE")
	redistest.Await(stage{t}, b.store, "rdb_last_bgsave_status:err", "INFO", "persistence")
	return b, nil
}

// takesNothing wants publishes to be refused as something to try again, and the node to say that it is not ready.
func (b *broken) takesNothing(ctx context.Context) error {
	if _, err := refusal(b.raw); err != nil {
		return fmt.Errorf("an engine that cannot write to its disk: %w", err)
	}
	return b.fleet.unready(ctx, "from the engine")
}

// takesAllAgain mends the disk, and wants publishes to be taken and the node to be ready.
func (b *broken) takesAllAgain(ctx context.Context) error {
	if err := os.RemoveAll(b.inWay); err != nil {
		return err
	}
	b.store.Must("BGSAVE")
	if err := b.fleet.ready(ctx); err != nil {
		return err
	}
	e, err := answer(b.raw, `{"type":"publish","room":"cut","data":1,"id":1}`)
	if err == nil && e.Type != protocol.TypeOK {
		err = fmt.Errorf("a publish was answered %+v", e)
	}
	return err
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
