package disk

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/protocol"
)

// ErrInUse tells that an engine has the store open.
var ErrInUse = errors.New("a server has the store open")

// Report says what a store has.
type Report struct {
	Dir      string       `json:"dir"`
	Rooms    []RoomReport `json:"rooms"` // by name
	Messages uint64       `json:"messages"`
	Bytes    int64        `json:"bytes"` // as protocol.Message.Size counts
	Damage   []Damage     `json:"damage"`
	// Unreadable is why nothing can be said of the rooms: the manifest, which says what the tables are, is damaged.
	Unreadable string `json:"unreadable,omitempty"`
}

// RoomReport says what a store has of a room. Messages that have become too old count until they are deleted.
type RoomReport struct {
	Room     string            `json:"room"`
	Messages uint64            `json:"messages"`
	Bytes    int64             `json:"bytes"`
	Start    protocol.Position `json:"start"` // before the oldest message kept
	Head     protocol.Position `json:"head"`
	Latest   int               `json:"latest,omitempty"` // newest messages per event
	Damage   string            `json:"damage,omitempty"` // why it is refused; the repair gives it another epoch
}

// Damage is what cannot be read.
type Damage struct {
	File   string   `json:"file,omitempty"`
	Offset uint64   `json:"offset,omitempty"` // in the file, where it is a log
	Rooms  []string `json:"rooms,omitempty"`  // that it is of, as far as can be told
	Error  string   `json:"error"`
}

// Damaged returns the rooms that are.
func (r *Report) Damaged() (rooms []string) {
	for _, room := range r.Rooms {
		if room.Damage != "" {
			rooms = append(rooms, room.Room)
		}
	}
	return rooms
}

// Whole reports whether nothing is damaged.
func (r *Report) Whole() bool {
	return len(r.Damage) == 0 && r.Unreadable == "" && len(r.Damaged()) == 0
}

// Inspect reads the whole store in a directory of a file system, nil for vfs.Default, and writes nothing. It returns an ErrInUse while an
// engine has the store open.
func Inspect(fs vfs.FS, dir string) (*Report, error) {
	if fs == nil {
		fs = vfs.Default
	}
	lock, err := lockStore(fs, dir)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", dir, err)
	}
	report, err := inspect(fs, dir, lock, func(*Report, *salvage, *survey) error { return nil })
	if err = errors.Join(err, lock.Close()); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", dir, err)
	}
	return report, nil
}

// inspect reads a store that is locked and, if it can be read, calls then with what was found.
func inspect(fs vfs.FS, dir string, lock *pebble.Lock, then func(*Report, *salvage, *survey) error) (*Report, error) {
	report := &Report{Dir: dir, Rooms: []RoomReport{}, Damage: []Damage{}}
	if interrupted(fs, dir) {
		return nil, errInterrupted
	}
	s, err := openSalvage(fs, dir, lock)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		report.Unreadable = damage.Error()
		report.Damage = append(report.Damage, Damage{File: fs.PathBase(damage.File), Offset: damage.Offset, Error: damage.Err.Error()})
		return report, nil
	}
	if err != nil {
		return nil, err
	}
	if bad := checkOptions(fs, dir); bad != nil {
		report.Damage = append(report.Damage, Damage{File: fs.PathBase(bad.File), Error: bad.Err.Error()})
	}
	found := surveyStore(s.view, s.touched)
	report.Damage = append(report.Damage, s.damage...)
	report.add(fs, found)
	return report, errors.Join(then(report, s, found), s.close())
}

// add fills the report.
func (r *Report) add(fs vfs.FS, found *survey) {
	for name, room := range found.rooms {
		one := RoomReport{
			Room: name, Messages: room.messages, Start: room.state.floor, Head: room.state.head, Latest: len(room.latest), Damage: room.wrong,
		}
		if room.messages > 0 {
			one.Bytes = int64(room.last.total - room.first.totalBefore())
			one.Start = room.first.before()
		}
		for _, e := range room.latest {
			one.Bytes += int64(e.size)
		}
		r.Rooms = append(r.Rooms, one)
		r.Messages += one.Messages
		r.Bytes += one.Bytes
	}
	slices.SortFunc(r.Rooms, func(a, b RoomReport) int { return cmp.Compare(a.Room, b.Room) })
	for _, g := range found.gaps {
		d := Damage{Error: g.err.Error()}
		if seen := (*DamageError)(nil); errors.As(damaged("", 0, g.err), &seen) {
			d.File = fs.PathBase(seen.File)
		}
		for _, name := range r.Damaged() {
			if g.covers(name) {
				d.Rooms = append(d.Rooms, name)
			}
		}
		r.Damage = append(r.Damage, d)
	}
	for _, space := range slices.Sorted(maps.Keys(found.bad)) {
		r.Damage = append(r.Damage, Damage{Error: fmt.Sprintf("%d %s do not say what was written", found.bad[space], spaceNames(space))})
	}
}

// spaceNames says what the records of a space are.
func spaceNames(space byte) string {
	switch space {
	case epochSpace:
		return "epochs"
	case keySpace:
		return "idempotency keys"
	case latestSpace, messageSpace:
		return "messages"
	case producerSpace, stampSpace:
		return "records of producers"
	case roomSpace:
		return "records of rooms"
	}
	return "records of kicks"
}
