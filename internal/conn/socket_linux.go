package conn

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// unsentMax is how many bytes the kernel takes that it has not put on the wire yet (TCP_NOTSENT_LOWAT): as much
	// as one read or one catch-up write, so that such a write goes out whole, and no more, because what a slow peer
	// makes the kernel hold can neither be replaced by newer messages nor be counted by us.
	unsentMax = 64 << 10
	// userTimeout is how long the kernel waits for a peer's system where it is asked to (TCP_USER_TIMEOUT). A shorter
	// one would end peers that merely pause.
	userTimeout = 30 * time.Second
)

// takeOver returns a descriptor for tcp's socket, and closes tcp, also after an error. Unlike File it leaves the
// socket non-blocking.
func takeOver(tcp *net.TCPConn) (int, error) {
	defer tcp.Close()
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	err = raw.Control(func(original uintptr) {
		fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return -1, err
	}
	if dupErr != nil {
		return -1, os.NewSyscallError("fcntl", dupErr)
	}
	return fd, nil
}

// tune sets a connection's options. What a kernel does not know is left as it is.
func tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMax)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
}

// limitSilence has the kernel give a peer up that acknowledges nothing, or leaves its window shut, for userTimeout.
func limitSilence(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
}

// EndWhenSilent has the kernel end the connection when the peer's system has acknowledged nothing for 30 s, or has left
// its window shut. It is for those of whose peers nothing else is heard: a peer that stops reading now and again may be
// held for one that has stood still since the first time, as long as something was in flight when its window opened.
func (c *Conn) EndWhenSilent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd >= 0 && c.carrier != nil && c.state&(broken|gone) == 0 {
		limitSilence(int(c.fd))
	}
}

// socketError returns the error that the kernel holds for a socket.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if code == 0 {
		return os.NewSyscallError("read", syscall.ECONNRESET)
	}
	return os.NewSyscallError("read", syscall.Errno(code))
}

// openEpoll makes an epoll descriptor that Go's own poller can wait for, with an eventfd in it as a bell.
func openEpoll() (epoll, bell int, err error) {
	epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, -1, os.NewSyscallError("epoll_create1", err)
	}
	bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return -1, -1, os.NewSyscallError("eventfd", err)
	}
	err = register(epoll, bell, unix.EPOLLIN)
	if err == nil {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(epoll, true))
	}
	if err != nil {
		_ = unix.Close(bell)
		_ = unix.Close(epoll)
		return -1, -1, fmt.Errorf("epoll: %w", err)
	}
	return epoll, bell, nil
}

// register has epoll report events of fd, each change once.
func register(epoll, fd int, events uint32) error {
	event := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event))
}
