package conn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var overLoop = kind{"loop", false, tcpPair}

// eventually waits, giving others the processor, for what the kernel is about to show.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 20_000_000 {
		if holds() {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("never %s", what)
}

func TestPausedLoopReadsNothing(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	r.onReceived = func(p []byte) int { return 0 }
	client := open(t, p, overLoop, r, "")
	mustWrite(t, client, "x")
	r.until(t, "paused", func() bool { return r.calls == 1 })
	mustWrite(t, client, string(numbered(1000)))
	eventually(t, "left in the socket", func() bool {
		n, err := unix.IoctlGetInt(int(r.conn.fd), unix.TIOCINQ)
		return err == nil && n == 1000
	})
}

func TestResetEndsAPausedConnection(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	r.onReceived = func(p []byte) int { return 0 }
	client := open(t, p, overLoop, r, "")
	mustWrite(t, client, "x")
	r.until(t, "paused", func() bool { return r.calls == 1 })
	_ = client.(*net.TCPConn).SetLinger(0)
	client.Close()
	if err := r.untilClosed(t); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("closed with %v", err)
	}
}

func TestTheEndAfterFinishWaitsForAPausedRest(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	takes := 0
	r.onReceived = func([]byte) int { defer func() { takes = 1 }(); return takes }
	client := open(t, p, overLoop, r, "")
	mustWrite(t, client, "ab")
	r.until(t, "paused", func() bool { return r.calls == 1 })
	r.conn.Finish(nil)
	closeWrite(t, client) // both halves are closed now: epoll reports a hang-up, not an error
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	r.until(t, "resumed", func() bool { r.conn.Resume(); return r.received.Len() == 1 })
	r.until(t, "resumed", func() bool { r.conn.Resume(); return r.received.Len() == 2 })
	if err := r.untilClosed(t); err != io.EOF {
		t.Errorf("closed with %v", err)
	}
}

// TestTurnsAreFair floods one connection and then wakes another: it must be served among the flood, and no connection
// may get more than one buffer in a turn.
func TestTurnsAreFair(t *testing.T) {
	var turn, floodTurn, floods, served atomic.Int64
	p := newPoller(t, Options{Loops: 1, TurnEnd: func() { turn.Add(1) }})
	flood, other := newRecorder(), newRecorder()
	otherClient := open(t, p, overLoop, other, "")
	other.onReceived = func(p []byte) int { served.Store(floods.Load()); return len(p) }
	other.until(t, "served once", func() bool { mustWrite(t, otherClient, "x"); return true })
	other.untilReceived(t, "x")

	ready := make(chan struct{})
	flood.onReceived = func(p []byte) int {
		if floods.Add(1) == 1 {
			<-ready // until there is more than one buffer
			_, _ = otherClient.Write([]byte("y"))
		}
		if now := turn.Load(); len(p) > bufferSize || floodTurn.Swap(now+1) == now+1 {
			t.Errorf("%d bytes, or a second call in turn %d", len(p), now)
		}
		return len(p)
	}
	client := open(t, p, overLoop, flood, "")
	go func() {
		chunk := numbered(1 << 20)
		_, _ = client.Write(chunk)
		close(ready)
		for range 31 {
			_, _ = client.Write(chunk)
		}
	}()
	other.untilReceived(t, "xy")
	flood.until(t, "flooded", func() bool { return flood.received.Len() == 32<<20 })
	if n := served.Load(); n > 10 {
		t.Errorf("the other was served after %d buffers of the flood", n)
	}
}

// TestAReusedDescriptorGetsNobodyElsesBytes keeps writing to connections that are aborted while new ones, which get
// the same numbers, are adopted.
func TestAReusedDescriptorGetsNobodyElsesBytes(t *testing.T) {
	p := newPoller(t, Options{})
	const rounds, writers = 150, 3
	reused, seen := 0, map[int32]bool{}
	for round := range rounds {
		r := newRecorder()
		client := open(t, p, overLoop, r, "")
		r.conn.mu.Lock()
		if seen[r.conn.fd] {
			reused++
		}
		seen[r.conn.fd] = true
		r.conn.mu.Unlock()
		mine := fmt.Appendf(nil, "%08d", round)
		for range writers {
			go func() {
				for r.conn.Write(mine, nil) != Gone { // long after the end of the connection
				}
			}()
		}
		got := make([]byte, 8*50)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, bytes.Repeat(mine, 50)) {
			t.Fatalf("round %d got %q", round, got)
		}
		r.conn.Abort(nil)
		client.Close()
	}
	if reused < rounds/2 {
		t.Errorf("only %d descriptors were reused: this tests nothing", reused)
	}
}

func TestNoDescriptorOfTheOriginalIsLeft(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	p := newPoller(t, Options{})
	warm := newRecorder()
	open(t, p, overLoop, warm, "")
	goroutines, before := runtime.NumGoroutine(), count()
	var all []*recorder
	for range 50 {
		r := newRecorder()
		open(t, p, overLoop, r, "")
		all = append(all, r)
	}
	if now := count(); now != before+100 {
		t.Errorf("50 pairs have %d descriptors", now-before)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("50 pairs have %d goroutines", now-goroutines)
	}
	for _, r := range all {
		r.conn.Abort(nil)
		r.untilClosed(t)
	}
	eventually(t, "closed", func() bool { return count() == before+50 })
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
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 30_000},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
	} {
		got, err := unix.GetsockoptInt(int(r.conn.fd), row.level, row.option)
		if err != nil || got != row.want {
			t.Errorf("%s is %d (%v), want %d", row.name, got, err, row.want)
		}
	}
	flags, err := unix.FcntlInt(uintptr(r.conn.fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a child process would inherit the descriptor: %v", err)
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
	var table table
	var wait sync.WaitGroup
	conns := make([]Conn, 8)
	for worker := range conns {
		wait.Go(func() {
			for fd := worker; fd < 5000; fd += len(conns) {
				table.set(fd, &conns[worker])
			}
		})
	}
	wait.Wait()
	for fd := range 5000 {
		if table.get(fd) != &conns[fd%len(conns)] {
			t.Fatalf("descriptor %d was lost", fd)
		}
	}
	table.set(4999, nil)
	count := 0
	table.each(func(*Conn) { count++ })
	if count != 4999 || table.get(4999) != nil || table.get(1<<20) != nil {
		t.Errorf("%d entries", count)
	}
}
