//go:build unix

package wireroom

import "syscall"

// openFiles returns how many files this process may have open, connections among them.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return mostOpenFiles
	}
	return int(min(uint64(limit.Cur), mostOpenFiles)) //nolint:unconvert // it is signed on some systems
}

// mostOpenFiles is what counts as no bound.
const mostOpenFiles = 1 << 20
