package bench

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindLate has the kernel choose the port when the socket connects, so that one port serves for connections to several
// servers.
func bindLate(raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // older kernels do without
	})
}

// loopbackSources returns from where a worker connects to this machine: one address has about 28,000 ports to connect
// from. All of 127.0.0.0/8 is there.
func loopbackSources(worker int) []netip.Addr {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, byte(worker / 250), byte(2 + worker%250)})}
}

// shrink makes the socket of a client that stops reading receive little.
func shrink(raw syscall.RawConn, slow bool) error {
	if !slow {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, slowBuffer)
	})
	if err != nil {
		return err
	}
	return failed
}

// descriptors raises the limit on open descriptors as far as it goes, and returns it.
func descriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	if limit.Cur < limit.Max {
		raised := limit
		raised.Cur = raised.Max
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit = raised
		}
	}
	return int(min(limit.Cur, 1<<30))
}
