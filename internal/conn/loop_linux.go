package conn

import (
	"crypto/tls"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	batchSize  = 256      // events taken from epoll at once
	bufferSize = 64 << 10 // read from one connection in one turn, at most
	events     = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP
)

// loops are the event loops of a Poller.
type loops struct {
	list  []*loop
	table table
	next  atomic.Uint32
}

func (s *loops) open(p *Poller, n int) error {
	for range n {
		l, err := newLoop(p)
		if err != nil {
			for _, opened := range s.list {
				opened.release()
			}
			return err
		}
		s.list = append(s.list, l)
	}
	return nil
}

// carries reports whether adopt can be called for nc.
func (s *loops) carries(nc net.Conn) bool {
	tcp, _ := under(nc)
	return tcp != nil && len(s.list) > 0
}

func (s *loops) adopt(c *Conn, nc net.Conn, early []byte, h Handler) error {
	l := s.list[int(s.next.Add(1))%len(s.list)]
	tcp, t := under(nc)
	if !l.enter() {
		tcp.Close()
		return net.ErrClosed
	}
	peer := tcp.RemoteAddr()
	fd, err := takeOver(tcp)
	if err != nil {
		l.leave()
		return err
	}
	tune(fd)
	c.adopt(l.carrier(c, nc, t), fd, peer, early, h)
	s.table.set(fd, c)
	if err := register(l.epoll, fd, events); err != nil {
		s.table.set(fd, nil)
		_ = c.reap(err)
		_ = unix.Close(fd)
		l.leave()
		return err
	}
	// Epoll tells of what came before the registration; of early bytes, or of the loop's closing, it knows nothing.
	if l.push(c) {
		c.Abort(net.ErrClosed)
	}
	return nil
}

// carrier returns what carries c over l: l itself, or the tunnel that lies under nc.
func (l *loop) carrier(c *Conn, nc net.Conn, t *tunnel) carrier {
	if t == nil {
		return l
	}
	t.exchange(l, c, nc.(*tls.Conn))
	return t
}

// close has every loop end once its connections are Closed, and aborts these. Whoever is being adopted meanwhile was
// let in before, keeps its loop running and aborts itself.
func (s *loops) close() {
	for _, l := range s.list {
		l.close()
	}
	s.table.each(func(c *Conn) { c.Abort(net.ErrClosed) })
}

func (s *loops) waited(now int64) time.Duration {
	longest := time.Duration(0)
	for _, l := range s.list {
		longest = max(longest, l.pace.look(now))
	}
	return longest
}

// loop is one event loop: a goroutine that reads and closes the descriptors registered with one epoll descriptor.
// That one is parked in Go's own poller, because a thread blocked in epoll_wait costs a good part of every wake-up.
//
// Only the loop reads and closes a connection's descriptor. Whoever else sees an error shuts the socket down, of which
// epoll tells the loop. A descriptor is forgotten under the connection's mutex and then, at the end of the turn, when
// no event of it is left to handle, closed: neither a late send nor a late event can reach whoever gets its number next.
type loop struct {
	poller *Poller
	file   *os.File // owns epoll
	raw    syscall.RawConn
	epoll  int
	bell   int // an eventfd that ends the wait
	inbox  inbox
	pace   pace

	// The loop's goroutine's own:
	events  []unix.EpollEvent
	arrived int // how many of events hold
	buffer  []byte
	opening *opening // nil without TLS
	run     []*Conn  // listed for the next turn
	spare   []*Conn  // the array of the list before
	fetched []*Conn  // the array of the inbox's queue before
	touched []*Conn  // gathering
	dead    []int    // descriptors to close
}

// inbox is where other goroutines leave connections for a loop.
type inbox struct {
	mu      sync.Mutex // below a connection's mutex
	queue   []*Conn
	asleep  bool // the bell must be rung
	started bool // the goroutine runs
	closing bool
	live    int // connections not Closed yet, and adoptions under way
}

func newLoop(p *Poller) (*loop, error) {
	epoll, bell, err := openEpoll()
	if err != nil {
		return nil, err
	}
	l := &loop{poller: p, epoll: epoll, bell: bell, file: os.NewFile(uintptr(epoll), "epoll")}
	l.raw, err = l.file.SyscallConn()
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *loop) release() {
	_ = l.file.Close()
	_ = unix.Close(l.bell)
}

// enter counts a connection and starts the goroutine for the first. It reports false once the loop is closing.
func (l *loop) enter() bool {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	if l.inbox.closing {
		return false
	}
	if !l.inbox.started {
		l.inbox.started = true
		l.poller.crew.hire()
		go l.work()
	}
	l.inbox.live++
	l.poller.count.Add(1)
	return true
}

// leave takes back what enter counted.
func (l *loop) leave() {
	l.poller.count.Add(-1)
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	l.inbox.live--
	l.ring()
}

// close ends the loop once it has no connection.
func (l *loop) close() {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	if l.inbox.closing {
		return
	}
	l.inbox.closing = true
	if !l.inbox.started {
		l.release()
		return
	}
	l.ring()
}

// push leaves c for the next turn, and reports whether the loop is closing.
func (l *loop) push(c *Conn) bool {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	l.inbox.queue = append(l.inbox.queue, c)
	l.ring()
	return l.inbox.closing
}

// ring ends the loop's wait; the inbox's mutex is held.
func (l *loop) ring() {
	if !l.inbox.asleep {
		return
	}
	l.inbox.asleep = false
	// Every write to it is a change that an edge-triggered epoll reports; the count is never read.
	_, _ = unix.Write(l.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// over reports whether nothing is left to do for a closing loop; the inbox's mutex is held.
func (b *inbox) over() bool { return b.closing && b.live == 0 }

func (l *loop) send(c *Conn, p []byte) (int, error) {
	n, errno := send(int(c.fd), p)
	if errno == 0 {
		return n, nil
	}
	if errno == syscall.EAGAIN {
		return 0, nil
	}
	return 0, os.NewSyscallError("write", errno)
}

func (l *loop) halfClose(c *Conn) { _ = unix.Shutdown(int(c.fd), unix.SHUT_WR) }

func (l *loop) shut(c *Conn) { _ = unix.Shutdown(int(c.fd), unix.SHUT_RDWR) }

func (l *loop) wake(c *Conn) { l.push(c) }

func (l *loop) queued(c *Conn) int {
	n, err := unix.IoctlGetInt(int(c.fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

func (l *loop) owner() *Poller { return l.poller }
