package disk

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DefaultReserve is how much of a file system stays free where Options.Reserve says nothing, unless a twentieth of it
// is less.
const DefaultReserve = 256 << 20

// ballastName is the name of the file that holds space back, in the store's directory.
const ballastName = "ballast"

// space watches how much of the file system is free. Below the reserve no message is stored. When something else uses
// up the reserve as well, the ballast is let go, so that what the store still has to do in the background has space. The
// last eighth of the reserve is for the logs alone: a table that has no space is written anew, a log fails the store.
type space struct {
	fs      vfs.FS // not guarded
	dir     string
	reserve uint64 // 0: nothing is watched
	ballast uint64 // size of the ballast
	held    atomic.Bool
}

// openSpace begins to watch the file system of a directory.
func openSpace(fs vfs.FS, dir string, reserve int64) (*space, error) {
	s := &space{fs: fs, dir: dir}
	usage, err := fs.GetDiskUsage(dir)
	switch {
	case reserve < 0, errors.Is(err, vfs.ErrUnsupported):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("free space: %w", err)
	case reserve == 0:
		reserve = int64(min(DefaultReserve, usage.TotalBytes/20))
	}
	s.reserve, s.ballast = uint64(reserve), uint64(reserve)/4
	info, err := fs.Stat(s.path())
	s.held.Store(err == nil && info.Size() == int64(s.ballast))
	return s, nil
}

func (s *space) path() string { return s.fs.PathJoin(s.dir, ballastName) }

// full reports whether less than the reserve would be free after something of a size was written.
func (s *space) full(size int64) bool {
	return s.reserve > 0 && s.free() < s.reserve+uint64(size) && !mutShortWrite
}

// short reports whether even what operators ask for has no space.
func (s *space) short() bool { return s.reserve > 0 && s.free() < s.reserve/2 }

// scarce reports whether a table must not be written on.
func (s *space) scarce(size int) bool {
	return s != nil && s.reserve > 0 && s.free() < s.reserve/8+uint64(size) && !mutShortWrite
}

// free returns how many bytes are free, and lets the ballast go if there are too few.
func (s *space) free() uint64 {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return 0
	}
	if usage.AvailBytes < s.reserve/4 && s.held.CompareAndSwap(true, false) {
		_ = s.fs.Remove(s.path()) // if it cannot be removed there is no more space, which is found out anyway
	}
	return usage.AvailBytes
}

// hold writes the ballast if it was let go and there is space again.
func (s *space) hold() error {
	if s.reserve == 0 || s.held.Load() || s.free() < 2*s.reserve+s.ballast {
		return nil
	}
	f, err := s.fs.Create(s.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	if err := errors.Join(fill(f, s.ballast), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("ballast: %w", err), s.fs.Remove(s.path()))
	}
	s.held.Store(true)
	return nil
}

// fill writes so many bytes, which compression makes no less of.
func fill(f vfs.File, size uint64) error {
	block := make([]byte, 1<<20)
	for x, i := uint32(1), 0; i < len(block); i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		block[i] = byte(x)
	}
	for size > 0 {
		n := min(size, uint64(len(block)))
		if _, err := f.Write(append([]byte(nil), block[:n]...)); err != nil {
			return err
		}
		size -= n
	}
	return f.Sync()
}
