package disk

import (
	"context"
	"fmt"
	"sync"
)

// subscriptions are the rooms that are fed.
type subscriptions struct {
	mu     sync.RWMutex
	rooms  map[string]struct{}
	closed error // what add returns, once it is set
}

func (s *subscriptions) add(room string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return s.closed
	}
	s.rooms[room] = struct{}{}
	return nil
}

func (s *subscriptions) remove(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rooms, room)
}

func (s *subscriptions) has(room string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.rooms[room]
	return ok
}

// close makes add return err from now on.
func (s *subscriptions) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = err
	clear(s.rooms)
}

// Subscribe implements engine.Engine.
func (e *Engine) Subscribe(_ context.Context, room string) error {
	err := e.health.err()
	if err == nil {
		err = e.subscriptions.add(room)
	}
	if err != nil {
		return fmt.Errorf("disk: subscribe %q: %w", room, err)
	}
	return nil
}

// Unsubscribe implements engine.Engine.
func (e *Engine) Unsubscribe(room string) { e.subscriptions.remove(room) }
