package enginetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/protocol"
)

// The suite must not ask for more than package engine promises: it passes on engines that are as different from the
// one in memory as they may be.
func TestAcceptsAnEngineThatAnswersLater(t *testing.T) {
	open := func(*testing.T) engine.Engine { return newLater() }
	t.Run("virtual time", func(t *testing.T) { Run(t, Options{VirtualTime: true}, open) })
	t.Run("real time", func(t *testing.T) { Run(t, Options{}, open) })
}

func TestAcceptsAnEngineWithSparseOffsets(t *testing.T) {
	Run(t, Options{VirtualTime: true, SparseOffsets: true}, func(*testing.T) engine.Engine {
		return &sparse{Engine: newLater()}
	})
}

// queue runs functions one after the other in a goroutine of its own.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	closed  bool
	wake    chan struct{}
	ended   sync.WaitGroup
}

func newQueue(between time.Duration) *queue {
	q := &queue{wake: make(chan struct{}, 1)}
	q.ended.Go(func() {
		for {
			q.mu.Lock()
			batch, closed := q.waiting, q.closed
			q.waiting = nil
			q.mu.Unlock()
			for _, run := range batch {
				run()
			}
			if closed {
				return
			}
			<-q.wake
			time.Sleep(between)
		}
	})
	return q
}

// add reports whether f will run.
func (q *queue) add(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, f)
	q.signal()
	return true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close ends the queue once everything in it has run.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
	q.ended.Wait()
}

// later is an engine that commits in batches, answers behind them, and feeds from another goroutine.
type later struct {
	engine.Records
	memory  *memory.Engine
	feed    engine.Feed
	commits *queue
	feeds   *queue
}

func newLater() *later {
	m := memory.New(memory.Options{})
	return &later{Records: m, memory: m}
}

func (e *later) Open(ctx context.Context, feed engine.Feed) error {
	e.feed, e.commits, e.feeds = feed, newQueue(time.Millisecond), newQueue(0)
	return e.memory.Open(ctx, e)
}

func (e *later) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	added := e.commits.add(func() {
		e.memory.Publish(ctx, p, func(r engine.Receipt, err error) { e.feeds.add(func() { done(r, err) }) })
	})
	if !added {
		done(engine.Receipt{}, fmt.Errorf("later: %w", engine.ErrClosed))
	}
}

func (e *later) Deliver(m *protocol.Message) {
	e.feeds.add(func() {
		e.feed.Deliver(m)
		e.feed.Flush()
	})
}
func (e *later) Flush()       {}
func (e *later) Interrupted() {}

func (e *later) Subscribe(ctx context.Context, room string) error {
	return e.memory.Subscribe(ctx, room)
}
func (e *later) Unsubscribe(room string) { e.memory.Unsubscribe(room) }

func (e *later) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	return e.memory.Read(ctx, room, q)
}

func (e *later) Close(ctx context.Context) error {
	e.commits.close()
	e.feeds.close()
	return e.memory.Close(ctx)
}

// sparse is an engine whose offsets rise by three, with the check that a message had before.
type sparse struct {
	engine.Engine
	feed engine.Feed
}

// spread returns the position that sparse shows for p, and gather the one that it shows p for.
func spread(p protocol.Position) protocol.Position {
	p.Offset *= 3
	return p
}

func gather(p protocol.Position) protocol.Position {
	p.Offset = (p.Offset + 2) / 3
	return p
}

func spreadMessage(m *protocol.Message) *protocol.Message {
	own := *m
	own.Position = spread(m.Position)
	return &own
}

func (e *sparse) Open(ctx context.Context, feed engine.Feed) error {
	e.feed = feed
	return e.Engine.Open(ctx, e)
}

func (e *sparse) Deliver(m *protocol.Message) { e.feed.Deliver(spreadMessage(m)) }
func (e *sparse) Flush()                      { e.feed.Flush() }
func (e *sparse) Interrupted()                { e.feed.Interrupted() }

func (e *sparse) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	e.Engine.Publish(ctx, p, func(r engine.Receipt, err error) {
		r.Position = spread(r.Position)
		done(r, err)
	})
}

func (e *sparse) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	q.Since, q.Before = gather(q.Since), gather(q.Before)
	page, err := e.Engine.Read(ctx, room, q)
	page.Head, page.Start = spread(page.Head), spread(page.Start)
	page.Messages = slices.Clone(page.Messages)
	for i, m := range page.Messages {
		page.Messages[i] = spreadMessage(m)
	}
	return page, err
}
