package gate

import (
	"net"
	"net/http"
	"sync"

	"github.com/wireroom/wireroom/internal/metrics"
)

// callers are the connections that have become nothing yet: net/http reads requests from them.
type callers struct {
	mu     sync.Mutex
	counts map[addressKey]int
	conns  map[net.Conn]addressKey
}

// ConnState is for http.Server.ConnState. It closes a connection that is one too many of its address among those of
// which requests are read: a Seat counts what requests become, and who sends none has none. Proxies that are trusted may
// have as many as they need.
func (g *Gate) ConnState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p := g.policy.Load()
		peer, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return
		}
		address := peer.AddrPort().Addr().Unmap().WithZone("")
		key, counts := keyOf(address)
		if !counts || p.proxies.trusts(address) || g.callers.add(c, key, p.limits.Address.Connections) {
			return
		}
		g.metrics.Add(metrics.RefusedAddressConnections, 1)
		_ = c.Close() // net/http finds it closed
	case http.StateHijacked, http.StateClosed:
		g.callers.remove(c)
	}
}

// add counts a connection, unless there are as many as there may be; 0 is no limit.
func (t *callers) add(c net.Conn, key addressKey, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if most > 0 && t.counts[key] >= most {
		return false
	}
	if t.counts == nil {
		t.counts, t.conns = make(map[addressKey]int), make(map[net.Conn]addressKey)
	}
	t.counts[key]++
	t.conns[c] = key
	return true
}

func (t *callers) remove(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, ok := t.conns[c]
	if !ok {
		return
	}
	delete(t.conns, c)
	if t.counts[key]--; t.counts[key] == 0 {
		delete(t.counts, key)
	}
}
