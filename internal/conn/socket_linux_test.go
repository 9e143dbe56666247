package conn

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptor returns the socket of an open connection, -1 once it is gone. It stays the connection's while the caller
// holds the peer open.
func descriptor(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.fd)
}

func TestSocketOptions(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	open(t, p, overLoop, r, "")
	for _, row := range []struct {
		name                string
		level, option, want int
	}{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMax},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 0},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
	} {
		got, err := unix.GetsockoptInt(descriptor(&r.conn), row.level, row.option)
		if err != nil || got != row.want {
			t.Errorf("%s is %d (%v), want %d", row.name, got, err, row.want)
		}
	}
	flags, err := unix.FcntlInt(uintptr(descriptor(&r.conn)), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a child process would inherit the descriptor: %v", err)
	}
}

// A peer that only pauses is ended by nobody; one of whom nothing is heard, and one that is gone, by the kernel.
func TestTheKernelEndsThoseWhoAreSilent(t *testing.T) {
	timeout := func(fd int) int {
		got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, ends := range []func(c *Conn, client net.Conn){
		func(c *Conn, _ net.Conn) { c.Abort(nil) },
		func(_ *Conn, client net.Conn) { client.Close() },
	} {
		p, r := newPoller(t, Options{}), newRecorder()
		client := open(t, p, overLoop, r, "")
		kept, err := unix.Dup(descriptor(&r.conn))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(kept)
		if got := timeout(kept); got != 0 {
			t.Errorf("%d while it is used", got)
		}
		ends(&r.conn, client)
		for deadline := time.Now().Add(time.Minute); timeout(kept) != 30_000; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d when it has ended", timeout(kept))
			}
		}
	}
	p, r := newPoller(t, Options{}), newRecorder()
	open(t, p, overLoop, r, "")
	if r.conn.EndWhenSilent(); timeout(descriptor(&r.conn)) != 30_000 {
		t.Error("nothing ends one of whom nothing is heard")
	}
}

// TestRawCallsMeanWhatUnixMeans holds the calls that bypass the scheduler to their safe twins.
func TestRawCallsMeanWhatUnixMeans(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := pair[0], pair[1]
	defer unix.Close(a)
	empty := make([]byte, 100)
	n, errno := receive(b, empty)
	if _, want := unix.Read(b, empty); n != 0 || errno != want {
		t.Errorf("reading nothing: %d, %v; want %v", n, errno, want)
	}
	generator := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		p, q := numbered(1+generator.IntN(20_000)), make([]byte, 20_000)
		raw := generator.IntN(2) == 0
		var sent, got int
		if raw {
			sent, _ = send(a, p)
			got, _ = unix.Read(b, q)
		} else {
			sent, _ = unix.Write(a, p)
			got, _ = receive(b, q)
		}
		if sent != len(p) || !bytes.Equal(q[:got], p) {
			t.Fatalf("sent %d of %d, received %d, the same: %v", sent, len(p), got, bytes.Equal(q[:got], p))
		}
	}
	for errno = 0; errno == 0; {
		_, errno = send(a, empty)
	}
	if _, want := unix.Write(a, empty); errno != want {
		t.Errorf("writing to a full socket: %v, want %v", errno, want)
	}
	unix.Close(b)
	_, errno = send(a, empty)
	if _, want := unix.Write(a, empty); errno != want || errno != syscall.EPIPE {
		t.Errorf("writing to a closed socket: %v, want %v", errno, want)
	}
}

func TestRawEpollMeansWhatUnixMeans(t *testing.T) {
	raw, bell, err := openEpoll()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(raw)
	defer unix.Close(bell)
	safe, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(safe)
	if err := register(safe, bell, unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	var got, want [4]unix.EpollEvent
	for round := range 4 {
		if round%2 == 1 {
			_, _ = unix.Write(bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
		n, errno := epollWait(raw, got[:])
		m, err := unix.EpollWait(safe, want[:], 0)
		if n != m || errno != 0 || err != nil || got != want || n != round%2 {
			t.Errorf("round %d: %d, %v, %v; want %d, %v, %v", round, n, errno, got, m, err, want)
		}
	}
	if _, errno := epollWait(-1, got[:]); errno != syscall.EBADF {
		t.Errorf("a bad descriptor: %v", errno)
	}
}

func TestTableFindsWhatWasSet(t *testing.T) {
	const workers, chunks = 8, 400
	var table table
	var wait sync.WaitGroup
	conns := make([]Conn, workers)
	for worker := range workers {
		wait.Go(func() {
			for number := worker; number < chunks; number += workers {
				table.set(number*chunkSize+worker, &conns[worker])
			}
		})
	}
	wait.Wait()
	for number := range chunks {
		worker := number % workers
		if table.get(number*chunkSize+worker) != &conns[worker] || table.get(number*chunkSize+worker+1) != nil {
			t.Fatalf("chunk %d was lost", number)
		}
	}
	table.set(0, nil)
	count := 0
	table.each(func(*Conn) { count++ })
	if count != chunks-1 || table.get(0) != nil || table.get(1<<30) != nil {
		t.Errorf("%d entries", count)
	}
}
