package faultproxy

import (
	"math/rand/v2"
	"time"
)

// Way is what happens to the bytes that travel one way. The zero value lets them pass.
type Way struct {
	// Latency is how much later bytes arrive, and Jitter up to how much more, at random. The order stays.
	Latency time.Duration
	Jitter  time.Duration
	// Bandwidth bounds the bytes a second; 0 does not.
	Bandwidth int
	// BlackHole holds back what arrives, the end of the stream too. Nobody is told: it looks as if the network were
	// gone. When it is lifted, what was held goes on, as TCP would send it again. Beyond MaxHeld bytes the sender's
	// socket fills.
	BlackHole bool
	// CutAfter resets a connection when so many bytes have gone this way, and at random up to CutSpread more; 0 does
	// not. Not all of them may have arrived.
	CutAfter  int64
	CutSpread int64
}

// MaxHeld is about how many bytes are held of one connection and one way.
const MaxHeld = 256 << 10

// Faults are what happens to connections.
type Faults struct {
	Up   Way // from the client to the server
	Down Way // from the server to the client
	// Refuse resets new connections at once, without asking the server.
	Refuse bool
}

// End is one of the two ends of a connection.
type End string

// The ends.
const (
	Client End = "client"
	Server End = "server"
)

// Plan may change the faults of the n-th connection, counted from 0, before it begins. The random numbers are the
// connection's own: they depend on the seed and n alone.
type Plan func(n int, random *rand.Rand, f *Faults)

// cut returns how many bytes may go, or less than 0 if there is no bound.
func (w *Way) cut(random *rand.Rand) int64 {
	if w.CutAfter <= 0 {
		return -1
	}
	if w.CutSpread > 0 {
		return w.CutAfter + random.Int64N(w.CutSpread+1)
	}
	return w.CutAfter
}

// late returns how much later bytes are to arrive.
func (w *Way) late(random *rand.Rand) time.Duration {
	if w.Jitter > 0 {
		return w.Latency + time.Duration(random.Int64N(int64(w.Jitter)))
	}
	return w.Latency
}
