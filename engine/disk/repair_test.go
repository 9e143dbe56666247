package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// repaired repairs a store and opens it.
func repaired(t *testing.T, fs vfs.FS) (*Repaired, *Engine) {
	t.Helper()
	done, err := Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
	if err != nil {
		t.Fatal(err)
	}
	return done, opened(t, small(fs))
}

// verifyRepaired wants the rooms that were not renewed to be as they were, but for the last lost messages, and of the
// others only messages that were stored, in another epoch.
func (s *sample) verifyRepaired(t *testing.T, e *Engine, done *Repaired, lost int) {
	t.Helper()
	renewed := make(map[string]bool)
	for _, r := range done.Renewed {
		renewed[r.Room] = true
	}
	for room, messages := range s.rooms {
		page := read(t, e, room, whole10k)
		if !renewed[room] {
			if len(page.Messages) < len(messages)-lost || !reflect.DeepEqual(page.Messages, messages[:len(page.Messages)]) {
				t.Fatalf("room %q has %d messages, want the %d that it had", room, len(page.Messages), len(messages))
			}
		} else if page.Head.Epoch == s.heads[room].Epoch {
			t.Fatalf("room %q is damaged, and still in its epoch", room)
		}
		at := page.Start
		for _, m := range page.Messages {
			first := messages[0].Position.Offset
			if !m.Position.Follows(at, m.ID) || !reflect.DeepEqual(m.Bytes, messages[m.Position.Offset-first].Bytes) {
				t.Fatalf("room %q serves %v after %v", room, m.Position, at)
			}
			at = m.Position
		}
		if at != page.Head {
			t.Fatalf("room %q has the head %v, and the newest at %v", room, page.Head, at)
		}
		p := say(room, "more")
		p.Retention.Latest = room < "room3"
		if r := stores(t, e, p); !r.Position.Follows(page.Head, p.Message.ID) {
			t.Fatalf("room %q goes on at %v after %v", room, r.Position, page.Head)
		}
		if renewed[room] {
			if page := read(t, e, room, engine.Query{Since: s.heads[room], Limit: 1}); page.Refused != protocol.ReasonEpoch {
				t.Fatalf("room %q proves what it was before: %+v", room, page)
			}
		}
	}
}

func TestInspectSaysWhatIsThereAndWritesNothing(t *testing.T) {
	s := newSample(t, 700)
	before := s.files("")
	report, err := Inspect(s.fs, where)
	if err != nil || !report.Whole() || len(report.Rooms) != len(s.rooms) {
		t.Fatalf("got %+v, %v", report, err)
	}
	for _, r := range report.Rooms {
		messages := s.rooms[r.Room]
		var bytes int64
		for _, m := range messages {
			bytes += int64(m.Size())
		}
		if r.Messages != uint64(len(messages)) || r.Head != s.heads[r.Room] || r.Bytes < bytes || r.Latest != 0 && r.Room > "room2" {
			t.Errorf("room %q: %+v, want %d messages of %d bytes up to %v", r.Room, r, len(messages), bytes, s.heads[r.Room])
		}
	}
	if after := s.files(""); !slices.Equal(after, before) {
		t.Errorf("the files were %v, and are %v", before, after)
	}
	done, err := Repair(RepairOptions{FS: s.fs, Dir: where, Aside: "aside"})
	if err != nil || done.Aside != "" || len(done.Renewed) > 0 {
		t.Errorf("the repair of what is whole: %+v, %v", done, err)
	}
}

func TestInspectAndRepairLeaveAnOpenStoreAlone(t *testing.T) {
	fs := vfs.NewMem()
	temporary(t, small(fs))
	_, err := Inspect(fs, where)
	refusal(t, err, ErrInUse)
	_, err = Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
	refusal(t, err, ErrInUse)
	if _, err := Inspect(vfs.NewMem(), where); err == nil {
		t.Error("inspected what is not there")
	}
}

