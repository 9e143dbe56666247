// Package gate is what an HTTP request must pass before it becomes a session, on every transport the same: where it
// comes from, which page sent it, whether there is room, and who asks.
package gate

import (
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/limit"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Connect is asked before a request becomes a session; it may refuse, and may change who the client is. identity is
// nil for a client that has to authenticate yet.
type Connect func(r *http.Request, identity *auth.Identity) (*auth.Identity, *protocol.Error)

// Options are the settings of a Gate.
type Options struct {
	Node    *session.Node // required
	Logger  *slog.Logger  // required
	Metrics *metrics.Set  // nil counts nothing
	Connect Connect       // nil is no hook
	Policy  *Policy       // required
	Vault   Vault         // keeps tickets for every node; nil: they are good on this one
}

// Gate lets requests in. Its methods may be called at once.
type Gate struct {
	node    *session.Node
	logger  *slog.Logger
	metrics *metrics.Set
	connect Connect
	policy  atomic.Pointer[Policy]
	birth   time.Time
	seed    maphash.Seed

	tickets   tickets
	vault     Vault
	callers   callers
	staying   tally // connections that stay, and have left net/http
	carried   tally // those that requests carry
	asking    tally // requests under way
	addresses limit.Table[addressKey]
	warned    sync.Once // of a proxy that is not trusted
}

// New returns a gate.
func New(o Options) *Gate {
	g := &Gate{node: o.Node, logger: o.Logger, metrics: o.Metrics, connect: o.Connect, vault: o.Vault, birth: time.Now(), seed: maphash.MakeSeed(), callers: newCallers()}
	g.addresses.Idle = maxIdleAddresses
	g.staying.gate, g.carried.gate, g.asking.gate = g, g, g
	g.policy.Store(o.Policy)
	return g
}

// Reload replaces the policy, for the requests that come from now on.
func (g *Gate) Reload(p *Policy) { g.policy.Store(p) }

// clock returns nanoseconds that do not follow the wall clock when that is set.
func (g *Gate) clock() int64 { return int64(time.Since(g.birth)) }

// Kind says how long what a request becomes will stay.
type Kind uint8

// The kinds.
const (
	// Connection is a request for a connection that stays: an upgrade, a stream.
	Connection Kind = iota
	// Carried is a request for a connection that stays, and that further requests carry.
	Carried
	// Poll is a request that waits for an answer, and is followed by the next one.
	Poll
	// Request is a request that is answered at once.
	Request
	// keyed is one of a program with a key, which may send as many as it likes.
	keyed
)

// Pass is what a request was let in with.
type Pass struct {
	// Identity is who asks; nil if that has to be said on the connection.
	Identity *auth.Identity
	// Token is a fresh one for an anonymous user, for Session.Open.
	Token string
	// Address is the client's, behind proxies that are trusted; not valid for a client that has none, such as one on a
	// Unix socket.
	Address netip.Addr
	// Secure tells that what the client sends is encrypted, if only as far as a trusted proxy.
	Secure bool
	// Exposed tells that no token is taken from this client, because others could read it on its way.
	Exposed bool
	// Presented stands for the token or the ticket that the request presented; 0 for none. It is the same for the same
	// one, on this node, and says nothing of it.
	Presented uint64
	// Seat is to be kept as long as the connection or request is there, and then released.
	Seat Seat
}

// Admit lets a request in, or says why not; one of the two results is nil. The caller releases Pass.Seat when what
// became of the request is over. Whatever the transport itself demands of a request, it checks before.
func (g *Gate) Admit(r *http.Request, kind Kind) (*Pass, *Refusal) {
	p := g.policy.Load()
	from := p.proxies.client(r)
	if from.unheard {
		g.warned.Do(func() {
			g.logger.Warn("a request names its client, but the proxy that sent it is not trusted: limits hold for the proxy",
				"proxy", from.address)
		})
	}
	seat, refusal := g.seat(from.address, kind, &p.limits)
	if refusal != nil {
		return nil, refusal
	}
	pass := &Pass{Address: from.address, Secure: from.secure, Exposed: p.secureTokens && from.exposed(), Seat: seat}
	examined := false
	defer func() {
		if !examined { // an application's code has panicked
			pass.Seat.Release(0)
		}
	}()
	refusal = g.examine(r, kind, from, pass)
	examined = true
	if refusal != nil {
		pass.Seat.Release(refusal.blame())
		return nil, refusal
	}
	return pass, nil
}

// examine fills pass with who sends a request, or says why that may not be.
func (g *Gate) examine(r *http.Request, kind Kind, from source, pass *Pass) *Refusal {
	p := g.policy.Load()
	if !p.origins.allow(r, from) {
		return g.refuseOrigin()
	}
	presented := g.credentials(r, p)
	pass.Presented = g.mark(presented)
	given := presented.Token != "" || presented.ticket != ""
	late := r.Header.Get("Origin") != ""
	if given && pass.Exposed {
		refusal := g.refuse(metrics.RefusedHandshake, http.StatusForbidden, session.ErrExposed)
		refusal.Late = late
		return refusal
	}
	if given {
		if refusal := pass.Seat.mayTry(&p.limits.Address); refusal != nil {
			return refusal
		}
	}
	var failure *protocol.Error
	if pass.Identity, pass.Token, failure = g.identify(r, presented); failure != nil {
		refusal := g.refuse(metrics.RefusedHandshake, session.Status(failure), failure)
		refusal.Late = late
		return refusal
	}
	switch {
	case kind != Connection && kind != Carried:
		return nil // a poll may be of a session that has its place already; where it is not, the session asks
	case pass.Identity == nil:
		return pass.Seat.mayTry(&p.limits.Address) // nothing but a token can follow
	}
	if failure := g.node.MayConnect(pass.Identity.User); failure != nil {
		return &Refusal{Status: session.Status(failure), Err: failure, Late: late}
	}
	return nil
}

// Follow lets in a request of a connection that was let in before and that is known by a secret of its own, or says that
// there are too many. Of Pass it sets Address, Presented and Seat. Where the request comes from is checked by CORS; who
// asks was found out when the connection began, and one that presents something else now is somebody else's.
func (g *Gate) Follow(r *http.Request) (*Pass, *Refusal) {
	p := g.policy.Load()
	from := p.proxies.client(r)
	seat, refusal := g.seat(from.address, Poll, &p.limits)
	if refusal != nil {
		return nil, refusal
	}
	return &Pass{Address: from.address, Presented: g.mark(g.credentials(r, p)), Seat: seat}, nil
}

// mark returns what stands for credentials.
func (g *Gate) mark(c credentials) uint64 {
	if c.Token == "" && c.ticket == "" {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(g.seed)
	_, _ = h.WriteString(c.Token + "\x00" + c.ticket) // never fails
	return max(h.Sum64(), 1)
}

// refuseOrigin counts and returns the refusal of a page that may not send requests.
func (g *Gate) refuseOrigin() *Refusal {
	return g.refuse(metrics.RefusedOrigin, http.StatusForbidden, &protocol.Error{
		Code: protocol.CodeForbidden, Message: "this origin may not connect",
	})
}

// Refusal is why a request was not let in.
type Refusal struct {
	Status int // of the HTTP answer
	Err    *protocol.Error
	// Late tells that the request is a browser's, which cannot see the status of an upgrade (it reports 1006): a
	// transport that upgrades does so and then closes with CloseCode.
	Late bool
}

// ServeHTTP answers with the refusal's status.
func (f *Refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if f.Err.RetryAfter > 0 {
		w.Header().Set("Retry-After", retryAfter(f.Err.RetryAfter))
	}
	http.Error(w, f.Err.Message, f.Status)
}

// blame is what counts against the address that is refused: a token that was made up, not one that has expired.
func (f *Refusal) blame() protocol.CloseCode {
	if f.Err.Code == protocol.CodeUnauthorized {
		return protocol.CloseUnauthorized
	}
	return 0
}

// Reason is what stands in the close frame of a connection that is refused late.
func (f *Refusal) Reason() string { return session.CloseReason(f.Err) }

// Retry is after how long the client may come back; 0 if there is nothing to wait for.
func (f *Refusal) Retry() time.Duration {
	return time.Duration(f.Err.RetryAfter * float64(time.Second))
}

// CloseCode is the code that tells a browser of the refusal.
func (f *Refusal) CloseCode() protocol.CloseCode {
	switch f.Err.Code {
	case protocol.CodeUnauthorized, protocol.CodeTokenExpired, protocol.CodeUserMismatch:
		return protocol.CloseUnauthorized
	case protocol.CodeForbidden:
		return protocol.CloseForbidden
	case protocol.CodeRateLimited:
		return protocol.CloseRateLimited
	case protocol.CodeEngineUnavailable:
		return protocol.CloseEngineUnavailable
	case protocol.CodeDraining:
		return protocol.CloseDraining
	}
	if f.Err.Code.Retryable() {
		return protocol.CloseInternal
	}
	return protocol.CloseBadRequest
}
