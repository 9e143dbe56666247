package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// sample is a store as a crash left it, and what is in it.
type sample struct {
	fs    *vfs.MemFS
	rooms map[string][]*protocol.Message
	heads map[string]protocol.Position
	keys  map[string]engine.Receipt // by room
}

// newSample returns a store of some rooms with so many messages, in tables and in logs. Nothing was closed.
func newSample(t *testing.T, n int) *sample {
	t.Helper()
	memory := vfs.NewCrashableMem()
	e := opened(t, small(memory))
	s := &sample{rooms: make(map[string][]*protocol.Message), heads: make(map[string]protocol.Position), keys: make(map[string]engine.Receipt)}
	for i := 0; i < n || !endsInALog(t, memory); i++ {
		room := fmt.Sprintf("room%d", i%6)
		p := incompressible(room, 20+i%500)
		p.Message.Event, p.Message.From.Name = fmt.Sprint(i%3), fmt.Sprint(i)
		p.Retention.Latest = i%6 < 3
		if i >= n-60 && i < n-54 {
			p.Message.Key = "key"
		}
		if r := stores(t, e, p); p.Message.Key != "" {
			s.keys[room] = r
		}
	}
	for i := range 6 {
		room := fmt.Sprintf("room%d", i)
		page := read(t, e, room, whole10k)
		s.rooms[room], s.heads[room] = page.Messages, page.Head
	}
	s.fs = memory.CrashClone(vfs.CrashCloneCfg{})
	closed(t, e)
	return s
}

// endsInALog reports whether the log written last has some records: it has none after a memtable was full.
func endsInALog(t *testing.T, fs *vfs.MemFS) bool {
	t.Helper()
	s := &sample{fs: fs}
	name := s.lastLog()
	starts, _ := recordsOf(name, s.data(t, name))
	return len(starts) >= 5
}

// files returns the names of the files with some ending or beginning, in order.
func (s *sample) files(has string) (names []string) {
	_ = everyFile(s.fs, where, func(name string) {
		if strings.HasPrefix(name, has) || strings.HasSuffix(name, has) {
			names = append(names, s.fs.PathJoin(where, name))
		}
	})
	slices.Sort(names)
	return names
}

// lastLog returns the name of the log that was written last.
func (s *sample) lastLog() string {
	logs := s.files(".log")
	return logs[len(logs)-1]
}

