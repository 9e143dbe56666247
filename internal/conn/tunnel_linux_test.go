package conn

import "net"

// socket is what a test of every kind of connection shrinks.
func (t *tunnel) socket() *net.TCPConn { return t.tcp }
