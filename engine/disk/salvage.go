package disk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// salvage is what can be read of a store that no engine has open. It writes nothing.
type salvage struct {
	fs      vfs.FS
	dir     string
	lock    *pebble.Lock
	db      *pebble.DB
	view    *pebble.Batch // what the tables have, and over it what the logs have
	damage  []Damage      // of the logs
	touched map[string]bool
	batch   uint64 // number of the last batch
}

// tablesOnly is a store without its logs, which are read by salvage itself, and it goes on behind damage; and without how
// Pebble was set, which does not matter.
type tablesOnly struct {
	vfs.FS
	bad *badBlocks
}

// List implements vfs.FS.
func (f tablesOnly) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	return slices.DeleteFunc(names, func(name string) bool {
		return strings.HasSuffix(name, ".log") || strings.HasPrefix(name, optionsPrefix)
	}), err
}

// Open implements vfs.FS.
func (f tablesOnly) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if err := checkLog(f.FS, name, memTableBytes); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, o...)
	return f.bad.table(name, file, err)
}

// lockStore locks the store in a directory, which must be there.
func lockStore(fs vfs.FS, dir string) (*pebble.Lock, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	store := func(name string) bool { return strings.HasPrefix(name, "MANIFEST-") || name == swapName }
	if !slices.ContainsFunc(names, store) {
		return nil, errors.New("no store is there")
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return lock, nil
}

// openSalvage reads a store that is locked. What of its tables is damaged shows when it is read.
func openSalvage(fs vfs.FS, dir string, lock *pebble.Lock) (*salvage, error) {
	s := &salvage{fs: fs, dir: dir, lock: lock, touched: make(map[string]bool)}
	h := &health{logger: slog.New(slog.DiscardHandler)}
	p := pebbleOptions(&Options{Dir: dir, FS: fs, CacheBytes: DefaultCacheBytes, memTable: memTableBytes}, h, lock)
	p.ReadOnly = true
	var err error
	if s.db, err = openPebble(dir, tablesOnly{fs, &h.bad}, p); err != nil {
		return nil, damaged("", 0, err)
	}
	s.view = s.db.NewIndexedBatch()
	scan(s.db, journalSpace, func(key, _ []byte) {
		if len(key) == 9 {
			s.batch = max(s.batch, binary.BigEndian.Uint64(key[1:]))
		}
	})
	if err := s.readLogs(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *salvage) close() error { return errors.Join(s.view.Close(), s.db.Close()) }

// readLogs applies the batches of the logs that are in no table.
func (s *salvage) readLogs() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	type file struct {
		name   string
		number wal.NumWAL
	}
	var files []file
	for _, name := range names {
		if number, _, ok := wal.ParseLogFilename(name); ok {
			files = append(files, file{name, number})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.number, b.number) })
	for _, f := range files {
		data, err := readFile(s.fs, s.fs.PathJoin(s.dir, f.name))
		if err != nil {
			return err
		}
		l := &logFile{name: f.name, number: uint32(f.number), large: memTableBytes / 4, data: data}
		var failed error
		before := s.damage
		s.damage = nil
		damage := l.records(func(payload []byte) { failed = errors.Join(failed, s.apply(f.name, payload)) })
		if failed != nil {
			return failed
		}
		missing := s.damage
		s.damage = before
		for _, d := range damage {
			s.lose(l, d)
		}
		s.damage = append(s.damage, missing...)
	}
	return nil
}

// apply applies a batch of a log, unless the tables have it.
func (s *salvage) apply(name string, payload []byte) error {
	number := numberOf(payload)
	if number == 0 || number <= s.batch {
		return nil
	}
	if lost := number - s.batch - 1; lost > 0 {
		s.damage = append(s.damage, Damage{File: name, Error: fmt.Sprintf("batches %d to %d are lost", s.batch+1, number-1)})
	}
	s.batch = number
	b := s.db.NewBatch()
	if err := b.SetRepr(bytes.Clone(payload)); err != nil {
		return err
	}
	return errors.Join(s.view.Apply(b, nil), b.Close())
}

// lose notes a damaged part of a log, and the rooms that it still names.
func (s *salvage) lose(l *logFile, d [2]int) {
	rooms := make(map[string]bool)
	if begin := d[0] + syncedChunk; begin < d[1] {
		eachKeyOf(l.data[begin:d[1]], func(key []byte) {
			if room, ok := roomOf(key); ok && protocolRoom(room) {
				rooms[room], s.touched[room] = true, true
			}
		})
	}
	s.damage = append(s.damage, Damage{
		File: l.name, Offset: uint64(d[0]), Rooms: sorted(rooms), Error: fmt.Sprintf("%d bytes cannot be read, and the log goes on behind them", d[1]-d[0]),
	})
}

// records calls f with each record that can be read, also behind damage, and returns where the damage begins and ends.
func (l *logFile) records(f func(payload []byte)) (damage [][2]int) {
	var record, mark []byte
	inside := false
	for at, end := 0, 0; ; {
		c, padding := l.chunk(at)
		first := c != nil && (c.place == chunkFull || c.place == chunkFirst)
		switch {
		case padding > 0:
			at += padding
			continue
		case c == nil && at >= len(l.data) && !inside, c != nil && c.end && !inside:
			return damage
		case c == nil, c.end, first == inside:
			next := l.proof(end, at, mark)
			if next < 0 {
				return damage
			}
			damage = append(damage, [2]int{end, next})
			at, end, record, inside = next, next, nil, false
			continue
		case first && mark == nil:
			mark = batchMark(c.payload)
		}
		record = append(record, c.payload...)
		at += c.len
		if inside = c.place == chunkFirst || c.place == chunkMiddle; !inside {
			f(record)
			end, record = at, nil
		}
	}
}
