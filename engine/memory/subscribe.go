package memory

import (
	"context"
	"fmt"
)

// Subscribe implements engine.Engine.
func (e *Engine) Subscribe(_ context.Context, name string) error {
	r, err := e.hold(name, false)
	if err != nil {
		return fmt.Errorf("memory: subscribe %q: %w", name, err)
	}
	defer r.mu.Unlock()
	r.subscribed = true
	e.idle.remove(&r.inIdle)
	return nil
}

// Unsubscribe implements engine.Engine. A room in which nothing was stored costs nothing from then on.
func (e *Engine) Unsubscribe(name string) {
	r, err := e.look(name)
	if err != nil {
		return
	}
	r.subscribed = false
	unwritten := r.unwritten()
	if !unwritten {
		e.idle.touch(r, &r.inIdle)
	}
	r.mu.Unlock()
	if unwritten {
		e.forget(r, (*room).unwritten)
	}
}
