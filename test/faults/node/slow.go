package main

import (
	"context"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// slow is an engine that stores one message after the other, each in the same time. It takes all that it is given.
type slow struct {
	engine.Engine
	takes time.Duration
	feed  engine.Feed

	mu      sync.Mutex
	filled  sync.Cond // on mu
	waiting []func()
}

func newSlow(e engine.Engine, takes time.Duration) *slow {
	s := &slow{Engine: e, takes: takes}
	s.filled.L = &s.mu
	return s
}

// Open implements engine.Engine.
func (s *slow) Open(ctx context.Context, feed engine.Feed) error {
	s.feed = feed
	go s.work()
	return s.Engine.Open(ctx, feed)
}

// Publish implements engine.Engine.
func (s *slow) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, func() { s.Engine.Publish(ctx, p, done) })
	s.filled.Signal()
}

// work stores what waits. What a sleep is too long the next ones are shorter.
func (s *slow) work() {
	var due time.Time
	for {
		s.mu.Lock()
		for len(s.waiting) == 0 {
			s.filled.Wait()
		}
		store := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		s.mu.Unlock()
		if now := time.Now(); due.Before(now.Add(-10 * s.takes)) {
			due = now
		}
		due = due.Add(s.takes)
		time.Sleep(time.Until(due))
		store()
		s.feed.Flush()
	}
}
