package gate

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
)

// caller is a connection from an address.
type caller struct {
	net.Conn
	from   string
	closed bool
}

func (c *caller) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.from), 1))
}

func (c *caller) Close() error {
	c.closed = true
	return nil
}

func TestAnAddressHasSoManyConnectionsWithoutARequest(t *testing.T) {
	g := newGate(t, Settings{Proxies: []string{"192.0.2.9"}, Limits: Limits{Address: AddressLimits{Connections: 2}}})
	call := func(from string) *caller {
		c := &caller{from: from}
		g.ConnState(c, http.StateNew)
		if c.closed {
			g.ConnState(c, http.StateClosed) // as net/http does
		}
		return c
	}
	first, second := call("192.0.2.1"), call("::ffff:192.0.2.1")
	g.ConnState(first, http.StateActive)
	g.ConnState(first, http.StateIdle)
	if third := call("192.0.2.1"); first.closed || second.closed || !third.closed {
		t.Fatalf("closed: %v, %v, %v", first.closed, second.closed, third.closed)
	}
	if n := g.metrics.Value(metrics.RefusedAddressConnections); n != 1 {
		t.Errorf("%d were counted", n)
	}
	for range 10 {
		for _, from := range []string{"192.0.2.9", "127.0.0.1", "::1"} {
			if call(from).closed {
				t.Errorf("%s: closed", from)
			}
		}
	}
	if call("192.0.2.2").closed {
		t.Error("another address: closed")
	}
	g.ConnState(first, http.StateHijacked)
	g.ConnState(second, http.StateClosed)
	g.ConnState(second, http.StateClosed)
	if call("192.0.2.1").closed || call("192.0.2.1").closed || !call("192.0.2.1").closed {
		t.Error("two have gone: it is not as before")
	}
	g.Reload(newPolicy(t, Settings{}))
	if call("192.0.2.1").closed {
		t.Error("without a limit: closed")
	}
}

// Handshakes of TLS are paid for by whoever is let in: there are as many of an address as it may send requests.
func TestConnectionsOfAnAddressAreBoundedBeforeAnythingIsDoneForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Address: AddressLimits{Requests: limit.Rate{PerSecond: 2, Burst: 3}}}
		g := newGate(t, Settings{Proxies: []string{"192.0.2.9"}, Limits: limits})
		call := func(from string) (open bool) {
			c := &caller{from: from}
			g.ConnState(c, http.StateNew)
			g.ConnState(c, http.StateClosed) // they do not stay
			return !c.closed
		}
		for i := range 3 {
			if !call("192.0.2.1") {
				t.Fatalf("connection %d is refused", i)
			}
		}
		for range 5 {
			if call("192.0.2.1") {
				t.Fatal("one more is let in")
			}
		}
		if n := g.metrics.Value(metrics.RefusedAddressRequests); n != 5 {
			t.Errorf("%d were counted", n)
		}
		for range 10 {
			if !call("192.0.2.9") || !call("127.0.0.1") {
				t.Error("a proxy or the machine itself is refused")
			}
		}
		time.Sleep(time.Second)
		if !call("192.0.2.1") || !call("192.0.2.1") || call("192.0.2.1") {
			t.Error("after a second it is not two more")
		}
	})
}

// A connection that is let in, or refused, takes no place among the connections of its address while that is found out.
func TestACallIsNoConnectionMeanwhile(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Address: AddressLimits{Connections: 1, Requests: limit.Rate{PerSecond: 1e6, Burst: 1e6}}}})
	done, calling := make(chan struct{}), sync.WaitGroup{}
	calling.Go(func() {
		c := &caller{from: "192.0.2.1"}
		for {
			select {
			case <-done:
				return
			default:
				g.ConnState(c, http.StateNew)
				g.ConnState(c, http.StateClosed)
			}
		}
	})
	for i := range 2_000 {
		pass, refused := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), Connection)
		if refused != nil {
			t.Errorf("request %d, the only one: %s", i, refused.Err.Message)
			break
		}
		pass.Seat.Release(0)
	}
	close(done)
	calling.Wait()
}

// However many there are from however many addresses, there are so many files to open.
func TestConnectionsWithoutARequestAreBoundedTogether(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Connections: 10}})
	for range 4 {
		if _, refused := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), Connection); refused != nil {
			t.Fatal(refused.Err)
		}
	}
	for range 3 { // whose requests are on connections that are counted themselves
		if _, refused := g.Admit(request("http://chat.example/socket.io/", "192.0.2.1:1"), Carried); refused != nil {
			t.Fatal(refused.Err)
		}
	}
	var open []*caller
	for i := range 1000 {
		c := &caller{from: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()}
		if g.ConnState(c, http.StateNew); c.closed {
			g.ConnState(c, http.StateClosed)
			continue
		}
		open = append(open, c)
	}
	if len(open) != 10-4+spareCallers {
		t.Errorf("%d are open", len(open))
	}
	if n := g.metrics.Value(metrics.RefusedConnections); n != int64(1000-len(open)) {
		t.Errorf("%d were counted", n)
	}
	g.ConnState(open[0], http.StateClosed)
	next := &caller{from: "127.0.0.1"}
	if g.ConnState(next, http.StateNew); next.closed {
		t.Error("there is room for one, and it is refused")
	}
}
