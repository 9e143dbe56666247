package conn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestTwinRunsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Portable: true})
		if err != nil {
			t.Fatal(err)
		}
		r := newRecorder()
		r.onReceived = func(p []byte) int { return min(len(p), 1) }
		server, client := memoryPair(1000)
		if err := p.Adopt(&r.conn, server, []byte("a"), r); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, client, "bc")
		synctest.Wait()
		if got := r.text(); got != "ab" {
			t.Errorf("received %q before Resume", got)
		}
		r.conn.Resume()
		synctest.Wait()
		if got := r.text(); got != "abc" {
			t.Errorf("received %q", got)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPausedTwinReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Portable: true})
		if err != nil {
			t.Fatal(err)
		}
		r := newRecorder()
		r.onReceived = func(p []byte) int { return 0 }
		server, client := memoryPair(1000)
		if err := p.Adopt(&r.conn, server, nil, r); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, client, "x")
		synctest.Wait()
		mustWrite(t, client, string(numbered(1000)))
		synctest.Wait()
		if got := len(client.out.bytes); got != 1000 {
			t.Errorf("%d bytes were read from a paused connection", 1000-got)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// A kernel goes on sending what a closed socket took; so does a twin, for a while.
func TestTwinLingers(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p, err := New(Options{Portable: true})
			if err != nil {
				t.Fatal(err)
			}
			r := newRecorder()
			server, client := memoryPair(1000)
			if err := p.Adopt(&r.conn, server, nil, r); err != nil {
				t.Fatal(err)
			}
			reply := numbered(50_000)
			r.conn.Send(reply)
			closeWrite(t, client)
			if err := r.untilClosed(t); err != io.EOF {
				t.Errorf("closed with %v", err)
			}
			if p.Len() != 0 {
				t.Errorf("%d connections", p.Len())
			}
			if reads {
				got, err := io.ReadAll(client)
				if err != nil || !bytes.Equal(got, reply) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
			started := time.Now()
			<-p.crew.dismiss()
			if waited := time.Since(started); reads && waited != 0 || !reads && waited != linger {
				t.Errorf("lingered for %v", waited)
			}
		})
	}
}

func TestCloseEndsALingeringTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Portable: true})
		if err != nil {
			t.Fatal(err)
		}
		r := newRecorder()
		server, client := memoryPair(1000)
		if err := p.Adopt(&r.conn, server, nil, r); err != nil {
			t.Fatal(err)
		}
		r.conn.Send(numbered(50_000))
		closeWrite(t, client)
		_ = r.untilClosed(t)
		started := time.Now()
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited != 0 {
			t.Errorf("waited for %v", waited)
		}
	})
}

// net.Pipe has no halves and no buffer.
func TestFinishClosesWhatHasNoHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Portable: true})
		if err != nil {
			t.Fatal(err)
		}
		r := newRecorder()
		server, client := net.Pipe()
		if err := p.Adopt(&r.conn, server, nil, r); err != nil {
			t.Fatal(err)
		}
		r.conn.Finish([]byte("goodbye"))
		if got, err := io.ReadAll(client); string(got) != "goodbye" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if err := r.untilClosed(t); err != io.EOF {
			t.Errorf("closed with %v", err)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTwinClosesWithTheErrorOfItsWrites(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		fill(t, &r.conn, 64<<10)
		hangUp(client) // with unread bytes: TCP resets
		if err := r.untilClosed(t); err == nil || err == net.ErrClosed {
			t.Errorf("closed with %v", err)
		}
	})
}

// brokenWriter is a connection on which nothing can be written.
type brokenWriter struct{ memoryConn }

var errWriter = errors.New("nothing can be written")

func (b brokenWriter) Write([]byte) (int, error) { return 0, errWriter }

func TestTwinClosesWithAWritersErrorWhileItsReaderWaits(t *testing.T) {
	p, r := newPoller(t, Options{Portable: true}), newRecorder()
	server, _ := memoryPair(1000)
	if err := p.Adopt(&r.conn, brokenWriter{server}, nil, r); err != nil {
		t.Fatal(err)
	}
	r.conn.Send([]byte("x"))
	if err := r.untilClosed(t); err != errWriter {
		t.Errorf("closed with %v", err)
	}
}

// polite is a connection whose Close says goodbye first, as that of TLS does.
type polite struct {
	memoryConn
	t *testing.T
}

func (p polite) NetConn() net.Conn { return p.memoryConn }

func (p polite) Close() error {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if !p.in.cut {
		p.t.Error("Abort waits for a goodbye")
	}
	return nil
}

func TestAbortSaysNoGoodbye(t *testing.T) {
	p, r := newPoller(t, Options{Portable: true}), newRecorder()
	server, _ := memoryPair(1000)
	if err := p.Adopt(&r.conn, polite{server, t}, nil, r); err != nil {
		t.Fatal(err)
	}
	r.conn.Abort(nil)
	_ = r.untilClosed(t)
}

func TestTwinCallsItsHandlerOneAtATime(t *testing.T) {
	p, r := newPoller(t, Options{Portable: true}), newRecorder()
	server, client := memoryPair(1000)
	done := make(chan struct{})
	r.onReceived = func(p []byte) int {
		started := make(chan struct{})
		go func() {
			close(started)
			r.conn.carrier.(*twin).callWritable()
			close(done)
		}()
		<-started
		for range 100 {
			runtime.Gosched()
		}
		return len(p)
	}
	if err := p.Adopt(&r.conn, server, nil, r); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, client, "x")
	<-done
	r.until(t, "received", func() bool { return r.calls == 1 && r.writable == 1 })
}

// The goroutine that writes may learn that it must call Writable just before the one that reads calls Closed, and the
// one that reads may have something to hand over just when somebody calls Abort.
func TestTwinCallsNothingAfterTheEnd(t *testing.T) {
	p, r := newPoller(t, Options{Portable: true}), newRecorder()
	server, client := memoryPair(1000)
	if err := p.Adopt(&r.conn, server, nil, r); err != nil {
		t.Fatal(err)
	}
	closeWrite(t, client)
	_ = r.untilClosed(t)
	r.conn.carrier.(*twin).callWritable()
	r.until(t, "closed", func() bool { return r.writable == 0 })

	aborted := newRecorder()
	gone := &twin{poller: p, conn: &aborted.conn, nc: server}
	gone.wakeup.L = &aborted.conn.mu
	aborted.conn.adopt(gone, -1, nil, nil, aborted)
	aborted.conn.Abort(nil)
	if n, ok := gone.callReceived([]byte("x")); n != 0 || ok || aborted.calls != 0 {
		t.Error("Received after Abort")
	}
}