// Damage in a table costs its rooms what is damaged, and no other room anything.
func TestRepairOfATable(t *testing.T) {
	s := newSample(t, 700)
	fs, name := s.damageRoom(t, "room4")
	report, err := Inspect(fs, where)
	if err != nil || len(report.Damage) == 0 || report.Damage[0].File != path.Base(name) || !slices.Contains(report.Damage[0].Rooms, "room4") {
		t.Fatalf("got %+v, %v", report, err)
	}
	if got := report.Damaged(); !slices.Equal(got, []string{"room4"}) {
		t.Fatalf("the damaged rooms are %v", got)
	}
	dry, err := Repair(RepairOptions{FS: fs, Dir: where, DryRun: true})
	if err != nil || len(dry.Renewed) != 1 || dry.Aside != "" {
		t.Fatalf("a dry run does %+v, %v", dry, err)
	}
	done, e := repaired(t, fs)
	if len(done.Renewed) != 1 || done.Renewed[0].Room != "room4" || done.Renewed[0].Messages < 10 {
		t.Fatalf("renewed %+v", done.Renewed)
	}
	s.verifyRepaired(t, e, done, 0)
	s.verifyKeys(t, e)
	closed(t, e)
	if _, err := fs.Stat(fs.PathJoin(where, "aside", path.Base(name))); err != nil {
		t.Errorf("the damaged table is not kept: %v", err)
	}
	again, err := Inspect(fs, where)
	if err != nil || !again.Whole() {
		t.Fatalf("after the repair there is %+v, %v", again, err)
	}
}

// Where the newest of the log is lost, the newest per event are kept all the same, and none of them is beyond the head.
func TestRepairKeepsTheNewestPerEvent(t *testing.T) {
	fs := vfs.NewMem()
	e := opened(t, small(fs))
	publishing := func(i int) *engine.Publication {
		p := say("room", fmt.Sprint(i))
		p.Message.Event, p.Retention.Latest = fmt.Sprint("event", i%3), true
		return p
	}
	for i := range 10 {
		stores(t, e, publishing(i))
	}
	lost := e.store.db.Delete(offsetKey(nil, messageSpace, "room", 10), pebble.Sync)
	if err := errors.Join(lost, e.store.db.Flush()); err != nil { // from the tables: a repair takes no write without a number
		t.Fatal(err)
	}
	closed(t, e)
	done, e := repaired(t, fs)
	defer closed(t, e)
	if len(done.Renewed) != 1 {
		t.Fatalf("renewed %+v", done.Renewed)
	}
	newest := read(t, e, "room", engine.Query{Latest: true})
	if got := texts(newest.Messages); !slices.Equal(got, []string{"7", "8", "9"}) {
		t.Fatalf("the newest per event are %q", got)
	}
	for i := 10; i < 14; i++ {
		if r := stores(t, e, publishing(i)); r.Position.Offset <= newest.Messages[2].Position.Offset {
			t.Fatalf("stored at %v, where there is a message already", r.Position)
		}
	}
	newest = read(t, e, "room", engine.Query{Latest: true, Since: newest.Head})
	if got := texts(newest.Messages); newest.Refused != "" || !slices.Equal(got, []string{"11", "12", "13"}) {
		t.Fatalf("then they are %q, %+v", got, newest)
	}
}

// Damage in a log costs the writes that cannot be read; those behind it are kept.
func TestRepairOfALog(t *testing.T) {
	s := newSample(t, 700)
	name := s.lastLog()
	data := s.data(t, name)
	starts, _ := recordsOf(name, data)
	fs := s.with(t, name, flipped(data, (starts[1]+starts[2])/2, 3))
	if err := New(small(fs)).Open(context.Background(), &fed{}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("it opens with %v", err)
	}
	done, e := repaired(t, fs)
	if len(done.Damage) == 0 || done.Damage[0].File != path.Base(name) || done.Damage[0].Offset != uint64(starts[1]) {
		t.Fatalf("the damage is %+v", done.Damage)
	}
	if n := len(done.Renewed); n != 1 {
		t.Fatalf("%d rooms are renewed by the loss of one message: %+v", n, done.Renewed)
	}
	s.verifyRepaired(t, e, done, 0)
	closed(t, e)
}

// Without its manifest nothing can be told of a store: it begins anew only when that is asked for.
func TestRepairOfAManifestStartsOver(t *testing.T) {
	s := newSample(t, 700)
	name := s.files("MANIFEST-")[0]
	data := s.data(t, name)
	starts, _ := recordsOf(name, data)
	fs := s.with(t, name, flipped(data, starts[0]+9, 1))
	report, err := Inspect(fs, where)
	if err != nil || report.Unreadable == "" || report.Damage[0].File != path.Base(name) {
		t.Fatalf("got %+v, %v", report, err)
	}
	_, err = Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
	refusal(t, err, ErrUnreadable)
	done, err := Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside", StartOver: true})
	if err != nil || !done.StartedOver {
		t.Fatalf("got %+v, %v", done, err)
	}
	e := temporary(t, small(fs))
	for room, head := range s.heads {
		if page := read(t, e, room, engine.Query{Since: head, Limit: 1}); page.Refused != protocol.ReasonEpoch {
			t.Errorf("room %q proves what it was before: %+v", room, page)
		}
	}
}

