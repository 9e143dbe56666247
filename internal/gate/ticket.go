package gate

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of tickets.
const (
	ticketLifetime = 30 * time.Second
	maxTickets     = 10_000 // of a node
	maxUserTickets = 16     // of a user
)

// tickets are what stands for a token once, where a token must not stand: in a URL. They are of this node, and of
// this process.
type tickets struct {
	mu     sync.Mutex
	all    map[string]ticket
	byUser map[string]int
	oldest []string // names, the oldest first; those that were used are passed over
}

// ticket is whom a ticket is for.
type ticket struct {
	identity *auth.Identity
	expires  time.Time
}

// issue returns a new ticket, or "" if there are too many.
func (t *tickets) issue(identity *auth.Identity, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	if len(t.oldest) >= 2*maxTickets || len(t.all) >= maxTickets || t.byUser[identity.User] >= maxUserTickets {
		return ""
	}
	if t.all == nil {
		t.all, t.byUser = make(map[string]ticket), make(map[string]int)
	}
	name := rand.Text()
	t.all[name] = ticket{identity, now.Add(ticketLifetime)}
	t.byUser[identity.User]++
	t.oldest = append(t.oldest, name)
	return name
}

// take returns whom a ticket is for, and makes it void; nil for one that is unknown, used or too old.
func (t *tickets) take(name string, now time.Time) *auth.Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	found, ok := t.all[name]
	if !ok {
		return nil
	}
	t.remove(name, found)
	return found.identity
}

// expire forgets the tickets that are too old.
func (t *tickets) expire(now time.Time) {
	for len(t.oldest) > 0 {
		name := t.oldest[0]
		found, ok := t.all[name]
		if ok && now.Before(found.expires) {
			return
		}
		if ok {
			t.remove(name, found)
		}
		t.oldest = t.oldest[1:]
	}
}

func (t *tickets) remove(name string, found ticket) {
	delete(t.all, name)
	if t.byUser[found.identity.User]--; t.byUser[found.identity.User] <= 0 {
		delete(t.byUser, found.identity.User)
	}
}

// ServeTicket answers a request for a ticket: POST, with a token in any way but a ticket.
func (g *Gate) ServeTicket(w http.ResponseWriter, r *http.Request) {
	if g.CORS(w, r) {
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
	name := g.tickets.issue(pass.Identity, time.Now())
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
