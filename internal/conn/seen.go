package conn

// seen is what an event loop saw of a connection and has not dealt with. Only the loop touches it.
type seen uint8

const (
	listed   seen = 1 << iota // it is in the loop's list for the next turn
	readable                  // there may be bytes to read
	ending                    // the peer's end or an error came: read up to it
	writable                  // the socket takes bytes
	failed                    // the socket has an error
	paused                    // the handler took less than all
)
