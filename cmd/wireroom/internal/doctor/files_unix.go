//go:build linux || darwin

package doctor

import "golang.org/x/sys/unix"

// descriptors returns how many files this process may have open.
func descriptors() (soft, hard uint64, ok bool) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, 0, false
	}
	return l.Cur, l.Max, true
}

// freeBytes returns how much room there is where a directory is.
func freeBytes(dir string) (free, size uint64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	block := uint64(s.Bsize) // it is of another type on other systems
	return s.Bavail * block, s.Blocks * block, true
}
