//go:build linux

// Command bare is the least that a server of rooms can do: one thread, epoll, and one write(2) for each member and
// message. It keeps nothing, checks nothing and combines nothing; it is what the cost of a delivery is compared with.
//
// It speaks as much of the native words as `wireroom bench` needs, in frames of the size of Wireroom's: /ws has rooms,
// /echo sends back what comes. It prints its URL.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // nothing is made for a message; the loop is one system call after the other
	l, err := listen()
	if err == nil {
		err = l.run()
	}
	fmt.Fprintln(os.Stderr, "bare:", err)
	os.Exit(1)
}

// loop is the server.
type loop struct {
	epoll    int
	listener int
	clients  []*client // by descriptor
	rooms    map[string]*room
	buffer   []byte
	message  []byte
	frame    []byte
}

// room is one room.
type room struct {
	name    string
	offset  uint64
	members []*client
}

// client is one connection.
type client struct {
	fd       int
	in       []byte // of a frame that is not complete, or of the request
	out      []byte // that the socket did not take
	upgraded bool
	echo     bool
	room     *room
	rank     int
}

func listen() (*loop, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("getsockname: %w", err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	l := &loop{epoll: epoll, listener: fd, rooms: make(map[string]*room), buffer: make([]byte, 256<<10), clients: make([]*client, 1<<16)}
	fmt.Printf("ws://127.0.0.1:%d/ws\n", name.(*unix.SockaddrInet4).Port)
	return l, l.watch(fd)
}

func (l *loop) watch(fd int) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd),
	})
}

func (l *loop) run() error {
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == l.listener {
				l.accept()
				continue
			}
			c := l.clients[e.Fd]
			if c == nil {
				continue
			}
			if e.Events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
				c.drain()
			}
			if e.Events&^unix.EPOLLOUT != 0 {
				l.read(c)
			}
		}
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		l.clients[fd] = &client{fd: fd}
		if l.watch(fd) != nil {
			l.drop(l.clients[fd])
		}
	}
}

// drop ends a connection.
func (l *loop) drop(c *client) {
	if r := c.room; r != nil {
		last := len(r.members) - 1
		r.members[c.rank] = r.members[last]
		r.members[c.rank].rank = c.rank
		r.members = r.members[:last]
	}
	l.clients[c.fd] = nil
	_ = unix.Close(c.fd)
}

// read reads until there is nothing more.
func (l *loop) read(c *client) {
	for {
		n, err := read(c.fd, l.buffer)
		if err == unix.EAGAIN {
			return
		}
		if n <= 0 {
			l.drop(c)
			return
		}
		p := l.buffer[:n]
		if len(c.in) > 0 {
			c.in = append(c.in, p...)
			p = c.in
		}
		taken := l.take(c, p)
		if taken < 0 {
			l.drop(c)
			return
		}
		c.in = append(c.in[:0], p[taken:]...)
		if n < len(l.buffer) {
			return
		}
	}
}

// write is the write(2) that this program is about. What the socket does not take is kept.
func (c *client) write(p []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		return
	}
	n, err := write(c.fd, p)
	if err != 0 {
		n = 0 // the socket is full, or broken: then reading says so
	}
	if n < len(p) {
		c.out = append(c.out, p[n:]...)
	}
}

func (c *client) drain() {
	p := c.out
	c.out = nil
	c.write(p)
}
