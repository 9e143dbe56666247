package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/limit"
)

// ledger adds up what users spend on several nodes, as an engine does.
type ledger struct {
	mu          sync.Mutex
	began       time.Time
	back        map[string]*[engine.Expenses]time.Time
	connections map[string]map[*account]int // by user and node
	away        bool
	calls       int
}

// goes has the ledger not answer, or answer again.
func (l *ledger) goes(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// settled returns how often it was asked.
func (l *ledger) settled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// account is a ledger as one node has it.
type account struct{ *ledger }

func (a *account) Settle(_ context.Context, spent []engine.Spending) ([]engine.Standing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.away {
		return nil, engine.ErrUnavailable
	}
	now := time.Now()
	standings := make([]engine.Standing, len(spent))
	for i, s := range spent {
		back := a.back[s.User]
		if back == nil {
			back = new([engine.Expenses]time.Time)
			a.back[s.User], a.connections[s.User] = back, make(map[*account]int)
		}
		for kind, cost := range s.Costs {
			if back[kind].Before(now) {
				back[kind] = now
			}
			back[kind] = back[kind].Add(cost)
			standings[i].Outstanding[kind] = back[kind].Sub(now)
		}
		a.connections[s.User][a] = s.Connections
		for node, n := range a.connections[s.User] {
			if node != a {
				standings[i].Elsewhere += n
			}
		}
	}
	return standings, nil
}

// together returns nodes that share limits.
func together(t *testing.T, count int, l UserLimits) (*ledger, []*Node) {
	t.Helper()
	l.Shared = true
	book := &ledger{began: time.Now(), back: make(map[string]*[engine.Expenses]time.Time), connections: make(map[string]map[*account]int)}
	var nodes []*Node
	for range count {
		n := newNode(t, Options{Limits: Limits{User: l}, Tokens: fakeTokens{"a": {User: "alice"}, "b": {User: "bob"}}, Accounts: &account{book}})
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Stop(context.Background()) })
		nodes = append(nodes, n)
	}
	return book, nodes
}

// publishes publishes until it is refused, and returns how often it was not.
func (p *peer) publishes(most int) (n int) {
	for n < most && !strings.Contains(strings.Join(p.send(`{"type":"publish","room":"r","data":1,"id":1}`), ""), "rate_limited") {
		n++
	}
	return n
}

func TestAUserSpendsTogetherOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := limit.Rate{PerSecond: 10, Burst: 80}
		book, nodes := together(t, 2, UserLimits{Messages: rate})
		a, b := connect(t, nodes[0], Credentials{Token: "a"}), connect(t, nodes[1], Credentials{Token: "a"})
		other := connect(t, nodes[1], Credentials{Token: "b"})
		if n := a.publishes(1000); n != 80 {
			t.Fatalf("%d through the first node", n)
		}
		time.Sleep(time.Second)
		// The second node has not asked yet: an eighth passes, and then what has come back meanwhile.
		if n := b.publishes(10); n != 10 {
			t.Fatalf("%d through the second node at first", n)
		}
		time.Sleep(time.Second)
		if n := b.publishes(1000); n > 10 {
			t.Fatalf("%d more through the second node, a second later", n)
		}
		if n := other.publishes(50); n != 50 {
			t.Fatalf("%d of somebody else", n)
		}
		// In the long run both together have the rate of one.
		total := 0
		for range 100 {
			time.Sleep(time.Second)
			total += a.publishes(1000) + b.publishes(1000)
		}
		if total < 950 || total > 1100 {
			t.Errorf("%d in 100 seconds, at 10 a second", total)
		}
		// While the engine does not answer each node goes on by itself.
		book.goes(true)
		time.Sleep(time.Minute)
		if n := a.publishes(1000) + b.publishes(1000); n != 160 {
			t.Errorf("%d without the engine", n)
		}
		book.goes(false)
		time.Sleep(time.Minute)
		calls := book.settled()
		for range 100 { // who does little costs little
			time.Sleep(time.Second)
			a.publishes(1)
		}
		if calls = book.settled() - calls; calls > 10 {
			t.Errorf("settled %d times for 100 messages", calls)
		}
	})
}

func TestConnectionsAreCountedOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := together(t, 2, UserLimits{Connections: 16})
		var peers []*peer
		for range 12 {
			peers = append(peers, connect(t, nodes[0], Credentials{Token: "a"}))
		}
		time.Sleep(time.Second)
		for range 4 {
			connect(t, nodes[1], Credentials{Token: "a"})
			time.Sleep(time.Second)
		}
		if err := nodes[1].MayConnect("alice"); !errors.Is(err, ErrPlaces()) {
			t.Fatalf("a 17th connection: %v", err)
		}
		for _, p := range peers {
			p.session.Close(Ended{})
		}
		time.Sleep(time.Second)
		_ = nodes[1].MayConnect("alice") // whoever is refused has what is known of other nodes asked for
		time.Sleep(time.Second)
		if err := nodes[1].MayConnect("alice"); err != nil {
			t.Fatalf("when the others have gone: %v", err)
		}
	})
}

// forgetful is an engine that does not answer; meanwhile something else happens.
type forgetful struct{ meanwhile func() }

func (f forgetful) Settle(context.Context, []engine.Spending) ([]engine.Standing, error) {
	f.meanwhile()
	return nil, engine.ErrUnavailable
}

// An account that was forgotten while the engine was asked does not take the place of the user's next one, which would
// not be settled ever after.
func TestAFailedSettlementDoesNotReplaceTheNextAccount(t *testing.T) {
	before, after, bob := new(limit.Entry), new(limit.Entry), new(limit.Entry)
	n := newNode(t, Options{})
	n.Accounts = forgetful{func() { n.sharing.add("alice", after) }}
	n.sharing.add("alice", before)
	n.sharing.add("bob", bob)
	if err := n.settle(n.sharing.take()); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatal(err)
	}
	due := n.sharing.take()
	if due["alice"] != after {
		t.Error("the account that was forgotten is to be settled, and not the one that is used")
	}
	if due["bob"] != bob {
		t.Error("an account that could not be settled is not tried again")
	}
}

// A user who has a few connections and spends little asks the engine nothing, however the user comes and goes.
func TestWhatIsLittleIsNotSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		much := limit.Rate{PerSecond: 1000, Burst: 10_000}
		book, nodes := together(t, 1, UserLimits{Connections: 16, Connects: much, Messages: much, Bytes: much})
		few := func() (all []*peer) {
			for range 2 {
				all = append(all, connect(t, nodes[0], Credentials{Token: "a"}))
			}
			return all
		}
		for range 3 {
			for _, p := range few() {
				p.session.Close(Ended{})
			}
			time.Sleep(time.Minute)
		}
		if n := book.settled(); n != 0 {
			t.Errorf("the engine was asked %d times for a user with two connections", n)
		}
		all := append(few(), connect(t, nodes[0], Credentials{Token: "a"}))
		time.Sleep(time.Second)
		if n := book.settled(); n != 1 {
			t.Errorf("the engine was asked %d times for a third", n)
		}
		for _, p := range all {
			p.session.Close(Ended{})
		}
		time.Sleep(time.Second)
		book.mu.Lock()
		defer book.mu.Unlock()
		for _, n := range book.connections["alice"] {
			if n != 0 {
				t.Errorf("the engine knows of %d connections of a user who has left", n)
			}
		}
	})
}
