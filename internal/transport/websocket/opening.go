package websocket

import (
	"sync"

	"github.com/wireroom/wireroom/internal/conn"
)

// maxOpening bounds what is said on a connection before the poller has it, in bytes; what passes it is taken, and nothing
// more.
const maxOpening = 64 << 10

// opening is what is said on a connection that the poller does not have yet: first what goes out with the answer to the
// upgrade, then what others say to it while that is on its way.
type opening struct {
	mu    sync.Mutex
	bytes []byte
	last  bool // the goodbye was said: nothing follows
	over  bool // the poller has the connection
}

// say takes a frame; it reports whether the connection is still opening, and whether the frame fits.
func (o *opening) say(frame []byte) (opening, fits bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.last {
		return !o.over, true
	}
	if len(o.bytes) > maxOpening {
		return true, false
	}
	o.bytes = append(o.bytes, frame...)
	return true, true
}

// sayLast takes the last frame; it reports whether the connection is still opening.
func (o *opening) sayLast(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over && !o.last {
		o.bytes, o.last = append(o.bytes, frame...), true
	}
	return !o.over
}

// take returns what was said so far.
func (o *opening) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	said := o.bytes
	o.bytes = nil
	return said
}

// end gives the rest to the socket, which the poller has now: from here on it is spoken to itself. Only the first call
// does anything.
func (o *opening) end(socket *conn.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	o.over = true
	if o.last {
		socket.Finish(o.bytes)
	} else if len(o.bytes) > 0 {
		socket.Send(o.bytes) // one that fails is gone, and is told so
	}
	o.bytes = nil
}
