//go:build !mut_blockfanout

package conn

const mutBlockFanout = false

func (*Conn) waitUntilTaken() bool { return false }