// How Pebble was set has no checksum, and is not needed: damage there stops the start, and a repair loses nothing.
func TestDamageInPebblesOptionsLosesNothing(t *testing.T) {
	s := newSample(t, 700)
	name := s.files("OPTIONS-")[0]
	data := s.data(t, name)
	if report, err := Inspect(s.with(t, path.Join(where, "OPTIONS-999999.bak"), []byte("merger=none")), where); err != nil || !report.Whole() {
		t.Errorf("a file that is none of the store's is damage: %+v, %v", report, err)
	}
	at := bytes.Index(data, []byte("merger=")) + len("merger=")
	fs := s.with(t, name, flipped(data, at, 1))
	err := New(small(fs)).Open(t.Context(), &fed{})
	refusal(t, err, ErrDamaged)
	if !strings.Contains(err.Error(), path.Base(name)) {
		t.Errorf("the file is not named: %v", err)
	}
	report, err := Inspect(fs, where)
	if err != nil || report.Unreadable != "" || len(report.Damage) != 1 || report.Damage[0].File != path.Base(name) || len(report.Damaged()) > 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
	done, err := Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
	if err != nil || len(done.Renewed) > 0 {
		t.Fatalf("got %+v, %v", done, err)
	}
	e := temporary(t, small(fs))
	if refused := s.verify(t, e, 0); refused > 0 {
		t.Errorf("%d rooms are refused", refused)
	}
	s.verifyKeys(t, e)
}

// One bit anywhere: after a repair every store opens, and every room is as it was, or has another epoch and nothing
// that was not stored in it.
func TestRepairMendsWhateverIsDamaged(t *testing.T) {
	s := newSample(t, 700)
	names := append(s.files(".sst"), s.lastLog(), s.lastLog())
	random := rand.New(rand.NewPCG(3, 4))
	mended := 0
	for i := range often(8, 1000) {
		name := names[i%len(names)]
		data := s.data(t, name)
		if len(data) == 0 {
			continue // a table that was only just begun
		}
		at, bit := random.IntN(len(data)), uint(random.IntN(8))
		fs := s.with(t, name, flipped(data, at, bit))
		done, err := Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside", StartOver: true})
		if err != nil {
			t.Fatalf("bit %d of byte %d of %s: %v", bit, at, name, err)
		}
		if done.StartedOver {
			continue
		}
		if done.Aside != "" {
			mended++
		}
		e := opened(t, small(fs))
		s.verifyRepaired(t, e, done, 1)
		closed(t, e)
		if t.Failed() {
			t.Fatalf("bit %d of byte %d of %s: %+v", bit, at, name, done)
		}
	}
	if mended == 0 {
		t.Error("nothing was damaged: the test does not try enough")
	}
}

// A repair that ends in the middle leaves nothing that opens as something else, and the next one finishes it.
func TestInterruptedRepairIsFinished(t *testing.T) {
	s := newSample(t, 700)
	damagedFS, _ := s.damageRoom(t, "room4")
	finished := false
	for at := 1; !finished; at += often(3, 1) {
		memory, err := copyStore(damagedFS, where)
		if err != nil {
			t.Fatal(err)
		}
		fs := &renames{FS: memory, left: at}
		_, err = Repair(RepairOptions{FS: fs, Dir: where, Aside: "aside"})
		if finished = err == nil; !finished && !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		if !finished && interrupted(memory, where) {
			err := New(small(memory)).Open(context.Background(), &fed{})
			if refusal(t, err, ErrDamaged); !strings.Contains(err.Error(), "log repair") {
				t.Fatalf("after %d renames it opens with %v", at, err)
			}
		}
		if _, err := Repair(RepairOptions{FS: memory, Dir: where, Aside: fmt.Sprint("aside", at)}); err != nil {
			t.Fatalf("after %d renames: %v", at, err)
		}
		e := opened(t, small(memory))
		for room := range s.rooms {
			if page := read(t, e, room, whole10k); len(page.Messages) == 0 {
				t.Fatalf("after %d renames room %q is empty", at, room)
			}
		}
		closed(t, e)
	}
}

// renames is a file system on which so many files can be renamed.
type renames struct {
	vfs.FS
	left int
}

// Rename implements vfs.FS.
func (r *renames) Rename(from, to string) error {
	if r.left--; r.left < 0 {
		return syscall.EIO
	}
	return r.FS.Rename(from, to)
}
