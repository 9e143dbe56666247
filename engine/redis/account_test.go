package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// settles settles one user's account.
func (n *neighbour) settles(user string, cost time.Duration, connections int) engine.Standing {
	n.t.Helper()
	s := engine.Spending{User: user, Connections: connections}
	s.Costs[engine.ExpenseMessages], s.Most[engine.ExpenseMessages] = cost, time.Hour
	standings, err := n.Settle(n.t.Context(), []engine.Spending{s})
	if err != nil {
		n.t.Fatal(err)
	}
	return standings[0]
}

func TestAccountsAreSettledOnAllNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := newNeighbour(t, server), newNeighbour(t, server)
	for _, n := range []*neighbour{a, b} { // they know each other
		if err := n.LookAtLeases(t.Context(), new(redis.Watch)); err != nil {
			t.Fatal(err)
		}
	}
	a.settles("alice", 10*time.Minute, 3)
	server.Must("SCRIPT", "FLUSH")
	standing := b.settles("alice", 20*time.Minute, 5)
	if got := standing.Outstanding[engine.ExpenseMessages]; got > 30*time.Minute || got < 29*time.Minute || standing.Elsewhere != 3 {
		t.Fatalf("after 10 and 20 minutes, and with 3 connections elsewhere: %+v", standing)
	}
	if standing.Outstanding[engine.ExpenseBytes] != 0 {
		t.Errorf("bytes were spent: %+v", standing)
	}
	if got := a.settles("alice", 2*time.Hour, 3).Outstanding[engine.ExpenseMessages]; got > time.Hour || got < 59*time.Minute {
		t.Errorf("%v are outstanding, of an hour at the most", got)
	}
	if got := b.settles("bob", time.Minute, 0); got.Elsewhere != 0 || got.Outstanding[engine.ExpenseMessages] > time.Minute {
		t.Errorf("somebody else: %+v", got)
	}
	if left := timeToLive(server, "wireroom:account:{bob}"); left <= 0 || left > 10*time.Minute {
		t.Errorf("an account without connections is kept for %v", left)
	}
	// What a node has said that does not live does not count.
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Must("ZREM", "wireroom:{$nodes}", a.Node())
	c := newNeighbour(t, server)
	if err := c.LookAtLeases(t.Context(), new(redis.Watch)); err != nil {
		t.Fatal(err)
	}
	if got := c.settles("alice", 0, 0).Elsewhere; got != 5 {
		t.Errorf("%d connections elsewhere, of 5 to a node that lives", got)
	}
}

func TestManyAccountsAreSettledAtOnce(t *testing.T) {
	t.Parallel()
	n := newNode(t, redis.Options{URL: redistest.Cluster(t, 3)[0].URL()})
	spent := make([]engine.Spending, engine.MaxSettled)
	for i := range spent {
		spent[i] = engine.Spending{User: fmt.Sprint("user {", i, "}"), Connections: i}
		spent[i].Costs[engine.ExpenseBytes], spent[i].Most[engine.ExpenseBytes] = time.Duration(i)*time.Minute, 24*365*time.Hour
	}
	standings, err := n.Settle(t.Context(), spent)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range standings {
		want := spent[i].Costs[engine.ExpenseBytes]
		if got := s.Outstanding[engine.ExpenseBytes]; got > want || got < want-time.Minute {
			t.Fatalf("user %d: %v, want %v", i, got, want)
		}
	}
}
