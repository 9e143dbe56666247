package conn

import (
	"bytes"
	"context"
	"io"
	"net"
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
		r.untilClosed(t)
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
