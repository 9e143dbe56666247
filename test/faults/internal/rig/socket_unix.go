//go:build unix

package rig

import (
	"errors"
	"syscall"
)

// segment is how large a segment is on most networks. That of loopback is larger than a small window, and with a window
// that is smaller than a segment TCP works, and is tested, like nowhere else.
const segment = 1460

// receiveBuffer returns what sets a socket's receive buffer before it connects.
func receiveBuffer(size int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size),
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment),
			)
		})
		if failed != nil {
			return failed
		}
		return err
	}
}
