package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
)

// tight returns options of an engine on a small file system.
func tight(fs vfs.FS, reserve int64) Options {
	o := small(fs)
	o.Reserve = reserve
	return o
}

// random returns a publication of a message that cannot be compressed.
func incompressible(room string, n int) *engine.Publication {
	p := say(room, "")
	p.Message.Data, p.Message.Bytes = nil, make([]byte, n)
	for i := range p.Message.Bytes {
		p.Message.Bytes[i] = byte(rand.Uint32())
	}
	return p
}

// fillUp publishes until there is no space, and returns how many messages were stored.
func fillUp(t *testing.T, e *Engine, room string) (n int) {
	t.Helper()
	for ; n < 10_000; n++ {
		_, err := publish(t, e, incompressible(room, 4000))
		if errors.Is(err, engine.ErrStorageFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the disk is never full")
	return n
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// A full disk refuses messages before anything is written, and nothing else: the store stays open, and takes more as
// soon as there is space.
func TestDiskFullRefusesAndGoesOn(t *testing.T) {
	const reserve = 1 << 20
	fs := newLimited(vfs.NewMem(), where, 8<<20)
	e := opened(t, tight(fs, reserve))
	first := stores(t, e, keyed("keys", "k"))
	n := 0
	await(t, "the disk has 500 messages", func() bool { // it may be full for a moment, with tables that are not deleted yet
		n += fillUp(t, e, "room")
		return n >= 500
	})
	if e.Health() != nil {
		t.Fatalf("a full disk is no failure: %v", e.Health())
	}
	isDuplicate(t, e, keyed("keys", "k"), first)
	if _, err := publish(t, e, &engine.Publication{Message: say("room", "x").Message, Ephemeral: true}); err != nil {
		t.Fatalf("an ephemeral message needs no space: %v", err)
	}
	if got := len(read(t, e, "room", whole10k).Messages); got != n {
		t.Fatalf("%d messages are there, want %d", got, n)
	}
	fs.size.Add(4 << 20)
	await(t, "there is space again", func() bool { // tables that waited for it are written first
		_, err := publish(t, e, say("room", "more"))
		if err != nil && !errors.Is(err, engine.ErrStorageFull) {
			t.Fatal(err)
		}
		return err == nil
	})
	closed(t, e)
	e = temporary(t, tight(fs, reserve))
	if got := len(read(t, e, "room", whole10k).Messages); got != n+1 {
		t.Fatalf("%d messages are there after a restart, want %d", got, n+1)
	}
	isDuplicate(t, e, keyed("keys", "k"), first)
}

// Somebody else uses up all that is free: what the store writes in the background fails, but what it acknowledged is in
// its log.
func TestNoSpaceInTheBackgroundLosesNothing(t *testing.T) {
	fs := newFaults(vfs.NewCrashableMem())
	e := opened(t, small(fs))
	storesMany(t, e, "room", "x", 100, keepAll)
	refusals := make(chan struct{}, 100)
	fs.set(func() {
		fs.write = func(name string, p []byte) (int, error) {
			if path.Ext(name) != ".sst" {
				return len(p), nil
			}
			refusals <- struct{}{}
			return 0, syscall.ENOSPC
		}
	})
	flushed := make(chan error, 1)
	go func() { flushed <- e.store.db.Flush() }()
	for range 3 { // it is tried again and again
		<-refusals
	}
	stores(t, e, say("room", "y"))
	fs.set(func() { fs.write = nil })
	if err := <-flushed; err != nil || e.Health() != nil {
		t.Fatalf("%v; the engine: %v", err, e.Health())
	}
	stores(t, e, say("room", "z"))
	closed(t, e)
	e = temporary(t, small(fs))
	if got := len(read(t, e, "room", whole10k).Messages); got != 102 {
		t.Fatalf("%d messages are there, want 102", got)
	}
}

// What is written in the background leaves space for the logs, without which the store fails.
func TestTablesLeaveSpaceForTheLogs(t *testing.T) {
	const reserve = 1 << 20
	fs := newFaults(vfs.NewMem())
	var free, least atomic.Uint64
	free.Store(100 << 20)
	least.Store(100 << 20)
	fs.space = func() uint64 { return free.Load() }
	o := tight(fs, reserve)
	o.memTable = 4 << 20 // nothing is flushed by itself
	e := temporary(t, o)
	storesMany(t, e, "room", "x", 300, keepAll)
	refused := make(chan struct{}, 1000)
	fs.set(func() {
		fs.write = func(name string, p []byte) (int, error) {
			if n := uint64(len(p)); path.Ext(name) == ".sst" {
				least.Store(min(least.Load(), free.Add(-n)))
			}
			return len(p), nil
		}
		full := fs.space
		fs.space = func() uint64 {
			if full() < reserve/8+4096 {
				select {
				case refused <- struct{}{}:
				default:
				}
			}
			return full()
		}
		free.Store(reserve/8 + 4000)
	})
	flushed := make(chan error, 1)
	go func() { flushed <- e.store.db.Flush() }()
	for range 3 { // it is tried again and again
		select {
		case <-refused:
		case err := <-flushed:
			t.Fatalf("flushed with %v, and left %d bytes", err, least.Load())
		}
	}
	free.Store(100 << 20)
	if err := <-flushed; err != nil || e.Health() != nil {
		t.Fatalf("%v; the engine: %v", err, e.Health())
	}
	if least.Load() < reserve/8 {
		t.Fatalf("tables left %d bytes", least.Load())
	}
}

// The ballast is let go when it is needed, and held again when there is space.
func TestBallastIsHeldWhenThereIsSpace(t *testing.T) {
	const reserve = 1 << 20
	memory := vfs.NewMem()
	fs := newFaults(memory)
	free := uint64(100 << 20)
	fs.space = func() uint64 { return free }
	e := temporary(t, tight(fs, reserve))
	size := func() int64 {
		info, err := memory.Stat(memory.PathJoin(where, ballastName))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	sweep := (&sweeper{Engine: e, producers: []byte{producerSpace}, records: []byte{recordSpace}}).once
	for i, row := range []struct {
		free uint64
		held bool
		want error
	}{
		{100 << 20, true, nil},
		{reserve + 1<<16, true, nil},
		{reserve - 1, true, engine.ErrStorageFull},
		{reserve / 4, true, engine.ErrStorageFull},
		{reserve/4 - 1, false, engine.ErrStorageFull},
		{reserve - 1, false, engine.ErrStorageFull},
		{reserve + 1<<16, false, nil},
		{2*reserve + reserve/4 - 1, false, nil},
		{2*reserve + reserve/4, true, nil},
	} {
		fs.set(func() { free = row.free })
		_, err := publish(t, e, say("room", fmt.Sprint(i)))
		if err2 := sweep(); !errors.Is(err, row.want) || err2 != nil {
			t.Fatalf("with %d free: %v, %v; want %v", row.free, err, err2, row.want)
		}
		kick := engine.Record{Kind: "kick", Key: "alice", Expires: time.Now().Add(time.Hour)}
		if err := e.PutRecord(context.Background(), kick); (err == nil) != (row.free >= reserve/2) {
			t.Fatalf("with %d free a record got %v; half of the reserve is for records", row.free, err)
		}
		if held := size() == reserve/4; held != row.held || e.space.held.Load() != row.held {
			t.Fatalf("with %d free the ballast has %d bytes; want it held: %v", row.free, size(), row.held)
		}
	}
}

func TestReserveIsATwentiethOfASmallFileSystem(t *testing.T) {
	fs := newFaults(vfs.NewMem())
	fs.space = func() uint64 { return 100 << 20 }
	e := temporary(t, tight(fs, 0))
	if e.space.reserve != 1<<30/20 {
		t.Fatalf("the reserve is %d", e.space.reserve)
	}
}
