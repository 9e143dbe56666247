// Package disk is the engine of one node that keeps its rooms in files, on Pebble: what it acknowledged is synced, and
// outlives the end of the process and of the machine's power.
//
// One goroutine, the committer, does all that changes something (committer.go, turn.go). A publish walks queue.go,
// publish.go: find the room (room.go), recognise a duplicate (key.go, producer.go), keep the message (trim.go,
// latest.go). All that waits goes into one batch, is synced, and is then made visible, fed and acknowledged, in this
// order. Reading sees what is synced (view.go, read.go, log.go). What has run out is found by sweep.go.
//
// Files are not trusted. Each record has a checksum (encode.go), the logs are checked before Pebble replays them
// (logcheck.go), and after the first error of a write or a sync nothing is acknowledged any more (guard.go, health.go).
package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
)

// The bounds where Options has none.
const (
	DefaultMaxQueue   = 64 << 20
	DefaultCacheBytes = 64 << 20
)

// Options of an Engine.
type Options struct {
	// Dir is the directory that the engine has for itself; it is made if it is not there. Required.
	Dir string
	// Logger for what operators need to know. Nil is slog.Default.
	Logger *slog.Logger
	// MaxBytes bounds what is kept of all rooms' messages, as protocol.Message.Size counts; a message that is in a log
	// and is the newest of its event counts twice, and messages that have left a log count until they are deleted. When
	// fifteen sixteenths are used, the rooms published to longest ago lose their messages, in the background. Where that
	// does not suffice, a publish is refused with engine.ErrStorageFull. Default: no bound.
	MaxBytes int64
	// MaxQueue bounds the messages that wait to be written, in bytes as protocol.Message.Size counts. Beyond it a
	// publish is refused with engine.ErrOverloaded. Default: 64 MiB.
	MaxQueue int64
	// Reserve is how many bytes of the file system are kept free: a publish that would leave less is refused with
	// engine.ErrStorageFull, until there is more again. A quarter of it is held by a file, which is let go when
	// something else uses the reserve up. Default: 256 MiB, or a twentieth of the file system if that is less;
	// negative: nothing is watched.
	Reserve int64
	// CacheBytes is how much memory is used to keep what was read. What is not yet in tables takes up to 80 MiB
	// besides. Default: 64 MiB.
	CacheBytes int64
	// FS is the file system. Default: vfs.Default, that of the operating system.
	FS vfs.FS

	memTable uint64        // bytes that are written to a log before they go to tables
	weight   int           // bounds what is kept of rooms in memory
	sweeping time.Duration // how often what has run out is deleted
	unasked  bool          // no clock tells Pebble to look for compactions: in virtual time it would do nothing else
	batches  uint64        // of which there are records in the journal, at least
}

// Engine is the engine on disk. Create it with New.
//
// Locks: each stands alone, save that a failure of the store closes the queue with health's lock held.
type Engine struct {
	options       Options
	clock         clock
	feed          engine.Feed
	store         *store
	health        health
	refusals      refusals
	space         *space
	queue         queue
	views         views
	subscriptions subscriptions
	quota         quota
	closing       atomic.Bool   // what waits is answered with engine.ErrClosed instead of being done
	crowded       chan struct{} // asks for a sweep
	stop          chan struct{} // ends the sweeper
	ended         chan struct{} // closed when the store is
	closeErr      error         // of the store, to be read once ended is closed
	gate          gate
}

// gate is held while a turn is fed; once it is shut nothing is fed any more.
type gate struct {
	mu   sync.Mutex
	shut bool
}

// New returns an engine that is not open yet.
func New(o Options) *Engine {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.MaxQueue = cmp.Or(o.MaxQueue, DefaultMaxQueue)
	o.CacheBytes = cmp.Or(o.CacheBytes, DefaultCacheBytes)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	o.memTable, o.weight = cmp.Or(o.memTable, memTableBytes), cmp.Or(o.weight, maxWeight)
	o.batches, o.sweeping = cmp.Or(o.batches, journalKept), cmp.Or(o.sweeping, sweepEvery)
	e := &Engine{options: o, crowded: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	e.clock.init()
	e.health.logger = o.Logger
	e.queue.init(o.MaxQueue)
	e.quota.init(engine.MaxUserKeys, engine.MaxKeys)
	e.subscriptions.rooms = make(map[string]struct{})
	return e
}

// Open implements engine.Engine. Where it finds damage that is not a room's, it returns an ErrDamaged.
func (e *Engine) Open(ctx context.Context, feed engine.Feed) error {
	if err := e.open(ctx, feed); err != nil {
		return fmt.Errorf("disk: open %s: %w", e.options.Dir, err)
	}
	return nil
}

func (e *Engine) open(ctx context.Context, feed engine.Feed) (err error) {
	if e.options.Dir == "" {
		return errors.New("no directory")
	}
	e.feed = feed
	if e.store, err = openStore(&e.options, &e.health); err != nil {
		return err
	}
	c := &committer{Engine: e}
	c.rooms.init(e.options.weight)
	if err = c.load(ctx); err == nil {
		e.space, err = openSpace(e.options.FS, e.options.Dir, e.options.Reserve)
	}
	if err == nil {
		err = e.health.err()
	}
	if err != nil {
		err = errors.Join(err, e.store.close())
		e.store = nil
		return err
	}
	if err := e.space.hold(); err != nil {
		e.options.Logger.Warn("disk store: no space is held back", "error", err)
	}
	e.store.guard.space.Store(e.space)
	e.arm()
	e.views.advance(e.store.db)
	var sweeper sync.WaitGroup
	sweeper.Go(e.sweep)
	go func() {
		defer close(e.ended)
		c.run()
		close(e.stop)
		if err := e.health.err(); err != nil {
			e.views.close(err)
		} else {
			e.views.close(engine.ErrClosed)
		}
		sweeper.Wait()
		e.views.wait()
		e.closeErr = e.store.close()
	}()
	return nil
}

// arm lets a failure stop the engine from now on; before, it is the error of Open.
func (e *Engine) arm() {
	e.health.mu.Lock()
	defer e.health.mu.Unlock()
	e.health.failed = func(err error) {
		e.store.guard.frozen.Store(true)
		e.queue.close(err)
	}
	e.store.guard.open.Store(true)
}

// Close implements engine.Engine: it waits until what waited before is written. When ctx ends first, what is left is
// answered with engine.ErrClosed, and nothing is fed any more.
func (e *Engine) Close(ctx context.Context) error {
	if e.store == nil {
		return nil
	}
	e.queue.close(engine.ErrClosed)
	e.subscriptions.close(engine.ErrClosed)
	select {
	case <-e.ended:
		e.views.close(engine.ErrClosed)
	case <-ctx.Done():
		e.closing.Store(true)
		e.views.close(engine.ErrClosed)
		e.gate.mu.Lock()
		e.gate.shut = true
		e.gate.mu.Unlock()
		return fmt.Errorf("disk: close: %w", context.Cause(ctx))
	}
	if e.closeErr != nil {
		return fmt.Errorf("disk: close: %w", e.closeErr)
	}
	return nil
}

// Durability implements the trait engine.Durability: what is acknowledged is synced.
func (*Engine) Durability() string { return "disk" }
