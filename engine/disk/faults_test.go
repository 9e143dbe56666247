package disk

import (
	"bytes"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// faults is a file system that goes wrong as a test says. The functions may be changed while it is used, by set.
type faults struct {
	vfs.FS
	mu    sync.Mutex
	write func(name string, p []byte) (n int, err error) // of p, n bytes are written before err is returned
	sync  func(name string) error
	space func() uint64 // free bytes; nil: not supported
}

func newFaults(below vfs.FS) *faults { return &faults{FS: below} }

// set changes what goes wrong.
func (f *faults) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *faults) onWrite(name string, p []byte) (int, error) {
	f.mu.Lock()
	write := f.write
	f.mu.Unlock()
	if write == nil {
		return len(p), nil
	}
	return write(name, p)
}

func (f *faults) onSync(name string) error {
	f.mu.Lock()
	sync := f.sync
	f.mu.Unlock()
	if sync == nil {
		return nil
	}
	return sync(name)
}

func (f *faults) Unwrap() vfs.FS { return f.FS }

func (f *faults) GetDiskUsage(dir string) (vfs.DiskUsage, error) {
	f.mu.Lock()
	space := f.space
	f.mu.Unlock()
	if space == nil {
		return f.FS.GetDiskUsage(dir)
	}
	return vfs.DiskUsage{AvailBytes: space(), TotalBytes: 1 << 30}, nil
}

func (f *faults) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, faults: f, name: f.PathBase(name)}, nil
}

func (f *faults) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if _, err := f.onWrite(f.PathBase(name), nil); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, category)
	return f.wrap(name, file, err)
}

func (f *faults) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if _, err := f.onWrite(f.PathBase(newname), nil); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.wrap(newname, file, err)
}

func (f *faults) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, o...)
	return f.wrap(name, file, err)
}

func (f *faults) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(name, file, err)
}

type faultyFile struct {
	vfs.File
	faults *faults
	name   string
}

func (f *faultyFile) Write(p []byte) (int, error) {
	n, failed := f.faults.onWrite(f.name, p)
	if n == 0 && failed != nil {
		return 0, failed
	}
	n, err := f.File.Write(p[:n])
	if err == nil {
		err = failed
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if err := f.faults.onSync(f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) SyncData() error {
	if err := f.faults.onSync(f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *faultyFile) SyncTo(length int64) (bool, error) {
	if err := f.faults.onSync(f.name); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

// limited is a file system of a given size. What is written beyond it fails as on a full disk.
type limited struct {
	*faults
	size atomic.Uint64
}

func newLimited(below vfs.FS, dir string, size uint64) *limited {
	l := &limited{faults: newFaults(below)}
	l.size.Store(size)
	used := func() (sum uint64) {
		names, _ := below.List(dir)
		for _, name := range names {
			if info, err := below.Stat(below.PathJoin(dir, name)); err == nil {
				sum += uint64(info.Size())
			}
		}
		return sum
	}
	l.space = func() uint64 { return l.size.Load() - min(l.size.Load(), used()) }
	l.write = func(_ string, p []byte) (int, error) {
		if free := l.space(); uint64(len(p)) > free {
			return int(free), syscall.ENOSPC
		}
		return len(p), nil
	}
	return l
}

// everyFile calls f with each file in a directory.
func everyFile(fs vfs.FS, dir string, f func(name string)) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return err
		}
		if !info.IsDir() {
			f(name)
		}
	}
	return nil
}

// copyStore returns a copy of a directory, in memory, that forgets what is not synced.
func copyStore(fs vfs.FS, dir string) (*vfs.MemFS, error) {
	to := vfs.NewCrashableMem()
	if err := to.MkdirAll(dir, os.ModePerm); err != nil {
		return nil, err
	}
	var failed error
	err := everyFile(fs, dir, func(name string) {
		data, err := readFile(fs, fs.PathJoin(dir, name))
		if err == nil {
			err = writeFile(to, to.PathJoin(dir, name), data)
		}
		if err != nil {
			failed = err
		}
	})
	if err == nil {
		err = failed
	}
	return to, err
}

// writeFile writes a file, over what was there. A file system in memory may change what it is given.
func writeFile(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := f.Write(bytes.Clone(data)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
