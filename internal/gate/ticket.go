package gate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/secret"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of tickets.
const (
	ticketLifetime = 30 * time.Second
	maxTickets     = 10_000 // of a node
	maxUserTickets = 16     // of a user
	maxFromTickets = 500    // of an address: anonymous users are as many as one likes to be
)

// Vault keeps values for every node, until one takes them.
type Vault interface {
	Keep(ctx context.Context, name, value string, life time.Duration) error
	Take(ctx context.Context, name string) (string, error)
}

// vaultTicket is in front of what stands for a ticket in a Vault.
const vaultTicket = "ticket/"

// tickets are what stands for a token once, where a token must not stand: in a URL. They are of this node, and of this
// process; with a Vault, which says whose they are, they are counted here.
type tickets struct {
	mu     sync.Mutex
	all    map[secret.Mark]ticket
	byUser map[string]int
	from   map[addressKey]int
	oldest []secret.Mark // the oldest first; those that were used are passed over
}

// ticket is whom a ticket is for.
type ticket struct {
	identity *auth.Identity
	expires  time.Time
	from     addressKey // of who asked for it; 0 for none that is counted
}

// issue returns a new ticket, or "" if there are too many: of the user, from the address that asks for it, or in all.
func (t *tickets) issue(identity *auth.Identity, from addressKey, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	switch {
	case len(t.oldest) >= 2*maxTickets, len(t.all) >= maxTickets:
		return ""
	case t.byUser[identity.User] >= maxUserTickets, t.from[from] >= maxFromTickets:
		return ""
	case t.all == nil:
		t.all, t.byUser, t.from = make(map[secret.Mark]ticket), make(map[string]int), make(map[addressKey]int)
	}
	name := rand.Text()
	mark := secret.Of(name)
	t.all[mark] = ticket{identity, now.Add(ticketLifetime), from}
	t.byUser[identity.User]++
	if from != 0 {
		t.from[from]++
	}
	t.oldest = append(t.oldest, mark)
	return name
}

// take returns whom a ticket is for, and makes it void; nil for one that is unknown, used or too old.
func (t *tickets) take(name string, now time.Time) *auth.Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	mark := secret.Of(name)
	found, ok := t.all[mark]
	if !ok {
		return nil
	}
	t.remove(mark, found)
	return found.identity
}

// expire forgets the tickets that are too old.
func (t *tickets) expire(now time.Time) {
	for len(t.oldest) > 0 {
		mark := t.oldest[0]
		found, ok := t.all[mark]
		if ok && now.Before(found.expires) {
			return
		}
		if ok {
			t.remove(mark, found)
		}
		t.oldest = t.oldest[1:]
	}
}

func (t *tickets) remove(mark secret.Mark, found ticket) {
	delete(t.all, mark)
	if t.byUser[found.identity.User]--; t.byUser[found.identity.User] <= 0 {
		delete(t.byUser, found.identity.User)
	}
	if found.from == 0 {
		return
	}
	if t.from[found.from]--; t.from[found.from] <= 0 {
		delete(t.from, found.from)
	}
}

// ticket returns a new ticket, or "" if there are too many.
func (g *Gate) ticket(ctx context.Context, identity *auth.Identity, from addressKey) (string, *protocol.Error) {
	name := g.tickets.issue(identity, from, time.Now())
	if name == "" || g.vault == nil {
		return name, nil
	}
	text, err := json.Marshal(identity)
	if err == nil {
		err = g.vault.Keep(ctx, vaultTicket+secret.Of(name).String(), string(text), ticketLifetime)
	}
	if err != nil {
		g.logger.Warn("a ticket could not be kept", "error", err)
		return "", errVault
	}
	return name, nil
}

// takeTicket returns whom a ticket is for, and makes it void; nil for one that is unknown, used or too old.
func (g *Gate) takeTicket(ctx context.Context, name string) (*auth.Identity, *protocol.Error) {
	identity := g.tickets.take(name, time.Now())
	if g.vault == nil {
		return identity, nil
	}
	text, err := g.vault.Take(ctx, vaultTicket+secret.Of(name).String())
	if err == nil && text == "" {
		return nil, nil
	}
	identity = new(auth.Identity)
	if err == nil {
		err = json.Unmarshal([]byte(text), identity)
	}
	if err != nil {
		g.logger.Warn("a ticket could not be taken", "error", err)
		return nil, errVault
	}
	return identity, nil
}

var errVault = &protocol.Error{Code: protocol.CodeEngineUnavailable, Message: "the engine cannot be reached"}

// ServeTicket answers a request for a ticket: POST, with a token in any way but a ticket.
func (g *Gate) ServeTicket(w http.ResponseWriter, r *http.Request) {
	answered, refused := g.CORS(w, r)
	if refused != nil {
		refused.ServeHTTP(w, r)
	}
	if answered || refused != nil {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		http.Error(w, "POST asks for a ticket", http.StatusMethodNotAllowed)
		return
	}
	pass, refusal := g.Admit(r, Request)
	if refusal != nil {
		refusal.ServeHTTP(w, r)
		return
	}
	defer pass.Seat.Release(0)
	if pass.Identity == nil || g.credentials(r, g.policy.Load()).Token == "" {
		(&Refusal{Status: http.StatusUnauthorized, Err: &protocol.Error{
			Code: protocol.CodeUnauthorized, Message: "a token is needed",
		}}).ServeHTTP(w, r)
		return
	}
	name, failure := g.ticket(r.Context(), pass.Identity, pass.Seat.key)
	if failure != nil {
		(&Refusal{Status: http.StatusServiceUnavailable, Err: failure}).ServeHTTP(w, r)
		return
	}
	if name == "" {
		(&Refusal{Status: http.StatusTooManyRequests, Err: &protocol.Error{
			Code: protocol.CodeRateLimited, Message: "too many tickets that were not used", RetryAfter: ticketLifetime.Seconds(),
		}}).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(struct { // whoever asked may be gone
		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"` // seconds
	}{name, int(ticketLifetime.Seconds())})
}
