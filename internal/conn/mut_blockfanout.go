//go:build mut_blockfanout

package conn

import "time"

// mutBlockFanout is a seeded bug: a write waits for a full socket. The fault suite must catch it.
const mutBlockFanout = true

// waitUntilTaken waits for a full socket, for 5 seconds. The connection's mutex is held, but not meanwhile.
func (c *Conn) waitUntilTaken() bool {
	for range 500 {
		c.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		c.mu.Lock()
		if !c.open() {
			return false
		}
		c.state &^= full
		if _, err := c.push(nil); err != nil || c.state&full == 0 {
			return err == nil
		}
	}
	return false
}
