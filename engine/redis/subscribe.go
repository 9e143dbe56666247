package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/engine"
)

// Subscribe implements engine.Engine.
func (e *Engine) Subscribe(ctx context.Context, room string) error {
	if err := e.begin(); err != nil {
		return fmt.Errorf("redis: subscribe %q: %w", room, err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	e.feeder.add(room)
	done := make(chan error, 1)
	e.links.ask(order{room: room, done: done})
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	e.drop(room)
	if ctx.Err() == nil || errors.Is(err, engine.ErrUnavailable) {
		err = failure(err, engine.ErrUnavailable)
	}
	return fmt.Errorf("redis: subscribe %q: %w", room, err)
}

// Unsubscribe implements engine.Engine.
func (e *Engine) Unsubscribe(room string) {
	if e.begin() != nil {
		return
	}
	defer e.end()
	e.drop(room)
}

// drop gives up a room's subscription.
func (e *Engine) drop(room string) {
	e.feeder.remove(room)
	e.links.ask(order{room: room})
}
