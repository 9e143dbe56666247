//go:build !linux

package conn

import "net"

// exchangeable returns nc: there is no event loop that could take over.
func exchangeable(nc net.Conn) net.Conn { return nc }
