package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// counting is an engine that counts how often a log is read, and the rooms that are subscribed.
type counting struct {
	engine.Engine
	reads, subscribed atomic.Int64

	lose  float64 // part of what is fed
	lost  atomic.Int64
	holes holes
}

// Open implements engine.Engine.
func (c *counting) Open(ctx context.Context, feed engine.Feed) error {
	if c.lose > 0 {
		feed = losing{feed, c}
	}
	return c.Engine.Open(ctx, feed)
}

// losing is a feed that loses some of what it gets.
type losing struct {
	engine.Feed
	counting *counting
}

// Deliver implements engine.Feed.
func (l losing) Deliver(m *protocol.Message) {
	if rand.Float64() < l.counting.lose {
		l.counting.lost.Add(1)
		l.counting.holes.lost(m)
		return
	}
	l.counting.holes.came(m)
	l.Feed.Deliver(m)
}

// Read implements engine.Engine. Asking for the head alone does not count.
func (c *counting) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	if !q.Since.IsZero() || !q.Before.IsZero() || q.Last > 0 || q.Latest {
		c.reads.Add(1)
	}
	began := time.Now()
	page, err := c.Engine.Read(ctx, room, q)
	if err == nil {
		c.holes.read(room, page, time.Since(began))
	}
	return page, err
}

// Subscribe implements engine.Engine.
func (c *counting) Subscribe(ctx context.Context, room string) error {
	err := c.Engine.Subscribe(ctx, room)
	if err == nil {
		c.subscribed.Add(1)
	}
	return err
}

// Unsubscribe implements engine.Engine.
func (c *counting) Unsubscribe(room string) {
	c.subscribed.Add(-1)
	c.Engine.Unsubscribe(room)
}

// Durability implements engine.Durability.
func (c *counting) Durability() string {
	if d, ok := c.Engine.(engine.Durability); ok {
		return d.Durability()
	}
	return "memory"
}

// Health implements engine.Health.
func (c *counting) Health() error {
	if h, ok := c.Engine.(engine.Health); ok {
		return h.Health()
	}
	return nil
}

// routes returns the server's handler with the counters beside it.
func (c *counting) routes(server http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", server)
	for name, value := range map[string]func() int64{
		"reads":         c.reads.Load,
		"subscribed":    c.subscribed.Load,
		"lost":          c.lost.Load,
		"holes":         c.holes.count,
		"repair":        func() int64 { return c.holes.slowest(&c.holes.afterNext, 2) },
		"repair-p95":    func() int64 { return c.holes.slowest(&c.holes.afterNext, 20) },
		"repair-max":    func() int64 { return c.holes.slowest(&c.holes.afterNext, 1<<62) },
		"repair-end":    func() int64 { return c.holes.slowest(&c.holes.atEnd, 1<<62) },
		"repair-engine": func() int64 { return c.holes.slowest(&c.holes.engine, 2) },
		"goroutines":    func() int64 { return int64(runtime.NumGoroutine()) },
		"heap":          heap,
	} {
		mux.HandleFunc("/faults/"+name, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, value()) })
	}
	mux.HandleFunc("/faults/clock", setClock)
	return mux
}

// heap returns how many bytes are in use after a collection, and gives what is not back to the system.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC() // what finalizers and pools held goes with the next
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
