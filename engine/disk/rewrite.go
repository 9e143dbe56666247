package disk

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/protocol"
)

// rewriter writes what a store has, without what is damaged, into a new one.
type rewriter struct {
	found  *survey
	states map[string]state // of the damaged rooms, as they will be
	db     *pebble.DB
	batch  *pebble.Batch
	bytes  int64 // kept of all rooms
	failed error
}

// maxRewrite is of how many bytes the batches of a rewriter are, about.
const maxRewrite = 1 << 20

// decide finds what the damaged rooms will be like.
func (w *rewriter) decide(done *Repaired) {
	for _, name := range slices.Sorted(maps.Keys(w.found.rooms)) {
		r := w.found.rooms[name]
		if r.wrong == "" {
			continue
		}
		s := r.mended(w.found.now)
		w.states[name] = s
		latest := 0
		if s.latestBytes > 0 {
			latest = len(r.latest)
		}
		done.Renewed = append(done.Renewed, RoomReport{
			Room: name, Messages: s.head.Offset - s.floor.Offset, Bytes: s.bytes(), Start: s.floor, Head: s.head, Latest: latest,
		})
	}
}

// write makes the new store in a directory, which is emptied first. Without src it gets no rooms.
func (w *rewriter) write(fs vfs.FS, dir string, src pebble.Reader) (err error) {
	if err := errors.Join(fs.RemoveAll(dir), fs.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	h := &health{logger: slog.New(slog.DiscardHandler)}
	w.db, err = openPebble(dir, fs, pebbleOptions(&Options{CacheBytes: DefaultCacheBytes, memTable: memTableBytes}, h, nil))
	if err != nil {
		return err
	}
	w.batch = w.db.NewBatch()
	for _, space := range [...]byte{messageSpace, latestSpace} {
		w.copy(src, space, w.keepsMessage)
	}
	for _, space := range [...]byte{keySpace, producerSpace, stampSpace, recordSpace} {
		w.copy(src, space, func(_, _ []byte) bool { return true })
	}
	w.writeEpochs(src)
	w.writeStates()
	w.writeJournal()
	w.commit()
	return errors.Join(w.failed, h.err(), w.db.Flush(), w.db.Close())
}

// set writes a record.
func (w *rewriter) set(key, value []byte) {
	_ = w.batch.Set(key, value, nil) // a batch cannot fail before it is committed
	if w.batch.Len() > maxRewrite {
		w.commit()
		w.batch = w.db.NewBatch()
	}
}

func (w *rewriter) commit() {
	w.failed = errors.Join(w.failed, w.batch.Commit(pebble.Sync), w.batch.Close())
}

// copy copies the records of a space that say what was written, if they are to be kept.
func (w *rewriter) copy(src pebble.Reader, space byte, keeps func(key, value []byte) bool) {
	if src == nil {
		return
	}
	scan(src, space, func(key, value []byte) {
		if _, err := unseal(key, value); err == nil && keeps(key, value) {
			w.set(key, value)
		}
	})
}

// keepsMessage reports whether a message is kept: of a damaged room only what is left of it.
func (w *rewriter) keepsMessage(key, value []byte) bool {
	name, _ := roomOf(key)
	r := w.found.rooms[name]
	s, damaged := w.states[name]
	if !damaged {
		return r != nil
	}
	m, _, err := decodeMessage(name, s.head.Epoch, key, value)
	return err == nil && r.keeps(&s, key, m.Event)
}

// writeEpochs writes the epochs of rooms without a record: others than before where such a record may be lost, since
// a room must not begin anew with the epoch that it had.
func (w *rewriter) writeEpochs(src pebble.Reader) {
	kept := make(map[byte]bool)
	if lost := func(g gap) bool { return g.from[0] == roomSpace }; !slices.ContainsFunc(w.found.gaps, lost) && w.found.bad[roomSpace] == 0 {
		w.copy(src, epochSpace, func(key, _ []byte) bool {
			kept[key[1]] = true
			return true
		})
	}
	for bucket := range buckets {
		if key := epochKey(nil, byte(bucket)); !kept[byte(bucket)] {
			w.set(key, appendEpoch(nil, key, protocol.NewEpoch()))
		}
	}
}

// writeStates writes the records of the rooms, and when they are due.
func (w *rewriter) writeStates() {
	for name, r := range w.found.rooms {
		s, damaged := w.states[name]
		if !damaged {
			s = r.state
		}
		if s.unwritten() {
			continue
		}
		key := roomPrefix(nil, roomSpace, name)
		w.set(key, appendState(nil, key, &s))
		if s.due != 0 {
			w.set(dueKey(nil, s.due, name), nil)
		}
		w.bytes += s.bytes()
	}
}

// writeJournal writes the first record of another journal.
func (w *rewriter) writeJournal() {
	j := journal{batch: 1, first: 1, secret: protocol.NewMessageID(), now: w.found.now, bytes: w.bytes}
	key := numberKey(nil, journalSpace, j.batch)
	w.set(key, appendJournal(nil, key, &j))
}

// What stands in the store's directory while a repair puts the new store in the place of the old one.
const (
	rebuiltName = "repaired" // the directory of the new store
	swapName    = "REPAIR"   // says that a store is being put in the place of another, and how far this has come
	phaseAside  = "take away to "
	phaseIn     = "put in place"
)

// errInterrupted is why a store is not opened.
var errInterrupted = errors.New("a repair was interrupted: `wireroom log repair` finishes it")

func interrupted(fs vfs.FS, dir string) bool {
	_, err := fs.Stat(fs.PathJoin(dir, swapName))
	return err == nil
}

// swap puts the new store in the place of the old one, which goes to the directory with the name aside.
func swap(fs vfs.FS, dir, aside string) error {
	if err := writePhase(fs, dir, phaseAside+aside); err != nil {
		return err
	}
	return finishSwap(fs, dir)
}

// finishSwap goes on where a swap was interrupted.
func finishSwap(fs vfs.FS, dir string) error {
	phase, err := readFile(fs, fs.PathJoin(dir, swapName))
	if err != nil {
		return err
	}
	rebuilt := fs.PathJoin(dir, rebuiltName)
	if name, ok := bytes.CutPrefix(phase, []byte(phaseAside)); ok {
		aside := fs.PathJoin(dir, string(name))
		if err := fs.MkdirAll(aside, 0o755); err != nil {
			return err
		}
		if err := moveFiles(fs, dir, aside); err != nil {
			return err
		}
		if err := writePhase(fs, dir, phaseIn); err != nil {
			return err
		}
	}
	if err := moveFiles(fs, rebuilt, dir); err != nil {
		return err
	}
	if err := errors.Join(fs.RemoveAll(rebuilt), syncDir(fs, dir), fs.Remove(fs.PathJoin(dir, swapName))); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// moveFiles moves the files of a store, but no directories, from one directory to another.
func moveFiles(fs vfs.FS, from, to string) error {
	names, err := fs.List(from)
	if err != nil {
		return nil //nolint:nilerr // it is not there any more: all have been moved
	}
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin(from, name))
		if err != nil {
			return err
		}
		if info.IsDir() || name == "LOCK" || name == swapName || name == swapName+".new" || name == ballastName {
			continue
		}
		if err := fs.Rename(fs.PathJoin(from, name), fs.PathJoin(to, name)); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(fs, to), syncDir(fs, from))
}

// writePhase notes how far a swap has come.
func writePhase(fs vfs.FS, dir, phase string) error {
	name := fs.PathJoin(dir, swapName)
	f, err := fs.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(phase))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(fs.Rename(name+".new", name), syncDir(fs, dir))
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
