package disk

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// health remembers the first failure of the store. From then on nothing is written or acknowledged any more: what the
// files have is known only when they are read again from the beginning.
type health struct {
	logger  *slog.Logger
	failure atomic.Pointer[error]
	bad     badBlocks // though the store as a whole is well

	mu     sync.Mutex  // held while failure is set
	failed func(error) // called once, with the failure; it does not block
}

// fail notes a failure. It may be called by Pebble, with any of its locks held.
func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure.Load() != nil {
		return
	}
	failure := fmt.Errorf("the store failed and is closed: %w: %w", engine.ErrUnavailable, err)
	h.failure.Store(&failure)
	h.logger.Error("disk store failed: nothing more is stored; restart to recover", "error", err)
	if h.failed != nil {
		h.failed(failure)
	}
}

// err returns the failure, or nil.
func (h *health) err() error {
	if failure := h.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// Health implements the trait engine.Health: nil, or why the store failed. The engine then answers everything with
// engine.ErrUnavailable, and only a new one on the same directory may find out what was stored.
func (e *Engine) Health() error { return e.health.err() }

// pebbleLog is the logger that Pebble gets.
type pebbleLog struct{ health *health }

// Infof implements pebble.Logger.
func (l pebbleLog) Infof(format string, args ...any) {
	if logger := l.health.logger; logger.Enabled(context.Background(), slog.LevelDebug) {
		logger.Debug("pebble", "says", fmt.Sprintf(format, args...))
	}
}

// Errorf implements pebble.Logger.
func (l pebbleLog) Errorf(format string, args ...any) {
	l.health.logger.Warn("pebble", "says", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble expects it to end the process; here it ends the store.
func (l pebbleLog) Fatalf(format string, args ...any) { l.health.fail(fmt.Errorf(format, args...)) }

// events is what is listened to of Pebble.
func (h *health) events() *pebble.EventListener {
	var mu sync.Mutex
	seen := make(map[string]bool) // damaged files that were reported
	return &pebble.EventListener{
		BackgroundError: func(err error) { h.logger.Debug("disk store: work in the background failed", "error", err) },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			h.bad.learn(&info)
			mu.Lock()
			known := seen[info.Path]
			seen[info.Path] = true
			mu.Unlock()
			if !known {
				h.logger.Error("disk store: a file is damaged; the rooms in it are refused", "file", info.Path, "error", info.Details)
			}
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			h.logger.Warn("disk store: writes wait for the disk", "reason", info.Reason)
		},
	}
}
