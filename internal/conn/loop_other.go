//go:build !linux

package conn

import (
	"errors"
	"net"
	"time"
)

// loops is empty here: every connection gets a twin.
type loops struct{}

func (s *loops) open(*Poller, int) error { return nil }

func (s *loops) carries(net.Conn) bool { return false }

func (s *loops) adopt(*Conn, net.Conn, []byte, Handler) error { return errors.ErrUnsupported }

func (s *loops) close() {}

// EndWhenSilent does nothing here.
func (c *Conn) EndWhenSilent() {}

func (s *loops) waited(int64) time.Duration { return 0 }
