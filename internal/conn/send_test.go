package conn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// numbered returns n bytes in which every run of eight differs from the others.
func numbered(n int) []byte {
	p := make([]byte, 0, n+8)
	for i := 0; len(p) < n; i++ {
		p = append(p, byte(i), byte(i>>8), byte(i>>16), byte(i*7), byte(i*31), byte(i>>3), '-', '\n')
	}
	return p[:n]
}

// plenty is more than any socket here takes.
var plenty = sync.OnceValue(func() []byte { return numbered(64 << 20) })

// fill writes pieces until the socket is full, and returns what the connection took and the last outcome.
func fill(t testing.TB, c *Conn, piece int) ([]byte, Outcome) {
	t.Helper()
	source := plenty()
	for at := 0; at < len(source); at += piece {
		p := bytes.Clone(source[at : at+piece])
		outcome := c.Write(p, nil)
		clear(p) // nothing may refer to it any more
		switch outcome {
		case Sent:
		case Kept:
			return source[:at+piece], Kept
		case Blocked:
			return source[:at], Blocked
		default:
			t.Fatalf("write returned %d", outcome)
		}
	}
	t.Fatal("64 MiB filled no socket")
	return nil, Gone
}

// fillUp fills a socket, and waits for a twin, which is full as soon as its own buffer is, to have filled its own.
func fillUp(t testing.TB, c *Conn, piece int) []byte {
	t.Helper()
	var taken []byte
	for {
		more, _ := fill(t, c, piece)
		taken = append(taken, more...)
		if staysFull(c) {
			return taken
		}
	}
}

func staysFull(c *Conn) bool {
	for range 2000 {
		if c.Ready() {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// expect reads exactly want from a client.
func expect(t testing.TB, client net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(client, got)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, %v; want %d, the same: %v", n, err, len(want), bytes.Equal(got[:n], want[:n]))
	}
}

func TestFullSocketKeepsTheRestAndDrains(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		for round := 1; round <= 3; round++ {
			taken := fillUp(t, &r.conn, 10_007)
			if r.conn.Ready() {
				t.Fatal("ready with a full socket")
			}
			if got := r.conn.Write([]byte("x"), nil); got != Blocked {
				t.Fatalf("write to a full socket returned %d", got)
			}
			expect(t, client, taken)
			r.until(t, "ready again", func() bool { return r.writable >= round && r.conn.Ready() })
			r.conn.mu.Lock()
			rare := r.conn.rare
			r.conn.mu.Unlock()
			if rare != nil {
				t.Fatal("an idle connection holds memory for kept bytes")
			}
		}
		if got := r.conn.Write([]byte("end"), nil); got != Sent {
			t.Fatalf("write to an empty socket returned %d", got)
		}
		expect(t, client, []byte("end"))
	})
}

func TestWritesLargerThanTheSocketAreKept(t *testing.T) {
	large := numbered(16 << 20)
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		if got := r.conn.Write(large, nil); got != Kept {
			t.Fatalf("write returned %d", got)
		}
		expect(t, client, large)
		r.until(t, "writable again", func() bool { return r.writable == 1 })
	})
}

func TestSkipsAWriteWhoseFlagIsSet(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		var flag atomic.Bool
		if got := r.conn.Write([]byte("a"), &flag); got != Sent {
			t.Errorf("write returned %d", got)
		}
		flag.Store(true)
		if got := r.conn.Write([]byte("b"), &flag); got != Skipped {
			t.Errorf("write with its flag set returned %d", got)
		}
		r.conn.Write([]byte("c"), nil)
		expect(t, client, []byte("ac"))
	})
}

func TestSkipsAWriteWhoseFlagIsSetWhileItWaits(t *testing.T) {
	for range 300 {
		c := Conn{carrier: &script{}}
		var flag atomic.Bool
		started, outcome := make(chan struct{}), make(chan Outcome)
		c.mu.Lock()
		go func() {
			close(started)
			outcome <- c.Write([]byte("x"), &flag)
		}()
		<-started
		for range 5 {
			runtime.Gosched() // so that it waits, mostly
		}
		flag.Store(true)
		c.mu.Unlock()
		if got := <-outcome; got != Skipped {
			t.Fatalf("write returned %d", got)
		}
	}
}

func TestKeepsRepliesBehindAFullSocketUpToABound(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable, MaxKept: 1000}), newRecorder()
		client := open(t, p, k, r, "")
		want, _ := fill(t, &r.conn, 4096)
		want = bytes.Clone(want)
		reply := numbered(300)
		for r.conn.Send(bytes.Clone(reply)) {
			want = append(want, reply...)
			if kept := held(&r.conn); kept > max(1000, 4096+300) || len(want) > 64<<20 {
				t.Fatalf("%d bytes kept", kept)
			}
		}
		expect(t, client, want)
		r.until(t, "ready again", r.conn.Ready)
		if !r.conn.Send([]byte("again")) {
			t.Error("refused a reply after the socket drained")
		}
		expect(t, client, []byte("again"))
	})
}

func TestTakesOneReplyOfAnySize(t *testing.T) {
	large := numbered(8 << 20)
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		if !r.conn.Send(large) {
			t.Fatal("refused a large reply")
		}
		if r.conn.Send(numbered(100)) {
			t.Fatal("took a reply behind a large one that is kept")
		}
		expect(t, client, large)
	})
}

