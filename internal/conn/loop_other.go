//go:build !linux

package conn

import (
	"errors"
	"net"
)

// loops is empty here: every connection gets a twin.
type loops struct{}

func (s *loops) open(*Poller, int) error { return nil }

func (s *loops) none() bool { return true }

func (s *loops) adopt(*Conn, *net.TCPConn, []byte, Handler) error { return errors.ErrUnsupported }

func (s *loops) close() {}
