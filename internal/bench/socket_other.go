//go:build !linux

package bench

import "syscall"

func bindLate(syscall.RawConn) error { return nil }

func shrink(syscall.RawConn, bool) error { return nil }

// descriptors returns how many descriptors a process surely has.
func descriptors() int { return 1024 }
