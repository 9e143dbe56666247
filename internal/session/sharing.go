package session

import (
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/limit"
)

// What users may do together on all nodes is added up by the engine. Nobody waits for it: each node takes from what it
// knows, tells the engine of what has become much, and takes off what the engine knows of the others. While the engine does
// not answer, each node bounds what its own users do, as without it.
const (
	settleEvery = 250 * time.Millisecond
	settlePart  = 8           // the part of what a user may do at once that one node lets pass before it tells
	settledFor  = time.Minute // that what is known of connections to other nodes holds
	maxDue      = 1 << 16     // users that wait for an engine that does not answer
)

// sharing is the users whose accounts are to be settled.
type sharing struct {
	mu  sync.Mutex
	due map[string]*limit.Entry
}

// add has a user's account settled.
func (h *sharing) add(user string, account *limit.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(user, account)
}

// again has a user's account settled that could not be, unless there is something newer to settle of the user: an account
// that was forgotten meanwhile does not take the place of the one that followed it.
func (h *sharing) again(user string, account *limit.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.due[user] == nil {
		h.put(user, account)
	}
}

// put is add. The sharing is locked.
func (h *sharing) put(user string, account *limit.Entry) {
	if len(h.due) >= maxDue || !account.Tab().Due() {
		return
	}
	if h.due == nil {
		h.due = make(map[string]*limit.Entry)
	}
	h.due[user] = account
}

// take returns users whose accounts are to be settled, at most engine.MaxSettled.
func (h *sharing) take() map[string]*limit.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.due) <= engine.MaxSettled {
		all := h.due
		h.due = nil
		return all
	}
	some := make(map[string]*limit.Entry, engine.MaxSettled)
	for user, account := range h.due {
		if some[user] = account; len(some) == engine.MaxSettled {
			break
		}
	}
	for user := range some {
		delete(h.due, user)
	}
	return some
}

// shared reports whether what users may do is added up.
func (n *Node) shared(l *UserLimits) bool { return l.Shared && n.Accounts != nil }

// spend notes what a user has spent on this node.
func (n *Node) spend(user string, account *limit.Entry, kind engine.Expense, count int, l *UserLimits) {
	if n.shared(l) && account.Tab().Spend(int(kind), count, l.rate(kind), settlePart) {
		n.sharing.add(user, account)
	}
}

// spend notes what the session's user has spent on this node. What comes is charged while the session may become another
// user's.
func (s *Session) spend(account *limit.Entry, kind engine.Expense, count int, l *UserLimits) {
	if !s.node.shared(l) {
		return
	}
	s.mu.Lock()
	user, same := s.client.User, s.account.Load() == account
	s.mu.Unlock()
	if same {
		s.node.spend(user, account, kind, count, l)
	}
}

// rate returns the rate at which a user may spend.
func (l *UserLimits) rate(kind engine.Expense) limit.Rate {
	switch kind {
	case engine.ExpenseConnects:
		return l.Connects
	case engine.ExpenseMessages:
		return l.Messages
	default:
		return l.Bytes
	}
}

// moved notes that a user has so many connections to this node now. The engine is told where they are many, or where it was
// told before.
func (n *Node) moved(user string, account *limit.Entry, uses int, l *UserLimits) {
	if !n.shared(l) || l.Connections <= 0 {
		return
	}
	if tab := account.Opened(); uses > l.Connections/settlePart || tab != nil && tab.Known() {
		n.sharing.add(user, account)
	}
}

// elsewhere returns how many connections a user is known to have to other nodes.
func (n *Node) elsewhere(a *limit.Account, now int64, l *UserLimits) int {
	if tab := a.Opened(); tab != nil && n.shared(l) {
		return tab.Elsewhere(now, settledFor)
	}
	return 0
}

// settleLoop settles accounts, until the node is stopped.
func (n *Node) settleLoop() {
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		err := n.settle(n.sharing.take())
		if (err != nil) != failing && n.ctx.Err() == nil {
			if failing = err != nil; failing {
				n.Logger.Warn("users are bounded on each node by itself: the engine does not answer", "error", err)
			} else {
				n.Logger.Info("users are bounded on all nodes together again")
			}
		}
	}
}

// settle settles accounts.
func (n *Node) settle(due map[string]*limit.Entry) error {
	if len(due) == 0 {
		return nil
	}
	limits := &n.limits.Load().User
	spent := make([]engine.Spending, 0, len(due))
	for user, account := range due {
		spent = append(spent, n.spending(user, account, limits))
	}
	standings, err := n.Accounts.Settle(n.ctx, spent)
	if err != nil {
		for user, account := range due { // what the engine was told before may be less by now
			n.sharing.again(user, account)
		}
		return err
	}
	for i := range standings {
		now, account := n.clock(), due[spent[i].User]
		account.Tab().Heard(now, standings[i].Elsewhere)
		for kind, bucket := range []*limit.Bucket{&account.Connects, &account.Messages, &account.Volume} {
			bucket.Raise(now, standings[i].Outstanding[kind])
		}
	}
	return nil
}

// spending returns what the engine is to be told of a user.
func (n *Node) spending(user string, account *limit.Entry, l *UserLimits) engine.Spending {
	s := engine.Spending{User: user}
	tab := account.Tab()
	tab.Settled()
	for kind := range s.Costs {
		s.Costs[kind], s.Most[kind] = tab.Take(kind, l.rate(engine.Expense(kind)))
	}
	n.users.Peek(user, func(_ *limit.Account, uses int) { s.Connections = uses })
	return s
}
