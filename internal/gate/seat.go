package gate

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Limits bound what a Gate lets in; 0 is no limit. Those of an address do not hold for the machine itself (loopback,
// Unix sockets), where proxies are that nobody told of, and programs under test.
type Limits struct {
	Connections int // at once, and requests under way
	Address     AddressLimits
}

// AddressLimits bound what comes from one address; of IPv6 from one network of 64 bits, which is what one customer has.
type AddressLimits struct {
	Connections int        // at once, and requests under way
	Connects    limit.Rate // connections begun
	Requests    limit.Rate // polls, and requests that are answered at once
	Failures    limit.Rate // attempts to authenticate that fail
	Block       time.Duration
}

// maxIdleAddresses is how many addresses are remembered that have no connection and are still being limited.
const maxIdleAddresses = 1 << 16

// addressKey is what an address is counted by: the upper half of one of IPv6; one of IPv4 behind bits that no address of
// IPv6 in use begins with.
type addressKey uint64

// keyOf returns what an address is counted by, and false for one that is not.
func keyOf(address netip.Addr) (addressKey, bool) {
	if !address.IsValid() || address.IsLoopback() {
		return 0, false
	}
	if address.Is4() {
		four := address.As4()
		return addressKey(0xFFFF<<32 | uint64(binary.BigEndian.Uint32(four[:]))), true
	}
	sixteen := address.As16()
	return addressKey(binary.BigEndian.Uint64(sixteen[:])), true
}

// Seat is the place of one connection or request among those that are counted; the zero value is none. It is kept by
// value, and released once.
type Seat struct {
	of      *tally       // nil for none
	account *limit.Entry // of the address; nil for none
	key     addressKey
}

// tally counts places of one kind.
type tally struct {
	gate  *Gate
	taken atomic.Int64
}

// taken returns how many places are taken.
func (g *Gate) taken() int64 {
	return g.staying.taken.Load() + g.carried.taken.Load() + g.asking.taken.Load()
}

// seat takes a place for a request from an address, or says why there is none.
func (g *Gate) seat(address netip.Addr, kind Kind, l *Limits) (Seat, *Refusal) {
	s := Seat{of: &g.asking}
	switch kind {
	case Connection:
		s.of = &g.staying
	case Carried:
		s.of = &g.carried
	}
	g.metrics.Add(metrics.Connections, 1)
	s.of.taken.Add(1)
	if key, ok := keyOf(address); ok {
		account, uses := g.addresses.Hold(key)
		s.account, s.key = account, key
		if refusal := g.mayEnter(account, uses, kind, &l.Address); refusal != nil {
			s.Release(0)
			return Seat{}, refusal
		}
	}
	if l.Connections > 0 && g.taken() > int64(l.Connections) {
		s.Release(0)
		return Seat{}, g.refuse(metrics.RefusedConnections, http.StatusServiceUnavailable, session.ErrPlaces())
	}
	return s, nil
}

// mayEnter checks an address's account, of which uses are connections and requests under way.
func (g *Gate) mayEnter(a *limit.Entry, uses int, kind Kind, l *AddressLimits) *Refusal {
	now := g.clock()
	if wait := a.Blocked(now, session.Offences()); wait > 0 {
		return g.limited(metrics.RefusedBlockedAddress, wait, "blocked for some time")
	}
	switch kind {
	case keyed:
	case Connection, Carried:
		if wait := a.Connects.Take(now, 1, l.Connects); wait > 0 {
			return g.limited(metrics.RefusedAddressConnects, wait, "too many new connections")
		}
	default:
		if wait := a.Messages.Take(now, 1, l.Requests); wait > 0 {
			return g.limited(metrics.RefusedAddressRequests, wait, "too many requests")
		}
	}
	if l.Connections > 0 && uses > l.Connections {
		return g.refuse(metrics.RefusedAddressConnections, http.StatusTooManyRequests, session.ErrPlaces())
	}
	return nil
}

// Failed counts attempts to authenticate on the connection that failed. It is called before Release.
func (s *Seat) Failed(attempts int) {
	if s.account == nil {
		return
	}
	now, l := s.of.gate.clock(), s.of.gate.policy.Load().limits.Address.Failures
	for range attempts { // each by itself: as many as there is room for
		s.account.Volume.Take(now, 1, l)
	}
}

// mayTry refuses whoever has presented too many bad tokens: they are the volume of an address's account.
func (s *Seat) mayTry(l *AddressLimits) *Refusal {
	if s.account == nil {
		return nil
	}
	if wait := s.account.Volume.Wait(s.of.gate.clock(), 1, l.Failures); wait > 0 {
		return s.of.gate.limited(metrics.RefusedAddressFailures, wait, "too many attempts to authenticate")
	}
	return nil
}

// Release gives the place up. code is what counts against the connection's address: session.Ended.Blame of how it
// ended, 0 for nothing.
func (s *Seat) Release(code protocol.CloseCode) {
	if s.of == nil {
		return
	}
	g := s.of.gate
	if code == protocol.CloseUnauthorized {
		s.Failed(1)
	}
	s.of.taken.Add(-1)
	s.of = nil
	g.metrics.Add(metrics.Connections, -1)
	if s.account == nil {
		return
	}
	now := g.clock()
	if code == protocol.CloseRateLimited && s.account.Offend(now, session.Offences(), g.policy.Load().limits.Address.Block) {
		g.metrics.Add(metrics.BlockedAddresses, 1)
	}
	g.addresses.Release(s.key, s.account, now)
	s.account = nil
}

// limited returns the refusal of a limit that there is room in after some time.
func (g *Gate) limited(id metrics.ID, wait time.Duration, message string) *Refusal {
	return g.refuse(id, http.StatusTooManyRequests, &protocol.Error{
		Code: protocol.CodeRateLimited, Message: message, RetryAfter: wait.Round(time.Millisecond).Seconds(),
	})
}

// refuse counts and returns a refusal.
func (g *Gate) refuse(id metrics.ID, status int, err *protocol.Error) *Refusal {
	g.metrics.Add(id, 1)
	return &Refusal{Status: status, Err: err}
}
