//go:build unix

package redis_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// empty returns the number of a server that keeps nothing.
func empty(t *testing.T, cluster []*redistest.Server) int {
	t.Helper()
	for i, s := range cluster {
		if s.Must("DBSIZE") == ":0\r\n" {
			return i
		}
	}
	t.Fatal("every server keeps something")
	return 0
}

// asked returns how often the servers of a cluster were asked who has what.
func asked(cluster []*redistest.Server) (n int) {
	for _, s := range cluster {
		if m := regexp.MustCompile(`cmdstat_cluster\|slots:calls=(\d+)`).FindStringSubmatch(s.Must("INFO", "commandstats")); m != nil {
			calls, _ := strconv.Atoi(m[1])
			n += calls
		}
	}
	return n
}

// Rooms move with their slots: every room is fed from where it is now, the cluster is asked a few times and not once a room,
// and a link to a server that has nothing any more ends.
func TestRoomsMoveWithTheirSlots(t *testing.T) {
	t.Parallel()
	const rooms = 300
	cluster := redistest.Cluster(t, 3)
	n, other := newNode(t, redis.Options{URL: cluster[0].URL()}), newNode(t, redis.Options{URL: cluster[0].URL()})
	var waiting sync.WaitGroup
	for i := range rooms {
		waiting.Go(func() { n.subscribe(fmt.Sprint("room", i)) })
	}
	waiting.Wait()
	from := empty(t, cluster)
	first, last := redistest.Slots(from, len(cluster))
	before, interrupted, began := asked(cluster), n.interruptions(), time.Now()
	// There and back again, so that the slots are hardly ever seen to have been elsewhere; then away for good.
	var slots []int
	for i := range rooms {
		if slot := redis.SlotOf(fmt.Sprint("room", i)); first <= slot && slot <= last {
			slots = append(slots, slot)
		}
	}
	redistest.Flap(t, cluster[from], slots, cluster[(from+1)%3])
	feeds(t, n, other, rooms, 1)
	cluster[from].Must("FLUSHALL")
	redistest.Move(t, cluster, first, last, cluster[(from+1)%3])
	redistest.Await(t, cluster[from], "$0\r\n", "CLIENT", "LIST", "TYPE", "pubsub")
	for deadline := time.Now().Add(patience); len(n.Links()) != 2 || slices.Contains(n.Links(), cluster[from].Address); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("links to %v, though %s has nothing", n.Links(), cluster[from].Address)
		}
	}
	feeds(t, n, other, rooms, 2)
	if n.interruptions() == interrupted {
		t.Error("the feed was not told")
	}
	// Each node asks, and so does its client by itself.
	if more, most := asked(cluster)-before, rooms/10+2*int(time.Since(began)/redis.AskAgain); more > most {
		t.Errorf("the cluster was asked %d times, want %d at the most", more, most)
	}
}

// What was asked of a link that ends is done by another one, and the link ends.
func TestALinkThatEndsLeavesNothingUndone(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t, 3)
	n := newNode(t, redis.Options{URL: cluster[0].URL()})
	before, after, ended := n.GivesUpALink("room")
	for what, done := range map[string]<-chan error{"before": before, "after": after} {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("what was asked %s: %v", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("what was asked %s is not done", what)
		}
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the link does not end")
	}
	n.hears(n.stores("room").Position)
}

func (n *node) interruptions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.interrupted
}

// feeds publishes in each room until it is fed: what is published while a room moves may be lost on its way.
func feeds(t *testing.T, n, other *node, rooms, round int) {
	t.Helper()
	heard := func() map[string]bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		there := make(map[string]bool)
		for _, m := range n.fed {
			if string(m.Data) == strconv.Itoa(round) {
				there[m.Room] = true
			}
		}
		return there
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		there := heard()
		if len(there) == rooms {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d rooms are fed, not %s", len(there), rooms, n.unfed(other, rooms, there))
		}
		for i := range rooms {
			if room := fmt.Sprint("room", i); !there[room] {
				p := publication(room)
				p.Message.Data = []byte(strconv.Itoa(round))
				other.publishLater(p)
			}
		}
	}
}

// unfed says what becomes of a room that is not fed.
func (n *node) unfed(other *node, rooms int, there map[string]bool) string {
	for i := range rooms {
		if room := fmt.Sprint("room", i); !there[room] {
			return fmt.Sprintf("%s in slot %d: publishing says %v", room, redis.SlotOf(room), <-other.publishLater(publication(room)))
		}
	}
	return ""
}

// Heads that cannot be read now are to be asked for again; the others are there all the same.
func TestHeadsOfAPartOfACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t, 3)
	n := newNode(t, redis.Options{URL: cluster[0].URL(), Timeout: time.Second})
	for _, s := range cluster { // what is there is served, whatever is missing
		s.Must("CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	var rooms []string
	for i := range 100 {
		rooms = append(rooms, fmt.Sprint("room", i))
	}
	n.stores(rooms[0])
	for _, s := range cluster {
		s.Must("SCRIPT", "FLUSH")
	}
	heads, err := n.Heads(t.Context(), rooms)
	if err != nil || heads[0].Offset != 1 {
		t.Fatalf("%v, %v", heads[0], err)
	}
	for i, head := range heads {
		if head.IsZero() {
			t.Fatalf("no head of %s", rooms[i])
		}
	}
	cluster[2].Kill()
	some, err := n.Heads(t.Context(), rooms)
	if !errors.Is(err, engine.ErrUnavailable) || len(some) != len(rooms) {
		t.Fatalf("%d heads, %v", len(some), err)
	}
	found := 0
	for i, head := range some {
		switch head {
		case heads[i]:
			found++
		case engine.Receipt{}.Position:
		default:
			t.Errorf("the head of %s was %v and is %v", rooms[i], heads[i], head)
		}
	}
	if found == 0 || found == len(rooms) {
		t.Errorf("%d heads of %d", found, len(rooms))
	}
}

// There is a room for the probe on each server.
func TestWitnessesAreOnEveryServer(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t, 3)
	n := newNode(t, redis.Options{URL: cluster[0].URL()})
	rooms := n.Witnesses("$probe/node")
	if len(rooms) != 3 {
		t.Fatalf("%q", rooms)
	}
	var before []string
	for _, s := range cluster {
		before = append(before, s.Must("DBSIZE"))
	}
	for _, room := range rooms {
		n.stores(room)
	}
	for i, s := range cluster {
		if s.Must("DBSIZE") == before[i] {
			t.Errorf("%s has none of %q", s.Address, rooms)
		}
	}
}
