//go:build !linux

package bench

import (
	"net/netip"
	"syscall"
)

func bindLate(syscall.RawConn) error { return nil }

// loopbackSources returns nothing: of 127.0.0.0/8 there is only the first address.
func loopbackSources(int) []netip.Addr { return nil }

func shrink(syscall.RawConn, bool) error { return nil }

// descriptors returns how many descriptors a process surely has.
func descriptors() int { return 1024 }