// with returns a copy of the store in which a file has other data.
func (s *sample) with(t *testing.T, name string, data []byte) *vfs.MemFS {
	t.Helper()
	fs, err := copyStore(s.fs, where)
	if err == nil {
		err = writeFile(fs, name, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func (s *sample) data(t *testing.T, name string) []byte {
	t.Helper()
	data, err := readFile(s.fs, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// flipped returns data with one bit changed.
func flipped(data []byte, at int, bit uint) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1 << bit
	return data
}

// verify wants that a store that opens serves nothing but what is in the sample: a room refuses to be read, or has all
// of its messages but, at most, the last lost. It returns how many rooms are refused.
func (s *sample) verify(t *testing.T, e *Engine, lost int) (refused int) {
	t.Helper()
	for room, messages := range s.rooms {
		page, err := e.Read(context.Background(), room, whole10k)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || !errors.Is(err, engine.ErrUnavailable) {
				t.Fatalf("read %q: %v", room, err)
			}
			refused++
			continue
		}
		if len(page.Messages) < len(messages)-lost || len(page.Messages) > len(messages) {
			t.Fatalf("room %q has %d messages, want %d, or %d fewer", room, len(page.Messages), len(messages), lost)
		}
		for i, m := range page.Messages {
			if !reflect.DeepEqual(m, messages[i]) {
				t.Fatalf("room %q serves %#v, want %#v", room, m, messages[i])
			}
		}
		if newest := page.Messages[len(page.Messages)-1]; page.Head != newest.Position {
			t.Fatalf("room %q has the head %v, and the newest at %v", room, page.Head, newest.Position)
		}
	}
	return refused
}

// verifyKeys wants that a duplicate is recognised or refused, and that rooms that can be read can be published to, and
// others cannot.
func (s *sample) verifyKeys(t *testing.T, e *Engine) {
	t.Helper()
	for room, first := range s.keys {
		p := keyed(room, "key")
		p.Retention.Latest = s.rooms[room][0].Room < "room3"
		r, err := publish(t, e, p)
		if first.Duplicate = true; err == nil && r != first || err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("a duplicate in %q got %+v, %v; want %+v", room, r, err, first)
		}
		if _, err := e.Read(context.Background(), room, whole10k); err != nil {
			_, err := publish(t, e, say(room, "more"))
			refusal(t, err, ErrDamaged)
			continue
		}
		p = say(room, "more")
		p.Retention.Latest = s.rooms[room][0].Room < "room3"
		if _, err := publish(t, e, p); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("publish to %q: %v", room, err)
		}
	}
}

// A crash in the middle of the last write: whatever of it is there, the store opens with what was written before.
func TestEveryTruncationOfTheLastRecordIsRecovered(t *testing.T) {
	s := newSample(t, 60)
	name := s.lastLog()
	data := s.data(t, name)
	starts, end := recordsOf(name, data)
	last := starts[len(starts)-1]
	step := often(61, 1)
	for length := last; length <= end; length++ {
		if inside := length > last+16 && length < end-2; inside && (length-last)%step > 0 {
			continue
		}
		cut := map[string][]byte{"nothing": data[:length], "zeros": append(bytes.Clone(data[:length]), make([]byte, end-length)...)}
		for behind, data := range cut {
			e := opened(t, small(s.with(t, name, data)))
			lost := 1
			if length == end {
				lost = 0
			}
			if refused := s.verify(t, e, lost); refused > 0 {
				t.Fatalf("with %d of %d bytes and %s behind, %d rooms are refused", length-last, end-last, behind, refused)
			}
			closed(t, e)
		}
	}
}

// recordsOf returns where the records of a log or a manifest begin, and where the last ends.
func recordsOf(name string, data []byte) (starts []int, end int) {
	l := logFileOf(name, data)
	for at := 0; at < len(data); {
		c, padding := l.chunk(at)
		switch {
		case padding > 0:
			at += padding
			continue
		case c == nil, c.end:
			return starts, end
		case c.place == chunkFull || c.place == chunkFirst:
			starts = append(starts, at)
		}
		at += c.len
		end = at
	}
	return starts, end
}

func logFileOf(name string, data []byte) *logFile {
	var number uint32
	_, err := fmt.Sscanf(path.Base(name), "%d.log", &number)
	return &logFile{name: name, manifest: err != nil, number: number, large: 64 << 10 / 4, data: data}
}

// One bit anywhere in the store's files: it is recovered or refused, and nothing is served that is not what was stored.
// Only the record written last can get lost: nothing tells its damage from a crash.
func TestNothingDamagedIsServed(t *testing.T) {
	s := newSample(t, 700)
	names := append(s.files(".sst"), s.files("OPTIONS-")...)
	names = append(names, s.files("MANIFEST-")...)
	for range 5 { // the other logs were flushed, and are not read
		names = append(names, s.lastLog())
	}
	random := rand.New(rand.NewPCG(1, 2))
	outcomes := make(map[string]int)
	wanted := []string{".log refused", ".sst recovered", ".sst rooms refused"}
	missing := func(outcome string) bool { return outcomes[outcome] == 0 }
	for i := 0; i < often(24, 1000) || i < 1000 && slices.ContainsFunc(wanted, missing); i++ {
		name := names[i%len(names)]
		data := s.data(t, name)
		if len(data) == 0 {
			continue // a table that was only just begun
		}
		at, bit := random.IntN(len(data)), uint(random.IntN(8))
		outcome := s.tryFlip(t, name, data, at, bit)
		outcomes[path.Ext(name)+" "+outcome]++
		if t.Failed() {
			t.Fatalf("bit %d of byte %d of %s", bit, at, name)
		}
	}
	t.Log(outcomes)
	for _, want := range wanted {
		if missing(want) {
			t.Errorf("no flip was %s: the test does not try enough", want)
		}
	}
}

// tryFlip opens a store with one bit changed, and returns what came of it.
func (s *sample) tryFlip(t *testing.T, name string, data []byte, at int, bit uint) string {
	t.Helper()
	e := New(small(s.with(t, name, flipped(data, at, bit))))
	err := e.Open(context.Background(), &fed{})
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("refused with %v", err)
		}
		return "refused"
	}
	defer closed(t, e)
	lost := 0
	if name == s.lastLog() {
		starts, _ := recordsOf(name, data)
		if lost = 1; at < starts[len(starts)-1] {
			t.Error("it was opened, though what follows shows that it is damaged")
		}
	}
	refused := s.verify(t, e, lost)
	s.verifyKeys(t, e)
	if refused > 0 {
		return "rooms refused"
	}
	return "recovered"
}

