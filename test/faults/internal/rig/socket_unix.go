//go:build unix

package rig

import "syscall"

// receiveBuffer returns what sets a socket's receive buffer before it connects.
func receiveBuffer(size int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
		})
		if failed != nil {
			return failed
		}
		return err
	}
}
