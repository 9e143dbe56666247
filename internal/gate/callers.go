package gate

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
)

// spareCallers is how many connections there may be beyond Limits.Connections of which requests are read: so that who
// comes to a full server is told that it is, and operators can look at it.
const spareCallers = 128

// callers are the connections that have become nothing yet: net/http reads requests from them.
type callers struct {
	mu     sync.Mutex
	counts map[addressKey]int
	conns  map[net.Conn]addressKey // 0 for those that no address is counted for

	handshakes *handshakes
}

func newCallers() callers {
	return callers{counts: make(map[addressKey]int), conns: make(map[net.Conn]addressKey), handshakes: newHandshakes()}
}

// ConnState is for http.Server.ConnState. It closes a connection before anything is done for it, such as a handshake of
// TLS, that is one too many: of all, of its address among those of which requests are read (a Seat counts what requests
// become, and who sends none has none), or of those that its address has begun of late: each counts as a request.
// Proxies that are trusted may have as many as they need. Where too many are on their way it waits, and with it whoever
// accepts them; of an address one counts for that, so that it takes many to keep others waiting.
func (g *Gate) ConnState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		of, refused, by := g.refuses(c)
		if refused {
			g.metrics.Add(by, 1)
			_ = c.Close() // net/http finds it closed
			return
		}
		if of <= 1 {
			g.callers.handshakes.begin(c)
		}
	case http.StateIdle:
		g.callers.handshakes.end(c)
	case http.StateHijacked, http.StateClosed:
		g.callers.handshakes.end(c)
		g.callers.remove(c)
	}
}

// refuses takes note of a new connection, and returns how many there are of its address; or it reports that it is one too
// many, and by which limit. Where no address is counted there are none.
func (g *Gate) refuses(c net.Conn) (of int, refused bool, by metrics.ID) {
	p := g.policy.Load()
	var address netip.Addr
	if peer, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		address = peer.AddrPort().Addr().Unmap().WithZone("")
	}
	key, counts := keyOf(address)
	most := p.limits.Address.Connections
	if !counts || p.proxies.trusts(address) {
		key, most = 0, 0
	}
	if key != 0 && !g.mayCall(key, p) {
		return 0, true, metrics.RefusedAddressRequests
	}
	of, all := g.callers.add(c, key)
	if limit := p.limits.Connections; limit > 0 && int64(all)+g.staying.taken.Load() > int64(limit)+spareCallers {
		g.callers.remove(c)
		return of, true, metrics.RefusedConnections
	}
	if most > 0 && of > most {
		g.callers.remove(c)
		return of, true, metrics.RefusedAddressConnections
	}
	return of, false, 0
}

// mayCall reports whether an address may begin another connection.
func (g *Gate) mayCall(key addressKey, p *Policy) bool {
	now, may := g.clock(), false
	g.addresses.Charge(key, now, func(a *limit.Account) { // it has no place: that is counted otherwise
		may = a.Messages.Take(now, 1, p.limits.Address.Requests) == 0
	})
	return may
}

// add adds a connection, and returns how many there are of its address, and of all.
func (t *callers) add(c net.Conn, key addressKey) (of, all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if key != 0 {
		t.counts[key]++
	}
	t.conns[c] = key
	return t.counts[key], len(t.conns)
}

func (t *callers) remove(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, ok := t.conns[c]
	if !ok {
		return
	}
	delete(t.conns, c)
	if key == 0 {
		return
	}
	if t.counts[key]--; t.counts[key] == 0 {
		delete(t.counts, key)
	}
}