// Damage in a log or a manifest stops the start, with the file and the place.
func TestDamageInALogStopsTheStart(t *testing.T) {
	s := newSample(t, 700)
	for _, name := range []string{s.lastLog(), s.files("MANIFEST-")[0]} {
		data := s.data(t, name)
		starts, _ := recordsOf(name, data)
		if len(starts) < 3 {
			t.Fatalf("%s has %d records", name, len(starts))
		}
		step := max(1, len(starts)/often(4, len(starts)))
		for i, start := range starts[:len(starts)-1] {
			if i%step > 0 {
				continue
			}
			for _, at := range []int{start, start + 4, start + 5, start + 6, start + 8, (start + starts[i+1]) / 2, starts[i+1] - 1} {
				e := New(small(s.with(t, name, flipped(data, at, 3))))
				err := e.Open(context.Background(), &fed{})
				var damage *DamageError
				if !errors.As(err, &damage) || !errors.Is(err, ErrDamaged) || damage.File != name || damage.Offset != uint64(start) {
					t.Fatalf("%s, byte %d, of the record at %d: %v", name, at, start, err)
				}
				if err := e.Close(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A log that is gone is not missed by Pebble.
func TestMissingBatchStopsTheStart(t *testing.T) {
	memory := vfs.NewCrashableMem()
	e := opened(t, small(memory))
	for i := range 10 {
		stores(t, e, say("room", fmt.Sprint(i)))
	}
	if err := e.store.db.Delete(numberKey(nil, journalSpace, 5), nil); err != nil {
		t.Fatal(err)
	}
	closed(t, e)
	err := New(small(memory)).Open(context.Background(), &fed{})
	if refusal(t, err, ErrDamaged); !strings.Contains(err.Error(), "batches 5 to 5") {
		t.Fatal(err)
	}
}

// tableOf flushes and compacts everything, so that each room's messages are in a table, and returns a copy of the
// store with damage in a block of messages of the given room, and the name of the table.
func (s *sample) damageRoom(t *testing.T, room string) (fs *vfs.MemFS, name string) {
	t.Helper()
	e := opened(t, small(s.fs))
	if err := e.store.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	payload := s.rooms[room][len(s.rooms[room])/2].Bytes // which is random, and not compressed
	closed(t, e)
	for _, name := range s.files(".sst") {
		data := s.data(t, name)
		if at := bytes.Index(data, payload[:20]); at >= 0 {
			return s.with(t, name, flipped(data, at, 0)), name
		}
	}
	t.Fatal("the message is in no table")
	return nil, ""
}

// Damage in a table refuses the rooms that it is of, and says where; the others go on.
func TestDamageInATableRefusesItsRooms(t *testing.T) {
	s := newSample(t, 700)
	fs, name := s.damageRoom(t, "room4")
	e := temporary(t, small(fs))
	_, err := e.Read(context.Background(), "room4", whole10k)
	var damage *DamageError
	if !errors.As(err, &damage) || damage.File != name || damage.Room != "room4" || damage.Offset == 0 {
		t.Fatalf("got %v", err)
	}
	if refused := s.verify(t, e, 0); refused != 1 {
		t.Fatalf("%d rooms are refused", refused)
	}
	s.verifyKeys(t, e)
	_, err = publish(t, e, say("room4", "more"))
	var again *DamageError
	if !errors.As(err, &again) || !errors.Is(err, engine.ErrUnavailable) || again.File != name || again.Room != "room4" {
		t.Fatalf("to publish to it got %v; the error names the file and the room", err)
	}
	if page := read(t, e, "room4", engine.Query{}); page.Head != s.heads["room4"] {
		t.Fatalf("the head is %v, and was %v", page.Head, s.heads["room4"])
	}
	for _, room := range []string{"room0", "room5", "new"} {
		p := say(room, "more")
		p.Retention.Latest = room == "room0"
		stores(t, e, p)
	}
	if e.Health() != nil {
		t.Fatalf("the store as a whole is healthy, but: %v", e.Health())
	}
}

// Who operates the server finds each refused room in its log, once, with the file.
func TestRefusedRoomsAreLogged(t *testing.T) {
	s := newSample(t, 700)
	fs, name := s.damageRoom(t, "room4")
	var log bytes.Buffer
	o := small(fs)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	e := opened(t, o)
	for range 3 {
		if _, err := e.Read(context.Background(), "room4", whole10k); !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v", err)
		}
	}
	closed(t, e)
	if n := strings.Count(log.String(), "room=room4"); n != 1 || !strings.Contains(log.String(), "file="+name) {
		t.Fatalf("the room is named %d times:\n%s", n, log.String())
	}
}

// A record that Pebble takes for whole, but that is not what was written there, is not served either.
func TestDamagedRecordIsNotServed(t *testing.T) {
	e := temporary(t, small(vfs.NewMem()))
	positions := make(map[int][]byte)
	for i := range 5 {
		r := stores(t, e, say("room", fmt.Sprint(i)))
		positions[i] = offsetKey(nil, messageSpace, "room", r.Position.Offset)
	}
	db := e.store.db
	value, err := lookup(db, positions[2])
	if err != nil {
		t.Fatal(err)
	}
	other, _ := lookup(db, positions[3])
	for name, bad := range map[string][]byte{
		"flipped": flipped(value, len(value)/2, 1), "short": value[:len(value)-1], "empty": {}, "another message": other,
		"another version": seal(append([]byte{recordVersion + 1}, value[1:len(value)-checksumLen]...), positions[2]),
	} {
		if err := db.Set(positions[2], bad, nil); err != nil {
			t.Fatal(err)
		}
		e.views.advance(db)
		_, err := e.Read(context.Background(), "room", whole10k)
		var damage *DamageError
		if !errors.As(err, &damage) || damage.Offset != 3 || damage.Room != "room" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := db.Delete(positions[2], nil); err != nil {
		t.Fatal(err)
	}
	e.views.advance(db)
	_, err = e.Read(context.Background(), "room", whole10k)
	refusal(t, err, errMissing)
	if page := read(t, e, "room", engine.Query{Last: 2, Limit: 2}); len(page.Messages) != 2 {
		t.Fatalf("what is not damaged can be read: %+v", page)
	}
}
