// Package conn carries bytes: an event loop over epoll on Linux, and a portable twin of one goroutine a connection.
// It knows nothing of frames or rooms.
package conn

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Handler is what a connection calls up. Its methods are never called at once for one connection, and they must not
// block: on Linux they run on the event loop. No lock of this package is held that the connection's own methods take,
// so a handler may call them, and those of any other connection.
type Handler interface {
	// Received hands over bytes in the order in which they came. p is borrowed until Received returns; the handler
	// may change the bytes that it takes in place. It returns how many bytes it took: fewer than all pauses the
	// connection, which keeps the rest, reads nothing more, and calls Received again, with the rest first, after
	// Resume.
	Received(p []byte) int
	// Writable tells that the socket takes bytes again, after a Write that was Kept or Blocked or after Send had to
	// keep bytes. It is not called after Finish.
	Writable()
	// Closed is the last call, once: the connection is gone. err is io.EOF when the peer ended it, what was given to
	// Abort, or the error of the socket.
	Closed(err error)
}

// Frames are what a Write sends: whole frames, one behind the other.
type Frames struct {
	Bytes []byte // borrowed
	Cut   Cutter // asked where the socket took a part; nil: all that it did not take is copied
}

// Cutter knows where the frames of a Write end. With it a connection whose socket is full keeps nothing but the rest of
// one frame, in memory that is shared with whoever else gets that frame.
type Cutter interface {
	// Cut is called when the socket took the first n bytes and no more, and n is neither 0 nor all; the connection's
	// mutex is held. It returns the rest of the frame that was cut, which never changes and which the connection sends
	// before anything else, or nothing if n is between two frames. What follows is the caller's to write again.
	Cut(n int) []byte
}

// Outcome says what became of a Write.
type Outcome uint8

// The outcomes.
const (
	Sent    Outcome = iota // all of it went to the socket
	Kept                   // taken, up to the end of the frame that was cut where there is a Cutter; the socket is full: Writable follows
	Blocked                // nothing of it was taken, the socket is full: Writable follows
	Skipped                // nothing of it was taken: the flag given to Write was set
	Gone                   // nothing of it was taken: the connection is closed, or Finish was called
)

// Conn is one connection. It is embedded by value in what a transport keeps for each of its connections, is given to
// Poller.Adopt once, and must not be copied afterwards. Its methods may be called at once from any goroutine, do not
// block, and may be called with locks of the caller's held: lock order is the caller's, then the connection's. Before
// Adopt it behaves like a closed connection.
//
// Whoever leaves a connection behind because its socket is full must not miss the moment when it drains. After a Write
// that was Kept or Blocked: note under a lock of your own that the connection is behind, then ask Ready; if it is, the
// socket drained in between, and Writable may have run before the note was made: catch up at once. In Writable, look
// for the note under the same lock and catch up. The full socket is marked, tested and cleared under one mutex, and
// cleared before Writable is called, so that one of the two always sees it.
type Conn struct {
	carrier carrier // nil until Adopt; constant afterwards
	handler Handler // constant after Adopt

	mu    sync.Mutex // guards fd for all but the event loop, state and rare
	rare  *rare      // nil while nothing is kept
	fd    int32      // of the event loop; -1 once it is gone, and for a twin
	port  uint16     // of the peer; constant after Adopt
	state state      //
	seen  seen       // what the event loop saw; its own, not guarded
	addr  [16]byte   // of the peer; constant after Adopt
}

// state is what holds for a connection, guarded by its mutex.
type state uint8

const (
	gathering state = 1 << iota // it is in its turn: Send only gathers
	full                        // the socket took less than it was given: drained and then Writable follow
	finishing                   // Finish was called
	halved                      // the outgoing half was closed
	broken                      // Abort, or an error of the socket: only Closed follows
	gone                        // the carrier is done with it
	resumed                     // Resume was called and the carrier did not see it yet
)

// rare is the state of a connection that has something to remember beyond being open.
type rare struct {
	rest []byte  // of a frame that Write cut; lasting, and sent before out
	out  *buffer // taken from Send or Write and not sent yet
	in   *buffer // received and not taken by the handler yet
	err  error   // why it is broken
}

// carrier moves the bytes of connections: an event loop those of many, a twin those of one. Its methods are called
// with the connection's mutex held and do not block.
type carrier interface {
	// send gives bytes to the socket and returns how many it took. Fewer than all with a nil error mean that the
	// socket is full; the carrier calls drained when it takes bytes again.
	send(c *Conn, p []byte) (int, error)
	// halfClose ends the outgoing bytes behind those that send took.
	halfClose(c *Conn)
	// shut ends both directions at once; the carrier then calls Closed.
	shut(c *Conn)
	// wake has the carrier see that Resume was called.
	wake(c *Conn)
	// queued returns how many bytes that send took are known not to have reached the peer.
	queued(c *Conn) int
	owner() *Poller
}

