package conn

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below do not tell the scheduler that they are under way, which would cost some 40 of the 1,200 ns of a small
// write(2) on loopback; send(2) saves another 90, and no SIGPIPE comes of it. That is sound because none of them waits:
// the sockets are non-blocking and epoll_wait is asked for what is there already. They mean what the functions of
// x/sys/unix mean; a test holds them to it.

// send writes p to a non-blocking socket.
func send(fd int, p []byte) (int, syscall.Errno) {
	return transfer(unix.SYS_SENDTO, fd, p, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}

// receive reads from a non-blocking socket; 0 without an error is the peer's end.
func receive(fd int, p []byte) (int, syscall.Errno) {
	return transfer(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

// transfer gives p, which is not empty, to a system call of the form (fd, buffer, length, flags).
func transfer(trap uintptr, fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// epollWait fills events, which is not empty, with what there is at an epoll descriptor, without waiting.
func epollWait(epoll int, events []unix.EpollEvent) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
