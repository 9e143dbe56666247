package hub

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// alone is an engine that nodes could share, of which there is one.
type alone struct{ *lossy }

func (alone) Node() string { return "node" }

func (alone) SetPresent(context.Context, string, []engine.Sighting, bool) (uint64, error) {
	return 1, nil
}

func (alone) ListPresent(context.Context, string) ([]engine.Roll, error) { return nil, nil }

func (alone) PresenceVersions(_ context.Context, rooms []string) ([]map[string]uint64, error) {
	return make([]map[string]uint64, len(rooms)), nil
}

// becomes changes what is lost and what fails.
func (e *lossy) becomes(loss, fails float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loss, e.fails = loss, fails
}

func TestReadyWhileMessagesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newLossy(1, 0, 0)
		h := newHubOn(t, alone{e}, nil)
		time.Sleep(time.Second)
		if err := h.Ready(); err != nil {
			t.Fatalf("after a second: %v", err)
		}
		e.becomes(1, 0)
		time.Sleep(probeLimit - probeEvery)
		if err := h.Ready(); err != nil {
			t.Fatalf("before its time: %v", err)
		}
		time.Sleep(2 * probeEvery)
		if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "does not deliver") || h.Reachable() != nil {
			t.Fatalf("while nothing is delivered: %v, reachable: %v", err, h.Reachable())
		}
		e.becomes(0, 0)
		time.Sleep(2 * probeEvery)
		if err := h.Ready(); err != nil {
			t.Fatalf("when messages come back: %v", err)
		}
		e.becomes(1, 1)
		time.Sleep(2 * probeEvery)
		if h.Reachable() == nil {
			t.Fatal("nothing can be published, and it is not known")
		}
		time.Sleep(probeLimit)
		if err := h.Ready(); err == nil || !strings.Contains(err.Error(), h.Reachable().Error()) {
			t.Fatalf("while nothing can be published: %v, want %v", err, h.Reachable())
		}
		e.becomes(0, 0)
		time.Sleep(2 * probeEvery)
		if h.Ready() != nil || h.Reachable() != nil {
			t.Fatalf("in the end: %v, %v", h.Ready(), h.Reachable())
		}
	})
}

// branched is an engine with two paths, one of which may be cut off.
type branched struct {
	alone
	cut   atomic.Bool
	rooms atomic.Pointer[[]string]
}

func (e *branched) Witnesses(string) []string { return *e.rooms.Load() }

func (e *branched) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	if e.cut.Load() && p.Message.Room == "second" {
		done(engine.Receipt{}, nil) // it takes it, and that is all
		return
	}
	e.alone.Publish(ctx, p, done)
}

func TestReadyOnEveryPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &branched{alone: alone{newLossy(1, 0, 0)}}
		e.rooms.Store(&[]string{"first"})
		h := newHubOn(t, e, nil)
		time.Sleep(time.Second)
		e.cut.Store(true)
		e.rooms.Store(&[]string{"first", "second"})
		time.Sleep(probeLimit)
		if err := h.Ready(); err != nil {
			t.Fatalf("a path that is new: %v", err)
		}
		time.Sleep(2 * probeEvery)
		if err := h.Ready(); err == nil {
			t.Fatal("well, though one of two paths is cut off")
		}
		e.cut.Store(false)
		time.Sleep(2 * probeEvery)
		if err := h.Ready(); err != nil {
			t.Fatalf("when messages come back: %v", err)
		}
		e.cut.Store(true)
		e.rooms.Store(&[]string{"first"})
		time.Sleep(2 * probeLimit)
		if err := h.Ready(); err != nil {
			t.Fatalf("without the second path: %v", err)
		}
	})
}

// distant is an engine to which it is a long way.
type distant struct {
	alone
	travelling sync.WaitGroup
}

func (e *distant) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	e.travelling.Go(func() {
		time.Sleep(probeEvery + time.Second)
		e.alone.Publish(ctx, p, done)
	})
}

func (e *distant) Close(ctx context.Context) error {
	e.travelling.Wait()
	return e.alone.Close(ctx)
}

// A long way is no failure: messages may be on their way when the next ones are sent.
func TestReadyThoughTheWayIsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHubOn(t, &distant{alone: alone{newLossy(1, 0, 0)}}, nil)
		time.Sleep(10 * probeLimit)
		if err := h.Ready(); err != nil {
			t.Fatal(err)
		}
	})
}