// Write is WriteFrames without a Cutter: it sends all of p or nothing.
func (c *Conn) Write(p []byte, unless *atomic.Bool) Outcome {
	return c.WriteFrames(Frames{Bytes: p}, unless)
}

// WriteFrames sends frames, without waiting, behind whatever is kept already. A set flag in unless, which may be nil, is
// seen even when it is set while WriteFrames waits for another sender: then they are Skipped.
func (c *Conn) WriteFrames(f Frames, unless *atomic.Bool) Outcome {
	p := f.Bytes
	c.mu.Lock()
	defer c.mu.Unlock()
	if unless != nil && unless.Load() {
		return Skipped
	}
	if !c.open() {
		return Gone
	}
	if c.state&full != 0 {
		if mutQueue {
			c.keep(p)
			return Sent
		}
		if !mutBlockFanout || !c.waitUntilTaken() {
			return Blocked
		}
	}
	n, err := c.push(p)
	if err != nil {
		c.fail(err)
		return Gone
	}
	if n == len(p) {
		return Sent
	}
	if n == 0 {
		return Blocked
	}
	if f.Cut == nil {
		c.keep(p[n:])
	} else if rest := f.Cut.Cut(n); len(rest) > 0 {
		c.remember().rest = rest
	}
	return Kept
}

// Send is for replies and control frames: p is taken behind whatever is kept already. From the moment Received is
// called until the end of that turn of the event loop it is only gathered, up to 16 KiB, and goes out after
// Options.TurnEnd; otherwise at once. It reports false when the connection is gone, and, with nothing of p taken, when
// the socket is full and kept bytes and p together would pass Options.MaxKept; the caller then closes the connection.
// Where nothing is kept yet one Send is taken whatever its size. p is not kept.
func (c *Conn) Send(p []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open() {
		return false
	}
	held := c.held()
	if c.state&full != 0 && held > 0 && held+len(p) > c.carrier.owner().maxKept {
		return false
	}
	return c.take(p)
}

// Finish sends p as the last bytes and closes the outgoing half of the connection when they and all that is kept are
// out. Later calls of Write and Send find it gone. Received goes on until the peer's end or Abort; Writable does not.
// A transport that cannot close one half is closed whole.
func (c *Conn) Finish(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open() {
		return
	}
	if c.take(p) {
		c.state |= finishing
		c.settle()
	}
}

// Abort ends the connection at once, in both directions; what is kept is dropped. Closed follows with err, or
// net.ErrClosed if that is nil. Only the first of several reasons counts.
func (c *Conn) Abort(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carrier == nil || c.state&(broken|gone) != 0 {
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	c.fail(err)
}

// Resume lets a connection go on that paused because Received took less than all. It is not lost when it is called
// before that Received returned; for a connection that is not paused it does nothing.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carrier == nil || c.state&(resumed|broken|gone) != 0 {
		return
	}
	c.state |= resumed
	c.carrier.wake(c)
}

// Ready reports whether a Write would be tried now: the connection is open and its socket not full. Where it says no
// for an open connection, Writable follows.
func (c *Conn) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open() && c.state&full == 0
}

// Pending returns how many bytes the connection was given that its peer has not confirmed, as far as that is known. While
// it falls, a peer whose socket is full is slow and not stuck.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carrier == nil || c.state&(broken|gone) != 0 {
		return 0
	}
	return c.held() + c.carrier.queued(c)
}

// RemoteAddr returns the peer's address, without the zone of a link-local one, also after the connection is gone. It
// is zero where the transport has no IP address.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if c.port == 0 && c.addr == [16]byte{} {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(c.addr).Unmap(), c.port)
}

// received hands p to the handler and returns how much it took.
func (c *Conn) received(p []byte) int {
	n := c.handler.Received(p)
	if n < 0 || n > len(p) {
		panic("conn: a handler took more than it was given")
	}
	return n
}

// adopt makes c an open connection of a carrier.
func (c *Conn) adopt(k carrier, fd int, peer net.Addr, early []byte, h Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carrier != nil {
		panic("conn: a Conn was adopted twice")
	}
	c.carrier, c.handler, c.fd = k, h, int32(fd)
	if addr := addrPort(peer); addr.IsValid() {
		c.addr, c.port = addr.Addr().As16(), addr.Port()
	}
	if len(early) > 0 {
		c.remember().in = k.owner().pool.grow(nil, early)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}
