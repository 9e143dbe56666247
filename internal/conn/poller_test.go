package conn

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
)

func TestCloseAbortsEveryConnection(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, err := New(Options{Portable: k.portable})
		if err != nil {
			t.Fatal(err)
		}
		var open20 []*recorder
		for i := range 20 {
			r := newRecorder()
			client := open(t, p, k, r, "")
			if i%2 == 0 {
				fill(t, &r.conn, 64<<10) // its writer must end too
			}
			if i%5 == 0 {
				mustWrite(t, client, "x")
			}
			open20 = append(open20, r)
		}
		if p.Len() != 20 {
			t.Errorf("%d connections", p.Len())
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, r := range open20 {
			r.mu.Lock()
			if !r.closed || r.err != net.ErrClosed {
				t.Errorf("closed %v (%v) when Close returned", r.closed, r.err)
			}
			r.mu.Unlock()
		}
		if p.Len() != 0 {
			t.Errorf("%d connections left", p.Len())
		}
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		release, why := make(chan struct{}), errors.New("too long")
		r.onClosed = func() { <-release }
		open(t, p, k, r, "")
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(why)
		if err := p.Close(ctx); !errors.Is(err, why) {
			t.Errorf("Close returned %v", err)
		}
		close(release)
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close returned %v", err)
		}
		if err := r.untilClosed(t); err != net.ErrClosed {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestAClosedPollerAdoptsNothing(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		server, client := k.pair(t)
		defer hangUp(client)
		if err := p.Adopt(&r.conn, server, []byte("early"), r); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Adopt returned %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the refused connection is open")
		}
		if r.conn.Send([]byte("x")) || r.conn.Ready() {
			t.Error("a refused connection seems open")
		}
		if r.calls != 0 || r.closed || p.Len() != 0 {
			t.Error("the handler of a refused connection was called")
		}
	})
}

func TestAdoptingWhileClosingLeavesNothing(t *testing.T) {
	const adopters, each, rounds = 4, 6, 20
	forEach(t, func(t *testing.T, k kind) {
		for range rounds {
			p, err := New(Options{Portable: k.portable})
			if err != nil {
				t.Fatal(err)
			}
			begun := make(chan struct{}, adopters*each)
			results := make(chan []*recorder, adopters)
			for range adopters {
				var pairs [each]net.Conn
				for i := range pairs {
					server, client := k.pair(t)
					defer hangUp(client)
					pairs[i] = server
				}
				go func() {
					var adopted []*recorder
					for _, server := range pairs {
						r := newRecorder()
						if p.Adopt(&r.conn, server, nil, r) == nil {
							adopted = append(adopted, r)
						}
						begun <- struct{}{}
					}
					results <- adopted
				}()
			}
			for range adopters {
				<-begun
			}
			if err := p.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			for range adopters {
				for _, r := range <-results {
					if err := r.untilClosed(t); err != net.ErrClosed {
						t.Errorf("closed with %v", err)
					}
				}
			}
		}
	})
}

func TestNothingRunsAfterClose(t *testing.T) {
	before := goleak.IgnoreCurrent()
	forEach(t, func(t *testing.T, k kind) {
		p, err := New(Options{Portable: k.portable, Loops: 3})
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			r := newRecorder()
			client := open(t, p, k, r, "")
			defer hangUp(client)
			fill(t, &r.conn, 64<<10)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		goleak.VerifyNone(t, before)
	})
}

func TestRemoteAddrIsThePeersAlsoWhenGone(t *testing.T) {
	forEach(t, func(t *testing.T, k kind) {
		p, r := newPoller(t, Options{Portable: k.portable}), newRecorder()
		client := open(t, p, k, r, "")
		want := netip.AddrPort{}
		if tcp, ok := client.LocalAddr().(*net.TCPAddr); ok {
			want = tcp.AddrPort()
		}
		if got := r.conn.RemoteAddr(); got != want {
			t.Errorf("address %v, want %v", got, want)
		}
		r.conn.Abort(io.EOF)
		_ = r.untilClosed(t)
		if got := r.conn.RemoteAddr(); got != want {
			t.Errorf("address %v when gone, want %v", got, want)
		}
	})
}

func TestRemoteAddrOfVersion6(t *testing.T) {
	want := netip.MustParseAddrPort("[2001:db8::1]:443")
	c := Conn{}
	c.adopt(&script{}, -1, net.TCPAddrFromAddrPort(want), nil, nil)
	if got := c.RemoteAddr(); got != want {
		t.Errorf("address %v, want %v", got, want)
	}
}

func TestRefusesNegativeOptions(t *testing.T) {
	for _, o := range []Options{{Loops: -1}, {MaxKept: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) returned no error", o)
		}
	}
}

func TestConnIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 72 {
		t.Errorf("a Conn is %d bytes", size)
	}
}
