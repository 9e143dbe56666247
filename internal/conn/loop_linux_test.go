package conn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
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
		n, err := unix.IoctlGetInt(descriptor(&r.conn), unix.TIOCINQ)
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
	other.onReceived = func(p []byte) int { served.Store(floods.Load()); return len(p) }
	otherClient := open(t, p, overLoop, other, "")
	mustWrite(t, otherClient, "x")
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
	reused, seen := 0, map[int]bool{}
	for round := range rounds {
		r := newRecorder()
		client := open(t, p, overLoop, r, "")
		fd := descriptor(&r.conn)
		if seen[fd] {
			reused++
		}
		seen[fd] = true
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

// descriptors counts this process's descriptors.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNothingOfTheOriginalIsLeft(t *testing.T) {
	p := newPoller(t, Options{Loops: 1})
	warm := newRecorder()
	open(t, p, overLoop, warm, "")
	goroutines, before := runtime.NumGoroutine(), descriptors(t)
	var all []*recorder
	for range 50 {
		r := newRecorder()
		open(t, p, overLoop, r, "")
		all = append(all, r)
	}
	if now := descriptors(t); now != before+100 {
		t.Errorf("50 pairs have %d descriptors", now-before)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("50 pairs have %d goroutines", now-goroutines)
	}
	for _, r := range all {
		r.conn.Abort(nil)
		_ = r.untilClosed(t)
	}
	eventually(t, "closed", func() bool { return descriptors(t) == before+50 })
	left := 0
	p.loops.table.each(func(*Conn) { left++ })
	if left != 1 {
		t.Errorf("the table holds %d connections, want the one that is open", left)
	}
}

func TestCloseLeavesNoDescriptor(t *testing.T) {
	warm, err := net.Listen("tcp", "127.0.0.1:0") // Go's own poller has descriptors from now on
	if err != nil {
		t.Fatal(err)
	}
	defer warm.Close()
	before := descriptors(t)
	for _, used := range []bool{false, true} {
		p, err := New(Options{Loops: 3})
		if err != nil {
			t.Fatal(err)
		}
		if used {
			r := newRecorder()
			client := open(t, p, overLoop, r, "")
			mustWrite(t, client, "x")
			r.untilReceived(t, "x")
			client.Close()
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if now := descriptors(t); now != before {
			t.Errorf("%d descriptors are left", now-before)
		}
	}
}

func TestLoopsShareTheConnections(t *testing.T) {
	p := newPoller(t, Options{Loops: 3})
	for range 6 {
		open(t, p, overLoop, newRecorder(), "")
	}
	for i, l := range p.loops.list {
		l.inbox.mu.Lock()
		if l.inbox.live != 2 {
			t.Errorf("loop %d has %d of 6 connections", i, l.inbox.live)
		}
		l.inbox.mu.Unlock()
	}
}

func TestResumeWakesASleepingLoop(t *testing.T) {
	p, r := newPoller(t, Options{Loops: 1}), newRecorder()
	r.onReceived = func([]byte) int { return 1 }
	client := open(t, p, overLoop, r, "")
	mustWrite(t, client, "abc")
	for _, want := range []string{"a", "ab", "abc"} {
		r.untilReceived(t, want)
		l := p.loops.list[0]
		eventually(t, "asleep", func() bool {
			l.inbox.mu.Lock()
			defer l.inbox.mu.Unlock()
			return l.inbox.asleep
		})
		r.conn.Resume()
	}
}

func TestReceivesEarlyBytesWhileTheSocketIsFull(t *testing.T) {
	p, r := newPoller(t, Options{}), newRecorder()
	server, client := tcpPair(t)
	defer client.Close()
	raw, err := server.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	chunk := numbered(1 << 20)
	_ = raw.Write(func(fd uintptr) bool {
		for errno := syscall.Errno(0); errno == 0; {
			_, errno = send(int(fd), chunk)
		}
		return true
	})
	if err := p.Adopt(&r.conn, server, []byte("early"), r); err != nil {
		t.Fatal(err)
	}
	r.untilReceived(t, "early")
}

// whileBusy fills the socket of r's connection, has its loop wait in another connection's handler until the socket
// takes bytes again and act has run, and returns when the loop has had a turn for all of that at once.
func whileBusy(t *testing.T, r *recorder, act func(client net.Conn)) {
	t.Helper()
	p, other := newPoller(t, Options{Loops: 1}), newRecorder()
	busy, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	other.onReceived = func(p []byte) int {
		once.Do(func() { close(busy); <-release })
		return len(p)
	}
	client, otherClient := open(t, p, overLoop, r, ""), open(t, p, overLoop, other, "")
	taken, _ := fill(t, &r.conn, 8192)
	mustWrite(t, otherClient, "x")
	<-busy
	expect(t, client, taken[:len(taken)-held(&r.conn)])
	eventually(t, "writable", func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(descriptor(&r.conn)), Events: unix.POLLOUT}}, 0)
		return err == nil && n == 1
	})
	act(client)
	close(release)
	_ = r.untilClosed(t)
	mustWrite(t, otherClient, "y") // a turn later
	other.untilReceived(t, "xy")
	if n := p.Len(); n != 1 {
		t.Errorf("%d connections, want the other one", n)
	}
}

// Resume is called in the turn in which the peer's end is read, so that the loop meets the connection once more.
func TestALateResumeFindsTheConnectionGone(t *testing.T) {
	r := newRecorder()
	r.onWritable = func() { r.conn.Resume() }
	whileBusy(t, r, func(client net.Conn) { closeWrite(t, client) })
	r.until(t, "closed once", func() bool { return r.writable == 1 && r.err == io.EOF })
}

func TestAbortInWritableIsFollowedByClosedOnly(t *testing.T) {
	r := newRecorder()
	r.onWritable = func() { r.conn.Abort(nil) }
	whileBusy(t, r, func(client net.Conn) { mustWrite(t, client, "unheard") })
	r.until(t, "closed", func() bool { return r.writable == 1 && r.calls == 0 && r.err == net.ErrClosed })
}

func TestTheEndDropsNoReplyThatWasGathered(t *testing.T) {
	s := &script{}
	c := Conn{carrier: s, state: gathering}
	c.Send([]byte("reply"))
	if err := c.reap(io.EOF); err != io.EOF || !slices.Equal(s.calls, []string{"reply"}) {
		t.Errorf("%v, the socket got %q", err, s.calls)
	}
}
