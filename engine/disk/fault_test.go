package disk

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"go.uber.org/goleak"
)

// disasters are ways in which the at-th operation on a file fails, of those to come.
var disasters = []struct {
	name    string
	arrange func(f *faults, at int64)
}{
	{"SyncFailsOnce", func(f *faults, at int64) {
		var n atomic.Int64
		f.sync = func(string) error { return failing(n.Add(1) == at, syscall.EIO) }
	}},
	{"SyncFailsFromThenOn", func(f *faults, at int64) {
		var n atomic.Int64
		f.sync = func(string) error { return failing(n.Add(1) >= at, syscall.EIO) }
	}},
	{"WriteFailsOnce", func(f *faults, at int64) {
		var n atomic.Int64
		f.write = func(_ string, p []byte) (int, error) {
			if n.Add(1) == at {
				return 0, syscall.EIO
			}
			return len(p), nil
		}
	}},
	{"WriteIsShort", func(f *faults, at int64) {
		var n atomic.Int64
		f.write = func(_ string, p []byte) (int, error) {
			if len(p) > 0 && n.Add(1) == at {
				return len(p) / 2, nil
			}
			return len(p), nil
		}
	}},
	{"NoSpaceForTheLog", func(f *faults, at int64) {
		var n atomic.Int64
		f.write = func(name string, p []byte) (int, error) {
			if path.Ext(name) == ".log" && n.Add(1) == at {
				return len(p) / 2, syscall.ENOSPC
			}
			return len(p), nil
		}
	}},
}

func failing(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// After the first error of a write or a sync nothing is acknowledged any more, in no way; what was acknowledged before
// is there after a restart, though the power went at that very moment.
func TestNothingIsAcknowledgedAfterAFailure(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, d := range disasters {
		t.Run(d.name, func(t *testing.T) {
			for at := int64(1); at < 120; at += 1 + at/int64(often(1, 10)) {
				t.Run(fmt.Sprint(at), func(t *testing.T) { survive(t, at, d.arrange) })
			}
		})
	}
}

func survive(t *testing.T, at int64, arrange func(*faults, int64)) {
	memory := vfs.NewCrashableMem()
	fs := newFaults(memory)
	e := opened(t, small(fs))
	failed := make(chan struct{})
	healthy := e.health.failed
	e.health.mu.Lock()
	e.health.failed = func(err error) {
		healthy(err)
		close(failed)
	}
	e.health.mu.Unlock()
	l := &ledger{acked: make(map[string]engine.Receipt), sent: make(map[string]uint64)}
	fs.set(func() { arrange(fs, at) })
	var stop atomic.Bool
	var publishers sync.WaitGroup
	publishers.Go(func() { l.publishSome(e, rand.New(rand.NewPCG(uint64(at), 0)), &stop) })
	select {
	case <-failed:
	case <-time.After(patience):
		t.Fatal("the failure was not noticed")
	}
	publishers.Wait() // each got an error at last
	refusesAll(t, e)
	closed(t, e)
	crash := memory.CrashClone(vfs.CrashCloneCfg{})
	again := opened(t, small(crash))
	l.verify(t, again, l.acks())
	l.resend(t, again)
	stores(t, again, say("first", "new"))
	closed(t, again)
}

// refusesAll wants a failed engine to say so, in every way.
func refusesAll(t *testing.T, e *Engine) {
	t.Helper()
	ctx := context.Background()
	if err := e.Health(); err == nil {
		t.Fatal("the engine has failed, but is healthy")
	}
	for _, p := range []*engine.Publication{say("first", "x"), say("new", "x"), {Message: say("first", "x").Message, Ephemeral: true}} {
		_, err := publish(t, e, p)
		refusal(t, err, engine.ErrUnavailable)
	}
	_, err := e.Read(ctx, "first", engine.Query{})
	refusal(t, err, engine.ErrUnavailable)
	_, err = e.ListRecords(ctx)
	refusal(t, err, engine.ErrUnavailable)
	refusal(t, e.PutRecord(ctx, engine.Record{Kind: "kick", Expires: time.Now().Add(time.Hour)}), engine.ErrUnavailable)
	refusal(t, e.Subscribe(ctx, "first"), engine.ErrUnavailable)
	e.Unsubscribe("first")
}

// What was being written when the store failed may be there after a restart, or not; that is what its publisher hears.
func TestWhatFailsOnTheWayHasAnUnknownOutcome(t *testing.T) {
	fs := newFaults(vfs.NewMem())
	e := opened(t, small(fs))
	defer closed(t, e)
	fs.set(func() {
		fs.sync = func(string) error { return syscall.EIO }
	})
	_, err := publish(t, e, say("room", "x"))
	refusal(t, err, engine.ErrTimeout)
	refusal(t, err, engine.ErrClosed)
	refusal(t, err, syscall.EIO)
}

// idle returns when the store writes nothing in the background. Nobody publishes.
func idle(t *testing.T, e *Engine) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for quiet := 0; quiet < 20; quiet++ {
		m := e.store.db.Metrics()
		if m.Flush.NumInProgress > 0 || m.Compact.NumInProgress > 0 {
			quiet = 0
		}
		if time.Now().After(deadline) {
			t.Fatal("the store is never idle")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A store that failed writes nothing: the directory stays as it was.
func TestFilesFreezeAtAFailure(t *testing.T) {
	memory := vfs.NewCrashableMem()
	fs := newFaults(memory)
	e := opened(t, small(fs))
	storesMany(t, e, "room", "x", 3000, keepAll)
	idle(t, e) // what is being written at the failure may still be
	var after atomic.Int64
	fs.set(func() {
		fs.sync = func(string) error {
			after.Add(1)
			return syscall.EIO
		}
		fs.write = func(_ string, p []byte) (int, error) {
			if after.Load() > 0 {
				after.Add(1)
			}
			return len(p), nil
		}
	})
	_, err := publish(t, e, say("room", "y"))
	refusal(t, err, engine.ErrTimeout)
	closed(t, e)
	if n := after.Load(); n != 1 {
		t.Fatalf("after a failed sync there were %d writes and syncs more", n-1)
	}
}

// Pebble ends the process in such a case; the engine ends.
func TestFatalErrorOfPebbleEndsTheEngineOnly(t *testing.T) {
	e := opened(t, small(vfs.NewMem()))
	pebbleLog{health: &e.health}.Fatalf("the worst: %w", io.ErrUnexpectedEOF)
	refusal(t, e.Health(), io.ErrUnexpectedEOF)
	refusesAll(t, e)
	closed(t, e)
}
