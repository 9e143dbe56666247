package disk

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// RepairOptions are the settings of a repair.
type RepairOptions struct {
	FS     vfs.FS // nil is vfs.Default
	Dir    string // of the store
	DryRun bool   // find out what would be done, and write nothing
	// StartOver allows to begin an empty store where the manifest is damaged, so that nothing can be told of the rooms.
	StartOver bool
	// Aside is the name of the directory, in Dir, that the store as it was goes to. Required unless DryRun.
	Aside string
}

// Repaired says what a repair did, or would do.
type Repaired struct {
	Report                   // of the store as it was
	Aside       string       `json:"aside,omitempty"` // where it is now; empty when nothing was done
	Renewed     []RoomReport `json:"renewed"`         // the rooms that have another epoch, as they are now
	StartedOver bool         `json:"started_over,omitempty"`
}

// ErrUnreadable tells that a repair would have to begin an empty store.
var ErrUnreadable = errors.New("nothing can be told of the rooms")

// Repair makes a store that opens, and whose rooms can all be read, of one that is damaged. A damaged room keeps the
// newest of its messages that follow each other, and gets another epoch; the others stay as they are. Nothing is
// deleted: the store as it was goes into the directory Aside within Dir. It returns an ErrInUse while an engine has the
// store open. A repair that was interrupted is finished by the next.
func Repair(o RepairOptions) (*Repaired, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	done, err := repairLocked(&o)
	if err != nil {
		return nil, fmt.Errorf("repair %s: %w", o.Dir, err)
	}
	return done, nil
}

func repairLocked(o *RepairOptions) (*Repaired, error) {
	lock, err := lockStore(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	done, err := o.repair(lock)
	return done, errors.Join(err, lock.Close())
}

func (o *RepairOptions) repair(lock *pebble.Lock) (*Repaired, error) {
	if interrupted(o.FS, o.Dir) {
		if o.DryRun {
			return nil, errInterrupted
		}
		if err := finishSwap(o.FS, o.Dir); err != nil {
			return nil, err
		}
	}
	done := &Repaired{Renewed: []RoomReport{}}
	report, err := inspect(o.FS, o.Dir, lock, func(r *Report, s *salvage, found *survey) error {
		if r.Whole() {
			return nil
		}
		w := &rewriter{found: found, states: make(map[string]state)}
		w.decide(done)
		if o.DryRun {
			return nil
		}
		return w.write(o.FS, o.rebuilt(), s.view)
	})
	if err != nil {
		return nil, err
	}
	done.Report = *report
	switch {
	case report.Whole():
		return done, nil
	case report.Unreadable != "" && !o.StartOver:
		return done, fmt.Errorf("%w: %s", ErrUnreadable, report.Unreadable)
	case report.Unreadable != "":
		done.StartedOver = true
		if !o.DryRun {
			empty := &survey{now: time.Now().UnixMilli()}
			err = (&rewriter{found: empty}).write(o.FS, o.rebuilt(), nil)
		}
	}
	if err != nil || o.DryRun {
		return done, err
	}
	done.Aside = o.FS.PathJoin(o.Dir, o.Aside)
	return done, swap(o.FS, o.Dir, o.Aside)
}

// rebuilt is the directory in which the store is made anew.
func (o *RepairOptions) rebuilt() string { return o.FS.PathJoin(o.Dir, rebuiltName) }
