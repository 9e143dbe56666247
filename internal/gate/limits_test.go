package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// few are so many events at once, and then practically none.
func few(n int) limit.Rate { return limit.Rate{PerSecond: 0.001, Burst: n} }

// enter asks for a connection from an address.
func enter(g *Gate, address string) (*Pass, *Refusal) {
	return g.Admit(request("http://chat.example/ws", address), Connection)
}

// wantRefused fails unless a request was refused with a status, a time to wait and one more in a number.
func wantRefused(t *testing.T, g *Gate, refusal *Refusal, status int, id metrics.ID, count int64) {
	t.Helper()
	if refusal == nil || refusal.Status != status || refusal.Err.Code != protocol.CodeRateLimited || refusal.Retry() <= 0 ||
		refusal.CloseCode() != protocol.CloseRateLimited {
		t.Fatalf("%+v, want %d with a time to wait", refusal, status)
	}
	w := httptest.NewRecorder()
	refusal.ServeHTTP(w, nil)
	if w.Code != status || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered with %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if n := g.metrics.Value(id); n != count {
		t.Errorf("%d were counted, want %d", n, count)
	}
}

func TestAnAddressHasSoManyConnections(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connections: 2}}})
	first, _ := enter(g, "192.0.2.1:1")
	if _, refusal := enter(g, "192.0.2.1:2"); refusal != nil {
		t.Fatal(refusal.Err)
	}
	_, refusal := enter(g, "192.0.2.1:3")
	wantRefused(t, g, refusal, http.StatusTooManyRequests, metrics.RefusedAddressConnections, 1)
	if refusal.Reason() != session.ReasonConnectionLimit {
		t.Errorf("the reason is %q", refusal.Reason())
	}
	if _, refusal := g.Admit(request("http://chat.example/poll", "192.0.2.1:4"), Poll); refusal == nil {
		t.Error("a poll has a place of its own")
	}
	if _, refusal := enter(g, "192.0.2.2:1"); refusal != nil {
		t.Errorf("another address: %v", refusal.Err)
	}
	first.Seat.Release(0)
	if _, refusal := enter(g, "192.0.2.1:5"); refusal != nil {
		t.Errorf("when one has gone: %v", refusal.Err)
	}
}

func TestAnAddressConnectsOnlySoOften(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connects: few(3), Requests: few(2)}}})
	for range 3 {
		pass, refusal := enter(g, "192.0.2.1:1")
		if refusal != nil {
			t.Fatal(refusal.Err)
		}
		pass.Seat.Release(0)
	}
	_, refusal := enter(g, "192.0.2.1:1")
	wantRefused(t, g, refusal, http.StatusTooManyRequests, metrics.RefusedAddressConnects, 1)
	for _, kind := range []Kind{Poll, Request} {
		if _, refusal := g.Admit(request("http://chat.example/poll", "192.0.2.1:1"), kind); refusal != nil {
			t.Fatal(refusal.Err)
		}
	}
	_, refusal = g.Admit(request("http://chat.example/send", "192.0.2.1:1"), Request)
	wantRefused(t, g, refusal, http.StatusTooManyRequests, metrics.RefusedAddressRequests, 1)
}

func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connections: 2}}})
	for i := range 2 {
		if _, refusal := enter(g, fmt.Sprintf("[2001:db8::%x]:1", i+1)); refusal != nil {
			t.Fatal(refusal.Err)
		}
	}
	if _, refusal := enter(g, "[2001:db8::ffff:0:0:3]:1"); refusal == nil {
		t.Error("a third address of the same 64 bits")
	}
	if _, refusal := enter(g, "[2001:db8:0:1::1]:1"); refusal != nil {
		t.Errorf("another network: %v", refusal.Err)
	}
}

func TestTheMachineItselfIsNotLimitedByAddress(t *testing.T) {
	g := newGate(t, Settings{
		Proxies: []string{"10.0.0.1"},
		Limits:  Limits{Address: AddressLimits{Connections: 1, Connects: few(1), Requests: few(1), Failures: few(1), Block: time.Hour}},
	})
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "@", ""} {
		for range 10 {
			pass, refusal := enter(g, address)
			if refusal != nil {
				t.Fatalf("%s: %v", address, refusal.Err)
			}
			pass.Seat.Release(protocol.CloseRateLimited)
			g.Admit(request("http://chat.example/ws?token=bad", address), Connection)
		}
	}
	forged := func() (*Pass, *Refusal) {
		return g.Admit(request("http://chat.example/ws", "10.0.0.1:1", "X-Forwarded-For: 127.0.0.1, 192.0.2.1"), Connection)
	}
	if _, refusal := forged(); refusal != nil {
		t.Fatal(refusal.Err)
	}
	if _, refusal := forged(); refusal == nil {
		t.Error("a client that says it is the machine itself is believed")
	}
}

func TestANodeHasSoManyConnections(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Connections: 2}})
	first, _ := enter(g, "127.0.0.1:1")
	if _, refusal := enter(g, "192.0.2.1:1"); refusal != nil {
		t.Fatal(refusal.Err)
	}
	_, refusal := enter(g, "127.0.0.1:2")
	wantRefused(t, g, refusal, http.StatusServiceUnavailable, metrics.RefusedConnections, 1)
	if n := g.metrics.Value(metrics.Connections); n != 2 {
		t.Errorf("%d connections", n)
	}
	first.Seat.Release(0)
	if _, refusal := enter(g, "127.0.0.1:3"); refusal != nil {
		t.Errorf("when one has gone: %v", refusal.Err)
	}
}

func TestBadTokensFromOneAddressAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Failures: limit.Rate{PerSecond: 1, Burst: 3}}}})
		try := func(token string) *Refusal {
			pass, refusal := g.Admit(request("http://chat.example/ws?token="+token, "192.0.2.1:1"), Connection)
			if pass != nil {
				pass.Seat.Release(0)
			}
			return refusal
		}
		for range 10 {
			if refusal := try("good"); refusal != nil {
				t.Fatal(refusal.Err)
			}
		}
		for range 3 {
			if refusal := try("bad"); refusal.Err.Code != protocol.CodeUnauthorized {
				t.Fatal(refusal.Err)
			}
		}
		for i, token := range []string{"bad", "good"} {
			wantRefused(t, g, try(token), http.StatusTooManyRequests, metrics.RefusedAddressFailures, int64(i)+1)
		}
		if _, refusal := enter(g, "192.0.2.1:1"); refusal != nil {
			t.Errorf("who presents nothing: %v", refusal.Err)
		}
		time.Sleep(time.Second)
		if refusal := try("good"); refusal != nil {
			t.Errorf("a second later: %v", refusal.Err)
		}
	})
}

// Those that come in messages count as those of requests do.
func TestBadTokensOnConnectionsAreBounded(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Failures: few(6)}}})
	g.node.Anonymous = nil
	for range 2 {
		pass, refusal := enter(g, "192.0.2.1:1")
		if refusal != nil {
			t.Fatal(refusal.Err)
		}
		pass.Seat.Failed(4)
		pass.Seat.Release(0)
	}
	_, refusal := enter(g, "192.0.2.1:1")
	wantRefused(t, g, refusal, http.StatusTooManyRequests, metrics.RefusedAddressFailures, 1)
	if _, refusal := enter(g, "192.0.2.2:1"); refusal != nil {
		t.Errorf("another address: %v", refusal.Err)
	}
}

func TestAnAddressIsBlockedWhoseConnectionsWereClosedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Block: time.Minute}}})
		offend := func() {
			pass, refusal := enter(g, "192.0.2.1:1")
			if refusal != nil {
				t.Fatal(refusal.Err)
			}
			pass.Seat.Release(protocol.CloseRateLimited)
		}
		for range session.Offences().Burst + 1 {
			offend()
		}
		for i, kind := range []Kind{Connection, Poll, Request} {
			_, refusal := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), kind)
			wantRefused(t, g, refusal, http.StatusTooManyRequests, metrics.RefusedBlockedAddress, int64(i)+1)
			if refusal.Retry() != time.Minute {
				t.Errorf("for %v, want a minute", refusal.Retry())
			}
		}
		if n := g.metrics.Value(metrics.BlockedAddresses); n != 1 {
			t.Errorf("%d were counted", n)
		}
		if _, refusal := enter(g, "192.0.2.2:1"); refusal != nil {
			t.Errorf("another address: %v", refusal.Err)
		}
		time.Sleep(time.Minute)
		if _, refusal := enter(g, "192.0.2.1:1"); refusal != nil {
			t.Errorf("a minute later: %v", refusal.Err)
		}
	})
}

func TestRefusedRequestsLeaveNothingBehind(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Connections: 3, Address: AddressLimits{Connections: 2}}})
	for range 10 {
		for _, r := range []*http.Request{
			request("http://chat.example/ws?token=bad", "192.0.2.1:1"),
			request("http://chat.example/ws", "192.0.2.1:1", "Origin: null"),
		} {
			if _, refusal := g.Admit(r, Connection); refusal == nil {
				t.Fatal("let in")
			}
		}
	}
	for range 2 {
		if _, refusal := enter(g, "192.0.2.1:1"); refusal != nil {
			t.Fatal(refusal.Err)
		}
	}
	if held, all := g.addresses.Len(); held != 1 || all != 1 {
		t.Errorf("%d of %d addresses", held, all)
	}
}

func TestAddressesThatHaveGoneAreBounded(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connects: few(3)}}})
	g.addresses.Idle = 100
	for i := range 1000 {
		pass, refusal := enter(g, fmt.Sprintf("10.0.%d.%d:1", i/250, i%250))
		if refusal != nil {
			t.Fatal(refusal.Err)
		}
		pass.Seat.Release(0)
	}
	if _, all := g.addresses.Len(); all > 101 {
		t.Errorf("%d addresses are remembered", all)
	}
}

func TestAUsersLimitIsTheAnswerToTheRequest(t *testing.T) {
	g := newGate(t, Settings{})
	g.node.SetLimits(session.Limits{User: session.UserLimits{Connections: 1}})
	pass, refusal := g.Admit(request("http://chat.example/ws?token=good", "192.0.2.1:1"), Connection)
	if refusal != nil {
		t.Fatal(refusal.Err)
	}
	var s session.Session
	s.Open(g.node, quiet{}, pass.Identity, pass.Token)
	t.Cleanup(func() { s.Close(session.Ended{}) })
	for _, row := range []struct {
		headers []string
		late    bool
	}{{nil, false}, {[]string{"Origin: http://chat.example"}, true}} {
		_, refusal := g.Admit(request("http://chat.example/ws?token=good", "192.0.2.1:1", row.headers...), Connection)
		if refusal == nil || refusal.Status != http.StatusTooManyRequests || refusal.Late != row.late ||
			refusal.Reason() != session.ReasonConnectionLimit || refusal.CloseCode() != protocol.CloseRateLimited {
			t.Errorf("%+v", refusal)
		}
	}
	if _, refusal := g.Admit(request("http://chat.example/send?token=good", "192.0.2.1:1"), Request); refusal != nil {
		t.Errorf("a request that is answered at once: %v", refusal.Err)
	}
}
