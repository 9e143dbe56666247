// Package memory is the engine that lives in the process: positions, logs and duplicates are kept in memory and end
// with it. Nothing in it waits, so a publish is stored, fed and answered before the call returns.
//
// A publish walks publish.go: find the room (room.go), recognise a duplicate (keys.go, producer.go), keep the message
// (log.go, latest.go), feed it. What is kept is bounded by evict.go and swept by sweep.go.
package memory

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// The bounds where Options has none.
const (
	DefaultMaxBytes = 1 << 30
	DefaultMaxRooms = 1_000_000
)

// Options of an Engine. The zero value works.
type Options struct {
	// MaxBytes bounds what is kept of all rooms' messages, as protocol.Message.Size counts; a message that is in a log
	// and is the newest of its event counts twice. Beyond it the rooms published to longest ago lose their oldest
	// messages: first out of the logs, then whole rooms that nobody is subscribed to and that were not published to for
	// engine.KeyWindow. Where that does not suffice, a publish is refused with engine.ErrStorageFull. Default: 1 GiB;
	// negative: no bound.
	MaxBytes int64
	// MaxRooms bounds the rooms that were published to and that nobody is subscribed to. Beyond it the one published to
	// or unsubscribed from longest ago is forgotten, however young; if it was published to within engine.KeyWindow, a
	// publish to a new room is refused with engine.ErrStorageFull instead. Default: 1,000,000; negative: no bound.
	MaxRooms int
}

// Engine is the engine in memory. Create it with New.
//
// Locks are taken in this order: shard, room, then one of the leaves (order, keyShard and behind it quotaShard). A
// message is fed with its room's lock held.
type Engine struct {
	options Options
	clock   func() (wall int64, now time.Duration) // Unix milliseconds; monotonic time since New
	feed    engine.Feed
	seed    maphash.Seed
	shards  [shards]shard
	bytes   atomic.Int64 // kept, of all rooms
	logs    order        // rooms that keep a log
	idle    order        // rooms published to and not subscribed
	quota   quota
	keys    keys
	records records
	stop    chan struct{} // ends the sweeper
	closing sync.Once     // closes stop
	sweeper sync.WaitGroup
}

// New returns an engine that is not open yet.
func New(o Options) *Engine {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxRooms == 0 {
		o.MaxRooms = DefaultMaxRooms
	}
	e := &Engine{options: o, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	start := time.Now()
	e.clock = func() (int64, time.Duration) {
		t := time.Now()
		return t.UnixMilli(), t.Sub(start)
	}
	for i := range e.shards {
		e.shards[i].init()
	}
	e.quota.init(engine.MaxUserKeys, engine.MaxKeys)
	e.keys.init(&e.quota)
	e.records.init(maxRecords)
	return e
}

// Open implements engine.Engine.
func (e *Engine) Open(_ context.Context, feed engine.Feed) error {
	e.feed = feed
	e.sweeper.Go(e.sweep)
	return nil
}

// Close implements engine.Engine: once it returned nothing is fed any more and every call is answered with
// engine.ErrClosed.
func (e *Engine) Close(ctx context.Context) error {
	e.closing.Do(func() { close(e.stop) })
	for i := range e.shards {
		for _, r := range e.shards[i].close() {
			r.mu.Lock()
			e.end(r)
			r.mu.Unlock()
		}
	}
	e.records.close()
	ended := make(chan struct{})
	go func() {
		e.sweeper.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("memory: close: %w", context.Cause(ctx))
	}
}

// Inline implements engine.Inline.
func (*Engine) Inline() {}

// Durability implements the trait engine.Durability: messages end with the process.
func (*Engine) Durability() string { return "memory" }