func TestTurnEndCarriesGatheredReplies(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		r := newRecorder()
		var asked atomic.Bool
		p := newPoller(t, Options{Portable: k.portable, TurnEnd: func() {
			if !asked.Swap(false) {
				return
			}
			if gathered := held(&r.conn); gathered != len("reply another ") {
				t.Errorf("%d bytes were gathered at the end of the turn", gathered)
			}
			r.conn.Write([]byte("message "), nil)
		}})
		r.onReceived = func(p []byte) int {
			asked.Store(true)
			r.conn.Send([]byte("reply "))
			r.conn.Send([]byte("another "))
			return len(p)
		}
		client := open(t, p, k, r, "")
		mustWrite(t, client, "?")
		expect(t, client, []byte("reply another message "))
		r.conn.Send([]byte("at once"))
		expect(t, client, []byte("at once"))
	})
}

func TestTurnEndFollowsEveryCallOfAHandler(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		r := newRecorder()
		var dirty atomic.Bool
		flushed := make(chan struct{}, 100)
		p := newPoller(t, Options{Portable: k.portable, TurnEnd: func() {
			if dirty.Swap(false) {
				flushed <- struct{}{}
			}
		}})
		mark := func() { dirty.Store(true) }
		r.onReceived = func(p []byte) int { mark(); return len(p) }
		r.onWritable, r.onClosed = mark, mark
		client := open(t, p, k, r, "")
		mustWrite(t, client, "x")
		<-flushed
		taken, _ := fill(t, &r.conn, 8192)
		expect(t, client, taken)
		<-flushed
		closeWrite(t, client)
		<-flushed
		r.until(t, "closed", func() bool { return r.closed && r.writable == 1 })
	})
}

func TestFinishSendsTheLastBytesAndTheEnd(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		taken, _ := fill(t, &r.conn, 8192)
		want := append(bytes.Clone(taken), "goodbye"...)
		r.conn.Finish([]byte("goodbye"))
		r.conn.Finish([]byte("twice"))
		if r.conn.Send([]byte("x")) || r.conn.Write([]byte("x"), nil) != Gone || r.conn.Ready() {
			t.Error("took bytes after Finish")
		}
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("client got %d bytes, %v; want %d", len(got), err, len(want))
		}
		mustWrite(t, client, "answer") // the other half is open
		r.untilReceived(t, "answer")
		closeWrite(t, client)
		if err := r.untilClosed(t); err != io.EOF {
			t.Errorf("closed with %v, want EOF", err)
		}
	})
}

func TestFinishInAHandlerFollowsWhatWasGathered(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func(p []byte) int {
			r.conn.Send([]byte("reply "))
			r.conn.Finish([]byte("goodbye"))
			return len(p)
		}
		client := open(t, p, k, r, "")
		mustWrite(t, client, "x")
		got, err := io.ReadAll(client)
		if err != nil || string(got) != "reply goodbye" {
			t.Errorf("client got %q, %v", got, err)
		}
		closeWrite(t, client)
		if err := r.untilClosed(t); err != io.EOF {
			t.Errorf("closed with %v, want EOF", err)
		}
	})
}

func TestAbortEndsABlockedConnection(t *testing.T) {
	reason := errors.New("a reason")
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		fill(t, &r.conn, 8192)
		r.conn.Send([]byte("kept"))
		r.conn.Abort(reason)
		if r.conn.Send([]byte("x")) || r.conn.Write([]byte("x"), nil) != Gone || r.conn.Ready() {
			t.Error("took bytes after Abort")
		}
		if err := r.untilClosed(t); err != reason {
			t.Errorf("closed with %v", err)
		}
		if p.Len() != 0 {
			t.Errorf("%d connections left", p.Len())
		}
		if _, err := io.Copy(io.Discard, client); err != nil && errors.Is(err, net.ErrClosed) {
			t.Errorf("the client's end was closed by itself: %v", err)
		}
	})
}

func TestAbortWithoutAReason(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		r.onReceived = func(p []byte) int {
			r.conn.Abort(nil)
			return 0
		}
		client := open(t, p, k, r, "")
		mustWrite(t, client, "x")
		if err := r.untilClosed(t); err != net.ErrClosed {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestAHandlerSendsToOtherConnections(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, a, b := newPoller(t, Options{Portable: k.portable}), newRecorder(), newRecorder()
		a.onReceived = func(p []byte) int {
			b.conn.Write(bytes.Clone(p), nil)
			b.conn.Send([]byte("!"))
			return len(p)
		}
		a.onClosed = func() { b.conn.Finish([]byte(" bye")) }
		clientA, clientB := open(t, p, k, a, ""), open(t, p, k, b, "")
		mustWrite(t, clientA, "hello")
		expect(t, clientB, []byte("hello!"))
		closeWrite(t, clientA)
		expect(t, clientB, []byte(" bye"))
	})
}

func TestUnadoptedConnIsClosed(t *testing.T) {
	var c Conn
	c.Abort(nil)
	c.Resume()
	c.Finish(nil)
	if c.Write(nil, nil) != Gone || c.Send(nil) || c.Ready() || c.RemoteAddr().IsValid() {
		t.Error("a connection that was not adopted seems open")
	}
}

func TestSendsFromManyGoroutinesStayWhole(t *testing.T) {
	const senders, each = 8, 200
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable, MaxKept: 64 << 20}), newRecorder()
		client := open(t, p, k, r, "")
		for s := range senders {
			go func() {
				line := []byte(strings.Repeat(string(rune('a'+s)), 1000) + "\n")
				for range each {
					r.conn.Send(line)
				}
			}()
		}
		counts := make(map[byte]int)
		line := make([]byte, 1001)
		for range senders * each {
			if _, err := io.ReadFull(client, line); err != nil {
				t.Fatal(err)
			}
			if want := bytes.Repeat(line[:1], 1000); !bytes.Equal(line[:1000], want) || line[1000] != '\n' {
				t.Fatalf("a torn line: %.40q", line)
			}
			counts[line[0]]++
		}
		for s := range senders {
			if n := counts[byte('a'+s)]; n != each {
				t.Errorf("%d lines of sender %d", n, s)
			}
		}
	})
}
