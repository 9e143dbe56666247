package gate

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/limit"
)

// begin has a connection of an address begin.
func begin(g *Gate, from string) *caller {
	c := &caller{from: from}
	g.ConnState(c, http.StateNew)
	return c
}

// TestSoManyConnectionsAreOnTheirWayAtOnce has more come, at two listeners, than are let in at once.
func TestSoManyConnectionsAreOnTheirWayAtOnce(t *testing.T) {
	for name, over := range map[string]http.ConnState{"became a session": http.StateHijacked, "was answered": http.StateIdle, "is gone": http.StateClosed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, Settings{})
				first := begin(g, "127.0.0.1")
				for range mostHandshakes() - 1 {
					begin(g, "127.0.0.1")
				}
				began := time.Now()
				waited := make(chan time.Duration, 2)
				for range 2 {
					go func() {
						begin(g, "127.0.0.1")
						waited <- time.Since(began)
					}()
				}
				time.Sleep(handshakePatience / 4)
				if len(waited) > 0 {
					t.Fatal("one more was let in")
				}
				g.ConnState(first, http.StateActive)
				g.ConnState(first, over)
				synctest.Wait()
				if len(waited) != 1 {
					t.Fatalf("one %s: %d were let in", name, len(waited))
				}
				<-waited
				if took := <-waited; took != handshakePatience {
					t.Errorf("where nobody moves, one more is let in after %v", took)
				}
			})
		})
	}
}

// TestPlacesAreNotKept has connections end in every order, and wants nothing to be left of them.
func TestPlacesAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Settings{})
		h := g.callers.handshakes
		var all []*caller
		for range 6 * mostHandshakes() {
			c := begin(g, "127.0.0.1")
			if all = append(all, c); len(all)%3 != 0 { // every third says nothing
				g.ConnState(c, http.StateHijacked)
			}
		}
		for _, c := range all {
			g.ConnState(c, http.StateClosed)
		}
		begin(g, "127.0.0.1")
		if len(h.held) != 1 || len(h.order) != 1 || len(g.callers.conns) != 1 {
			t.Errorf("%d places, %d in order, %d connections, want 1 of each", len(h.held), len(h.order), len(g.callers.conns))
		}
	})
}

// TestAnAddressTakesOnePlace has one address, whose connections say nothing, and those that are refused keep nobody waiting.
func TestAnAddressTakesOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connections: many, Requests: limit.Rate{PerSecond: 1, Burst: many}}}})
		began := time.Now()
		for range 3 * many {
			begin(g, "192.0.2.1")
		}
		if took := time.Since(began); took != 0 || len(g.callers.handshakes.held) != 1 {
			t.Errorf("%d places were taken within %v", len(g.callers.handshakes.held), took)
		}
	})
}
