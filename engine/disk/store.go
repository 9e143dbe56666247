package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// What Pebble may use of memory, besides Options.CacheBytes, and of files.
const (
	memTableBytes = 16 << 20
	memTables     = 4
	maxOpenFiles  = 500
	// A damaged table cannot be compacted, so that those above it pile up; reading gets slower, but writing goes on.
	maxPiledTables = 1000
)

// store is the open Pebble store below an engine.
type store struct {
	db     *pebble.DB
	guard  *guard
	health *health
	lock   *pebble.Lock
	broken bool // Pebble panicked: its locks are not to be relied on. Only the committer uses it.
}

// openStore opens the store in a directory, and makes it if it is not there.
func openStore(o *Options, h *health) (*store, error) {
	if err := makeDir(o.FS, o.Dir); err != nil {
		return nil, err
	}
	if interrupted(o.FS, o.Dir) {
		return nil, damaged("", 0, errInterrupted)
	}
	lock, err := pebble.LockDirectory(o.Dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("another engine has it open: %w", err)
	}
	s := &store{guard: newGuard(o, h), health: h, lock: lock}
	if s.db, err = openPebble(o.Dir, s.guard, pebbleOptions(o, h, lock)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// pebbleOptions returns how Pebble is to work.
func pebbleOptions(o *Options, h *health, lock *pebble.Lock) *pebble.Options {
	p := &pebble.Options{
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   o.CacheBytes,
		MemTableSize:                o.memTable,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                maxOpenFiles,
		L0StopWritesThreshold:       maxPiledTables,
		Logger:                      pebbleLog{health: h},
		EventListener:               h.events(),
		Lock:                        lock,
	}
	if o.unasked {
		scheduler := pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
		p.Experimental.CompactionScheduler = scheduler
	}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}

// openPebble opens Pebble on a file system. Pebble panics at some damage.
func openPebble(dir string, fs vfs.FS, p *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if seen := recover(); seen != nil {
			err = &DamageError{Err: fmt.Errorf("pebble panicked: %v", seen)}
		}
	}()
	p.FS = fs
	db, err = pebble.Open(dir, p)
	if err == nil {
		return db, nil
	}
	if pebble.IsCorruptionError(err) {
		err = damaged("", 0, err)
	}
	switch bad := checkOptions(fs, dir); {
	case bad == nil:
	case strings.Contains(err.Error(), bad.Err.Error()): // that is it
		err = bad
	default:
		err = errors.Join(err, bad)
	}
	return nil, err
}

// optionsPrefix begins the names of the files in which Pebble notes how it was set.
const optionsPrefix = "OPTIONS-"

// checkOptions says what is wrong if the newest of those files cannot be read, or has what this engine never wrote. They
// have no checksum, and nothing that is needed: what Pebble compares when it opens a store is the same in all versions of
// this engine.
func checkOptions(fs vfs.FS, dir string) *DamageError {
	names, err := fs.List(dir)
	if err != nil {
		return nil //nolint:nilerr // nothing can be opened there, of which one is told
	}
	newest, highest := "", uint64(0)
	for _, name := range names {
		number, isOptions := strings.CutPrefix(name, optionsPrefix)
		n, err := strconv.ParseUint(number, 10, 64)
		if isOptions && err == nil && n >= highest {
			newest, highest = name, n
		}
	}
	if newest == "" {
		return nil
	}
	file := fs.PathJoin(dir, newest)
	data, err := readFile(fs, file)
	if err == nil {
		p := &pebble.Options{FS: fs}
		p.EnsureDefaults()
		err = p.CheckCompatibility(dir, string(data))
	}
	if err != nil {
		return &DamageError{File: file, Err: err}
	}
	return nil
}

// makeDir makes a directory that outlives a crash.
func makeDir(fs vfs.FS, dir string) error {
	var parents []string
	for d := dir; ; d = fs.PathDir(d) {
		if _, err := fs.Stat(d); err == nil || d == fs.PathDir(d) {
			break
		}
		parents = append(parents, fs.PathDir(d))
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, parent := range parents {
		d, err := fs.OpenDir(parent)
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commit writes a batch and syncs it. When it returns nil the batch outlives whatever happens to the process and the
// machine.
func (s *store) commit(b *pebble.Batch) (err error) {
	if err := s.health.err(); err != nil {
		return err
	}
	defer func() {
		if seen := recover(); seen != nil {
			s.broken = true
			s.health.fail(fmt.Errorf("pebble panicked: %v", seen))
			err = s.health.err()
		}
	}()
	how := pebble.Sync
	if mutNoSync {
		how = pebble.NoSync
	}
	if err := b.Commit(how); err != nil {
		s.health.fail(err)
		return s.health.err()
	}
	if err := s.health.err(); err != nil { // a write or a sync was not done: Pebble does not know (guard.go)
		return err
	}
	return b.Close()
}

// close closes the store. Nobody reads from it any more.
func (s *store) close() (err error) {
	if s.broken {
		return nil // with what it holds, until the process ends
	}
	defer func() {
		if seen := recover(); seen != nil {
			err = errors.Join(err, fmt.Errorf("pebble panicked: %v", seen))
		}
	}()
	return errors.Join(s.db.Close(), s.lock.Close())
}

// load fills the committer from the store, or makes what a new one has.
func (c *committer) load(ctx context.Context) error {
	var known bool
	var unread, err error
	if c.journal, known, unread, err = readJournal(c.store.db); err != nil {
		return damaged("", 0, err)
	}
	if !known {
		if err := c.create(); err != nil {
			return err
		}
	}
	if err := errors.Join(unread, c.loadEpochs()); err != nil {
		c.options.Logger.Error("disk store: a part that no room needs is damaged", "error", err)
	}
	c.clock.start(c.journal.now)
	c.countAll()
	return errors.Join(c.health.err(), context.Cause(ctx))
}

// create writes what a new store has.
func (c *committer) create() error {
	iter, err := c.store.db.NewIter(nil)
	if err != nil {
		return damaged("", 0, err)
	}
	some := iter.First()
	if err := iter.Close(); err != nil || some {
		return damaged("", 0, errors.Join(err, errMissing))
	}
	c.journal = journal{batch: 1, first: 1, secret: protocol.NewMessageID()}
	b := c.store.db.NewBatch()
	markBatch(b, c.journal.secret)
	key := numberKey(nil, journalSpace, c.journal.batch)
	_ = b.Set(key, appendJournal(nil, key, &c.journal), nil) // a batch cannot fail before it is committed
	return c.store.commit(b)
}

// loadEpochs reads the epochs of rooms in which nothing was stored. Where one cannot be read, or never was, another one
// is as good; it returns why.
func (c *committer) loadEpochs() (unread error) {
	b := c.store.db.NewBatch()
	markBatch(b, c.journal.secret)
	for i := range c.epochs {
		epoch, err := readEpoch(c.store.db, byte(i))
		if err != nil {
			epoch = protocol.NewEpoch()
			key := epochKey(nil, byte(i))
			_ = b.Set(key, appendEpoch(nil, key, epoch), nil) // a batch cannot fail before it is committed
		}
		if err != nil && !errors.Is(err, errMissing) {
			unread = err
		}
		c.epochs[i] = epoch
	}
	if b.Count() > 0 {
		return errors.Join(unread, c.store.commit(b))
	}
	return errors.Join(unread, b.Close())
}

// countAll counts what the quota and the bound on records are about. What is damaged is not counted.
func (c *committer) countAll() {
	type live struct {
		owner string
		at    int64
	}
	var keys []live
	_, now := c.clock.now()
	err := errors.Join(
		eachKey(c.store.db, now, func(owner string, at int64) { keys = append(keys, live{owner, at}) }),
		eachProducer(c.store.db, []byte{producerSpace}, []byte{producerSpace + 1}, func(_ []byte, p *producer) bool {
			c.quota.add(p.owner)
			return true
		}),
		eachRecord(c.store.db, []byte{recordSpace}, func([]byte, engine.Record) bool {
			c.records++
			return true
		}),
	)
	if err != nil {
		c.options.Logger.Error("disk store: not all keys, producers and records could be counted", "error", err)
	}
	slices.SortFunc(keys, func(a, b live) int { return cmp.Compare(a.at, b.at) })
	for _, k := range keys {
		c.quota.keys = append(c.quota.keys, quotaKey{at: k.at, owner: c.quota.add(k.owner)})
	}
}
