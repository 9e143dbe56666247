package disk

import (
	"errors"
	"io"
	"os"
	"path"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the file system that Pebble gets. It does two things that Pebble does not.
//
// While the store is opened, it checks each log and manifest that Pebble opens to read (logcheck.go).
//
// Once the store is open, the first error of a write or a sync fails the store and freezes its files: from then on
// every write succeeds without being done, and new files are kept in memory. Pebble would try again, or end the
// process; so it goes on, on files that nobody will read, until it is closed, and the directory stays as it was at the
// failure. Nothing is acknowledged any more, since the failure is looked up after each sync.
//
// The exception is a full disk under a table that is written in the background: what it is made from is still in the
// log, and Pebble writes another one when there is space. It is told so a little before the disk is full.
type guard struct {
	vfs.FS
	health   *health
	memTable uint64      // the size of Pebble's memtables
	open     atomic.Bool // the store is open
	frozen   atomic.Bool
	sink     vfs.FS // has the files that are created once frozen
	space    atomic.Pointer[space]
}

func newGuard(o *Options, h *health) *guard {
	return &guard{FS: o.FS, health: h, memTable: o.memTable, sink: vfs.NewMem()}
}

// pauseWhenFull is how long Pebble waits before it writes a table anew that the disk had no space for; it would not
// wait at all.
const pauseWhenFull = 100 * time.Millisecond

// result returns what Pebble gets to know of the outcome of an operation on a file.
func (g *guard) result(name string, err error) error {
	switch {
	case err == nil || !g.open.Load():
		return err
	case errors.Is(err, syscall.ENOSPC) && path.Ext(name) == ".sst":
		time.Sleep(pauseWhenFull)
		return err
	}
	g.health.fail(err) // which freezes, after the failure can be seen
	return nil
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// created returns what Pebble gets for a file that was created.
func (g *guard) created(name string, f vfs.File, err error) (vfs.File, error) {
	if err = g.result(name, err); err != nil {
		return nil, err
	}
	if f == nil { // it failed, and froze
		return g.sunk(name)
	}
	return &guardedFile{File: f, guard: g, name: name}, nil
}

// sunk returns a file in memory.
func (g *guard) sunk(name string) (vfs.File, error) {
	if err := g.sink.MkdirAll(g.sink.PathDir(name), 0o755); err != nil {
		return nil, err
	}
	return g.sink.Create(name, vfs.WriteCategoryUnspecified)
}

// Create implements vfs.FS.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if g.frozen.Load() {
		return g.sunk(name)
	}
	f, err := g.FS.Create(name, category)
	return g.created(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (g *guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if g.frozen.Load() {
		return g.sunk(newname)
	}
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	return g.created(newname, f, err)
}

// OpenReadWrite implements vfs.FS.
func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if g.frozen.Load() {
		return g.sunk(name)
	}
	f, err := g.FS.OpenReadWrite(name, category, o...)
	return g.created(name, f, err)
}

// OpenDir implements vfs.FS.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, guard: g, name: name}, nil
}

// Open implements vfs.FS.
func (g *guard) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if g.frozen.Load() {
		if f, err := g.sink.Open(name, o...); err == nil {
			return f, nil
		}
	}
	if !g.open.Load() && !mutNoChecksum {
		if err := checkLog(g.FS, name, g.memTable); err != nil {
			return nil, err
		}
	}
	f, err := g.FS.Open(name, o...)
	return g.health.bad.table(name, f, err)
}

// Link implements vfs.FS.
func (g *guard) Link(oldname, newname string) error {
	return g.unlessFrozen(newname, func() error { return g.FS.Link(oldname, newname) })
}

// Rename implements vfs.FS.
func (g *guard) Rename(oldname, newname string) error {
	return g.unlessFrozen(newname, func() error { return g.FS.Rename(oldname, newname) })
}

// MkdirAll implements vfs.FS.
func (g *guard) MkdirAll(dir string, perm os.FileMode) error {
	return g.unlessFrozen(dir, func() error { return g.FS.MkdirAll(dir, perm) })
}

// Remove implements vfs.FS. That a file cannot be removed loses nothing.
func (g *guard) Remove(name string) error {
	if g.frozen.Load() {
		return nil
	}
	return g.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (g *guard) RemoveAll(name string) error {
	if g.frozen.Load() {
		return nil
	}
	return g.FS.RemoveAll(name)
}

// unlessFrozen does something to a file.
func (g *guard) unlessFrozen(name string, do func() error) error {
	if g.frozen.Load() {
		return nil
	}
	return g.result(name, do())
}

// guardedFile is a file, or a directory to sync, of a guard.
type guardedFile struct {
	vfs.File
	guard *guard
	name  string
}

// Write implements vfs.File.
func (f *guardedFile) Write(p []byte) (int, error) {
	err := f.guard.unlessFrozen(f.name, func() error {
		if path.Ext(f.name) == ".sst" && f.guard.space.Load().scarce(len(p)) {
			return syscall.ENOSPC
		}
		return whole(p, f.File.Write)
	})
	return written(p, err)
}

// WriteAt implements vfs.File.
func (f *guardedFile) WriteAt(p []byte, offset int64) (int, error) {
	err := f.guard.unlessFrozen(f.name, func() error {
		return whole(p, func(p []byte) (int, error) { return f.File.WriteAt(p, offset) })
	})
	return written(p, err)
}

// whole writes p; to write less is an error.
func whole(p []byte, write func([]byte) (int, error)) error {
	n, err := write(p)
	if mutShortWrite {
		return nil
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// written returns the outcome of a write.
func written(p []byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Sync implements vfs.File.
func (f *guardedFile) Sync() error { return f.guard.unlessFrozen(f.name, again(f.File.Sync)) }

// SyncData implements vfs.File.
func (f *guardedFile) SyncData() error { return f.guard.unlessFrozen(f.name, again(f.File.SyncData)) }

// again returns sync: an operating system may drop what a failed sync should have written, and a later one then
// succeeds without it, so none is tried again.
func again(sync func() error) func() error {
	if !mutRetrySync {
		return sync
	}
	return func() error {
		if err := sync(); err == nil {
			return nil
		}
		return sync()
	}
}

// SyncTo implements vfs.File.
func (f *guardedFile) SyncTo(length int64) (full bool, err error) {
	err = f.guard.unlessFrozen(f.name, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Preallocate implements vfs.File. It is an advice, and files that cannot follow it work as well.
func (f *guardedFile) Preallocate(offset, length int64) error {
	if !f.guard.frozen.Load() {
		_ = f.File.Preallocate(offset, length)
	}
	return nil
}

// Close implements vfs.File.
func (f *guardedFile) Close() error {
	if err := f.File.Close(); !f.guard.frozen.Load() {
		return f.guard.result(f.name, err)
	}
	return nil
}
