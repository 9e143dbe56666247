package disk

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
)

// ErrDamaged tells that files do not say what was written to them. errors.As with a *DamageError tells where.
var ErrDamaged = errors.New("the files are damaged")

// DamageError says what is damaged. It is an ErrDamaged and an engine.ErrUnavailable; nothing was stored.
type DamageError struct {
	Room   string // refused because of it; empty when it is none's own
	Offset uint64 // of the message in the room, or of the place in File when there is no room; 0 when that is not known
	File   string // empty when that is not known
	Err    error  // what was seen
}

// Error implements error.
func (e *DamageError) Error() string {
	parts := []string{ErrDamaged.Error()}
	if e.Room != "" {
		parts = append(parts, fmt.Sprintf("room %q", e.Room))
	}
	if e.File != "" {
		parts = append(parts, "file "+e.File)
	}
	if e.Offset != 0 || e.Room == "" && e.File != "" {
		parts = append(parts, fmt.Sprintf("offset %d", e.Offset))
	}
	return strings.Join(parts, ", ") + ": " + e.Err.Error()
}

// Unwrap returns what errors.Is finds in e.
func (e *DamageError) Unwrap() []error { return []error{ErrDamaged, engine.ErrUnavailable, e.Err} }

// damaged returns the error of what cannot be read of a room: err is what Pebble or a decoder said.
func damaged(room string, offset uint64, err error) error {
	if known := (*DamageError)(nil); errors.As(err, &known) {
		return err
	}
	d := &DamageError{Room: room, Offset: offset, Err: err}
	if seen := pebble.ExtractDataCorruptionInfo(err); seen != nil {
		d.File = seen.Path
	}
	return d
}

// Bounds of what is remembered of rooms that are refused; inspecting the store names all of them.
const (
	maxRefused  = 65_536
	maxReported = 1024 // of them are logged
)

// refusals are the rooms in which damage was met, with what it was. Nothing is stored in them until the store is opened
// anew: what a repair drops would be more with each message.
type refusals struct {
	some  atomic.Bool
	mu    sync.Mutex
	rooms map[string]*DamageError
}

// note notes that a room is refused. It reports whether that is new, and to be logged.
func (r *refusals) note(d *DamageError) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rooms[d.Room] != nil || len(r.rooms) == maxRefused {
		return false
	}
	if r.rooms == nil {
		r.rooms = make(map[string]*DamageError)
	}
	r.rooms[strings.Clone(d.Room)] = d
	r.some.Store(true)
	return len(r.rooms) <= maxReported
}

// of returns why a room is refused, or nil.
func (r *refusals) of(room string) error {
	if !r.some.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.rooms[room]; d != nil {
		return d
	}
	return nil
}

// report notes that a room is refused, if that is what err says, and logs it: clients are told no more than that it is
// unavailable.
func (e *Engine) report(err error) {
	var d *DamageError
	if errors.As(err, &d) && d.Room != "" && e.refusals.note(d) {
		e.options.Logger.Error("disk store: a room is refused", "room", d.Room, "offset", d.Offset, "file", d.File, "error", d.Err)
	}
}
