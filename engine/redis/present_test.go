package redis_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// neighbour is a node that hears of others.
type neighbour struct {
	*node
	gone      []string
	forgotten int
}

func (n *neighbour) Seen(string, string, uint64, []engine.Sighting) {}
func (n *neighbour) Recorded(engine.Record)                         {}

func (n *neighbour) NodeLeft(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = append(n.gone, node)
	n.changed.Broadcast()
}

func (n *neighbour) Forgotten() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgotten++
	n.changed.Broadcast()
}

func newNeighbour(t *testing.T, server *redistest.Server, change ...func(*redis.Engine)) *neighbour {
	t.Helper()
	n := &neighbour{}
	n.node = makeNode(t, redis.Options{URL: server.URL()})
	for _, f := range change {
		f(n.Engine)
	}
	n.open(n)
	return n
}

func present(user string) []engine.Sighting {
	return []engine.Sighting{{Member: protocol.Member{User: user}}}
}

// timeToLive returns how long a server still keeps a key.
func timeToLive(server *redistest.Server, key string) time.Duration {
	n, _ := strconv.Atoi(strings.Trim(server.Must("PTTL", key), ":\r\n"))
	return time.Duration(n) * time.Millisecond
}

// Whoever sits in a quiet room for days is still there.
func TestWhatWasSaidOfAQuietRoomIsKept(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	quiet := newNeighbour(t, server, func(e *redis.Engine) { e.KeepPresentEvery(10 * time.Millisecond) })
	if _, err := quiet.SetPresent(t.Context(), "room", present("alice"), false); err != nil {
		t.Fatal(err)
	}
	key := "wireroom:{room}:present"
	for _, key := range []string{key, key + ":" + quiet.Node()} {
		server.Must("PEXPIRE", key, "60000")
		n := 0
		for deadline := time.Now().Add(patience); timeToLive(server, key) < time.Hour; n++ {
			if time.Now().After(deadline) {
				t.Fatalf("%s is kept for %v", key, timeToLive(server, key))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	// What is lost all the same is said again.
	server.Must("DEL", key+":"+quiet.Node())
	quiet.await("it is to be said again", func() bool { return quiet.forgotten > 0 })
	// Of a room that everybody has left nothing is kept.
	left := present("alice")
	left[0].Left = true
	if _, err := quiet.SetPresent(t.Context(), "room", left, false); err != nil {
		t.Fatal(err)
	}
	server.Must("PEXPIRE", key, "60000")
	time.Sleep(50 * time.Millisecond)
	if got := timeToLive(server, key); got > time.Minute {
		t.Errorf("an empty room is kept for %v", got)
	}
}

// A node that looks at the leases when the server has forgotten all of them, its own too, takes nobody for dead.
func TestAServerThatForgetsLeasesKillsNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := newNeighbour(t, server), newNeighbour(t, server)
	var w redis.Watch
	if err := a.LookAtLeases(t.Context(), &w); err != nil { // it renews its own
		t.Fatal(err)
	}
	if !a.Lives(b.Node()) {
		t.Fatal("the other node is not known")
	}
	w.RenewedNow()
	server.Must("DEL", "wireroom:{$nodes}")
	for range 2 { // the second renews, in any case
		if err := a.LookAtLeases(t.Context(), &w); err != nil {
			t.Fatal(err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.gone) > 0 {
		t.Fatalf("%v are taken for dead", a.gone)
	}
	if a.forgotten == 0 {
		t.Error("what this node had said is not said again")
	}
	if rest := time.Until(w.Patience()); rest < redis.AfterAbsence-patience/3 {
		t.Errorf("the others have %v to be heard of again", rest)
	}
}

// A node is given up with its lease and no sooner, and not before all have had the time to be heard of again; the leases are
// looked at when the first of them may end.
func TestNodesAreGivenUpWithTheirLeases(t *testing.T) {
	t.Parallel()
	n := newNeighbour(t, redistest.Start(t))
	leases := n.NewLeases(n)
	now := time.Now()
	var w redis.Watch
	w.RenewedNow()
	look := func(after time.Duration, ends map[string]time.Duration, gone int) time.Duration {
		t.Helper()
		wait := leases.Next(now.Add(after), &w, ends)
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.gone) != gone {
			t.Fatalf("after %v %v are given up, want %d", after, n.gone, gone)
		}
		return wait
	}
	if wait := look(0, map[string]time.Duration{"one": 700 * time.Millisecond, "two": 12 * time.Second}, 0); wait != 700*time.Millisecond {
		t.Errorf("looks again after %v, when a lease ends in 700 ms", wait)
	}
	if wait := look(0, map[string]time.Duration{"one": 0, "two": 12 * time.Second}, 0); wait <= 0 || wait > 100*time.Millisecond {
		t.Errorf("looks again after %v, when a lease has just ended", wait)
	}
	look(time.Second, map[string]time.Duration{"two": 11 * time.Second}, 1)
	if leases.Lives("one") || !leases.Lives("two") {
		t.Errorf("one lives: %t, two: %t", leases.Lives("one"), leases.Lives("two"))
	}
	// Now this node's own lease has ended before its time.
	w.WaitUntil(now.Add(redis.AfterAbsence))
	look(redis.AfterAbsence-time.Millisecond, nil, 1)
	if !leases.Lives("two") {
		t.Error("a node is given up that had no time to be heard of")
	}
	look(redis.AfterAbsence+time.Millisecond, nil, 2)
}

// Users of a node that is back are not forgotten by others who had taken it for dead.
func TestUsersOfALivingNodeAreNotForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := newNeighbour(t, server), newNeighbour(t, server)
	ctx := t.Context()
	if all, here, err := a.CountUsers(ctx, []string{"alice", "bob"}, nil, true); err != nil || all != 2 || here != 2 {
		t.Fatalf("%d, %d, %v", all, here, err)
	}
	if err := b.ForgetUsersOf(ctx, a.Node()); err != nil {
		t.Fatal(err)
	}
	if all, here, err := a.CountUsers(ctx, nil, nil, false); err != nil || all != 2 || here != 2 {
		t.Fatalf("afterwards %d, %d, %v", all, here, err)
	}
	// Without a lease it does not count; others may be forgetting its users.
	server.Must("ZREM", "wireroom:{$nodes}", a.Node())
	if _, _, err := a.CountUsers(ctx, []string{"carol"}, nil, false); !errors.Is(err, engine.ErrUnavailable) {
		t.Fatalf("without a lease: %v", err)
	}
	if err := b.ForgetUsersOf(ctx, a.Node()); err != nil {
		t.Fatal(err)
	}
	if all, _, err := b.CountUsers(ctx, nil, nil, false); err != nil || all != 0 {
		t.Fatalf("of a dead node: %d, %v", all, err)
	}
}

func TestPrefixesWithBracesAreRefused(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"{app}:", "app{", "{}:"} {
		e := redis.New(redis.Options{URL: "redis://127.0.0.1:1", Prefix: prefix})
		if err := e.Open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("%s: %v", prefix, err)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
