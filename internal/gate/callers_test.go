package gate

import (
	"net"
	"net/http"
	"net/netip"
	"testing"

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
