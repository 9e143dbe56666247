// Package conn carries bytes: an event loop over epoll on Linux, and a portable twin of one goroutine a connection.
// It knows nothing of frames or rooms.
package conn

// Handler is what a connection calls up. Its methods are never called at once for one connection, and they must not
// block: on Linux they run on the event loop.
type Handler interface {
	// Received hands over bytes in the order in which they came. p is borrowed until Received returns; the handler
	// may change it in place. It returns how many bytes it took: fewer than all pauses the connection, which keeps the
	// rest, reads nothing more, and calls Received again, with the rest first, after Resume.
	Received(p []byte) int
	// Writable tells that the socket takes bytes again, after a Write that was not Sent or after Send had to keep bytes.
	Writable()
	// Closed is the last call, once: the connection is gone. err is io.EOF when the peer ended it, what was given to
	// Abort, or the error of the socket.
	Closed(err error)
}

// Outcome says what became of a Write.
type Outcome uint8

// The outcomes.
const (
	Sent    Outcome = iota // all of it went to the socket
	Kept                   // the connection took all of it, but the socket is full: Writable follows
	Blocked                // nothing of it was taken, the socket is full: Writable follows
	Skipped                // nothing of it was taken: the flag given to Write was set
	Gone                   // nothing of it was taken: the connection is closed
)
