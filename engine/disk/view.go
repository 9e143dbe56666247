package disk

import (
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// view is the store as it was after a batch had been synced. What a batch writes can be read from Pebble before the
// sync ended; through a view it cannot.
type view struct {
	snapshot *pebble.Snapshot
	readers  int // guarded by views.mu
}

// views hands out the newest view.
type views struct {
	open sync.WaitGroup // of the views that are not closed

	mu      sync.Mutex
	current *view
	closed  error // what acquire returns once there is none
}

// advance makes the store as it is now the newest view: everything in it is synced.
func (v *views) advance(db *pebble.DB) {
	next := &view{snapshot: db.NewSnapshot()}
	v.open.Add(1)
	v.mu.Lock()
	last := v.current
	if v.closed == nil {
		v.current = next
	} else {
		last = next
	}
	unused := last != nil && last.readers == 0
	v.mu.Unlock()
	if unused {
		v.end(last)
	}
}

// acquire returns the newest view, to be released.
func (v *views) acquire() (*view, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.current == nil {
		return nil, v.closed
	}
	v.current.readers++
	return v.current, nil
}

// view returns the newest view, to be released, unless the store failed.
func (e *Engine) view() (*view, error) {
	v, err := e.views.acquire()
	if err != nil {
		return nil, err
	}
	if err := e.health.err(); err != nil {
		e.views.release(v)
		return nil, err
	}
	return v, nil
}

// release ends the use of a view.
func (v *views) release(used *view) {
	v.mu.Lock()
	used.readers--
	unused := used.readers == 0 && used != v.current
	v.mu.Unlock()
	if unused {
		v.end(used)
	}
}

// close lets no new reader in, who gets err. A later call counts, but after engine.ErrClosed.
func (v *views) close(err error) {
	v.mu.Lock()
	last := v.current
	v.current = nil
	if !errors.Is(v.closed, engine.ErrClosed) {
		v.closed = err
	}
	unused := last != nil && last.readers == 0
	v.mu.Unlock()
	if unused {
		v.end(last)
	}
}

// wait returns when the last reader is gone. No view is made any more.
func (v *views) wait() { v.open.Wait() }

// end closes a view that nobody uses.
func (v *views) end(unused *view) {
	_ = unused.snapshot.Close() // fails only when closed twice
	v.open.Done()
}

// lookup returns a copy of the value under key in src, or nil.
func lookup(src pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := src.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}
