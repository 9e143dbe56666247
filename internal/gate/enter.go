package gate

import (
	"encoding/binary"
	"net/http"
	"net/netip"

	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
)

// Enter gives a place to a request whose sender shows who it is in another way than clients do, by a key; Pass has no
// identity then, and there is no limit but to keys that are wrong. The origin is not looked at: no page of another one
// is told anything, since no CORS header says so.
// The caller releases Pass.Seat when the request is answered, with protocol.CloseUnauthorized if the key was none.
func (g *Gate) Enter(r *http.Request) (*Pass, *Refusal) {
	p := g.policy.Load()
	from := p.proxies.client(r)
	seat, refusal := g.seat(from.address, keyed, &p.limits)
	if refusal != nil {
		return nil, refusal
	}
	pass := &Pass{Address: from.address, Secure: from.secure, Exposed: p.secureKeys && from.exposed(), Seat: seat}
	if pass.Exposed {
		pass.Seat.Release(0)
		return nil, g.refuse(metrics.RefusedHandshake, http.StatusForbidden, session.ErrExposed)
	}
	if refusal := pass.Seat.mayTry(&p.limits.Address); refusal != nil {
		pass.Seat.Release(0)
		return nil, refusal
	}
	return pass, nil
}

// Network returns what the seat's connection is counted by: an address of IPv4, or a network of IPv6; the zero Prefix for
// this machine's own.
func (s *Seat) Network() netip.Prefix {
	switch key := uint64(s.key); {
	case s.account == nil:
		return netip.Prefix{}
	case key>>32 == 0xFFFF:
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], uint32(key))
		return netip.PrefixFrom(netip.AddrFrom4(four), 32)
	default:
		var sixteen [16]byte
		binary.BigEndian.PutUint64(sixteen[:], key)
		return netip.PrefixFrom(netip.AddrFrom16(sixteen), 64)
	}
}
