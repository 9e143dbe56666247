// Package powercut is a file system that loses on a kill what the real one loses when the power goes: what was written
// to a file and not synced. The process that uses it is killed, and what its files then have is what a crashed machine
// would find.
//
// A write is kept in the process until the file is synced. Some of it goes to the file at once, at random: a beginning,
// or some sectors, as a kernel that writes back when it likes. Directories are not held back: a file that was made is
// there. It also fails syncs on demand.
package powercut

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// FS is the file system. It is made by New.
type FS struct {
	vfs.FS
	slow    time.Duration // up to how long a sync takes
	failing atomic.Int32  // so many syncs to come fail
	failed  atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
	held   map[string]*held // of files with something that is not synced, by name
}

// New returns a file system over the operating system's. A sync takes up to slow.
func New(seed uint64, slow time.Duration) *FS {
	return &FS{FS: vfs.Default, slow: slow, random: rand.New(rand.NewPCG(seed, 5)), held: make(map[string]*held)}
}

// FailSyncs has the next n syncs fail with EIO. What they should have synced is dropped, as Linux drops it: a later
// sync succeeds, without it.
func (fs *FS) FailSyncs(n int32) { fs.failing.Store(n) }

// intn returns a random number.
func (fs *FS) intn(n int) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.random.IntN(n)
}

// Unwrap implements vfs.FS.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

// held is what was written to a file and not synced.
type held struct {
	file vfs.File // to write it to; open as long as the handle that wrote it is
	mu   sync.Mutex
	data []piece
}

type piece struct {
	at   int64
	data []byte
}

// flush writes everything that is held.
func (h *held) flush() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.data {
		if _, err := h.file.WriteAt(p.data, p.at); err != nil {
			return err
		}
	}
	h.data = nil
	return nil
}

// wrap returns the file that was opened for writing.
func (fs *FS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	h := &held{file: f}
	fs.mu.Lock()
	fs.held[name] = h
	fs.mu.Unlock()
	return &file{File: f, fs: fs, name: name, held: h}, nil
}

// settle writes what is held of a file that somebody wants to see whole.
func (fs *FS) settle(name string) error {
	fs.mu.Lock()
	h := fs.held[name]
	fs.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.flush()
}

// Create implements vfs.FS.
func (fs *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	return fs.wrap(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (fs *FS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.settle(oldname); err != nil {
		return nil, err
	}
	f, err := fs.FS.ReuseForWrite(oldname, newname, c)
	return fs.wrap(newname, f, err)
}

// OpenReadWrite implements vfs.FS.
func (fs *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.settle(name); err != nil {
		return nil, err
	}
	f, err := fs.FS.OpenReadWrite(name, c, o...)
	return fs.wrap(name, f, err)
}

// Open implements vfs.FS.
func (fs *FS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.settle(name); err != nil {
		return nil, err
	}
	return fs.FS.Open(name, o...)
}

// Rename implements vfs.FS. What is held goes with the file.
func (fs *FS) Rename(oldname, newname string) error {
	if err := fs.FS.Rename(oldname, newname); err != nil {
		return err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.held, newname)
	if h := fs.held[oldname]; h != nil {
		fs.held[newname] = h
		delete(fs.held, oldname)
	}
	return nil
}

// file is a file that is written.
type file struct {
	vfs.File
	fs   *FS
	name string
	held *held
	at   int64 // where the next Write goes; its user's
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.at)
	f.at += int64(n)
	return n, err
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	f.held.mu.Lock()
	defer f.held.mu.Unlock()
	f.held.data = append(f.held.data, piece{at, append([]byte(nil), p...)})
	switch f.fs.intn(4) {
	case 0: // a beginning
		_, err := f.File.WriteAt(p[:f.fs.intn(len(p)+1)], at)
		return len(p), err
	case 1: // some sectors
		for from := 0; from < len(p); from += sector {
			if f.fs.intn(2) == 0 {
				continue
			}
			if _, err := f.File.WriteAt(p[from:min(len(p), from+sector)], at+int64(from)); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// sync makes what was written outlive the process.
func (f *file) sync() error {
	if f.fs.failing.Add(-1) >= 0 {
		f.held.mu.Lock()
		defer f.held.mu.Unlock()
		f.held.data = nil
		f.fs.failed.Store(true)
		return syscall.EIO
	}
	f.fs.failing.Store(0)
	if f.fs.slow > 0 {
		time.Sleep(time.Duration(f.fs.intn(int(f.fs.slow))))
	}
	return f.held.flush()
}

// Sync implements vfs.File.
func (f *file) Sync() error { return f.sync() }

// SyncData implements vfs.File.
func (f *file) SyncData() error { return f.sync() }

// SyncTo implements vfs.File. It promises nothing.
func (f *file) SyncTo(int64) (bool, error) { return false, nil }

// Read, ReadAt and Stat implement vfs.File: they see what was written.
func (f *file) Read(p []byte) (int, error) {
	if err := f.held.flush(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if err := f.held.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Stat implements vfs.File.
func (f *file) Stat() (vfs.FileInfo, error) {
	if err := f.held.flush(); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

// Close implements vfs.File. A machine writes what was not synced some time later, at the latest when it is shut down;
// this one does it when the file is closed, unless a sync of it has failed.
func (f *file) Close() error {
	f.fs.mu.Lock()
	if f.fs.held[f.name] == f.held {
		delete(f.fs.held, f.name)
	}
	f.fs.mu.Unlock()
	if f.fs.failed.Load() {
		return f.File.Close()
	}
	if err := f.held.flush(); err != nil {
		return err
	}
	return f.File.Close()
}
