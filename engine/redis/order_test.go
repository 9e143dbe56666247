package redis_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// A server that has lost its scripts is given them by whoever notices first. Of what is under way then, a part may be refused
// and the rest be taken: what was refused must not be sent again behind it.
func TestAMessageIsNotSentAgainBehindALaterOne(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL()})
	n.subscribe("room")
	n.hears(n.stores("room").Position)
	before := len(n.fed)
	server.Must("SCRIPT", "FLUSH")
	server.Must("SCRIPT", "LOAD", redis.PassSource)
	later := publication("room")
	later.Ephemeral, later.Message.Data = true, []byte(`"later"`)
	errs := n.SendTogether(publication("room"), later, publication("room"))
	if !errors.Is(errs[0], engine.ErrUnavailable) || errs[1] != nil || errs[2] != nil {
		t.Fatalf("%v; want the first to be unavailable, and the others stored", errs)
	}
	n.await("two messages", func() bool { return len(n.fed) == before+2 })
	if string(n.fed[before].Data) != `"later"` || n.fed[before+1].Position.IsZero() {
		t.Fatalf("fed %+v, then %+v", n.fed[before], n.fed[before+1])
	}
	if head := n.read("room", engine.Query{}).Head; head.Offset != 2 {
		t.Fatalf("the head is %v", head)
	}
}

// A publish is one script, whatever is asked of it: what was stored before, the position, the log and the feed are one step.
func TestAPublishIsOneScript(t *testing.T) {
	t.Parallel()
	const publishes = 100
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL()})
	n.stores("room")
	server.Must("CONFIG", "RESETSTAT")
	began := time.Now()
	for i := range publishes {
		p := publication("room")
		if i%2 == 0 {
			p.Message.Key = fmt.Sprint(i)
		}
		if _, err := n.publish(p); err != nil {
			t.Fatal(err)
		}
	}
	calls := calls(server)
	leases := 10 + int(time.Since(began)/time.Second) // and other scripts that a node runs now and then
	if scripts := calls("evalsha"); scripts < publishes || scripts > publishes+leases {
		t.Errorf("%d publishes are %d scripts", publishes, scripts)
	}
	if calls("xadd") != publishes || calls("publish") != publishes {
		t.Errorf("%d publishes are stored %d times, and published %d times", publishes, calls("xadd"), calls("publish"))
	}
}

// calls returns what says how often a server has carried a command out.
func calls(server *redistest.Server) func(command string) int {
	stats := server.Must("INFO", "commandstats")
	return func(command string) (n int) {
		if m := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+)`).FindStringSubmatch(stats); m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		return n
	}
}

// In a cluster a message is published on the server that has its room, to those alone who are connected to it for that: the
// other servers hear nothing of it.
func TestAClusterPublishesWhereTheRoomIs(t *testing.T) {
	t.Parallel()
	const publishes = 100
	cluster := redistest.Cluster(t, 3)
	n := newNode(t, redis.Options{URL: cluster[0].URL()})
	n.subscribe("room")
	n.hears(n.stores("room").Position)
	var before []string
	for _, s := range cluster {
		s.Must("CONFIG", "RESETSTAT")
		before = append(before, s.Must("CLUSTER", "INFO"))
	}
	var last engine.Receipt
	for range publishes {
		last = n.stores("room")
	}
	n.hears(last.Position)
	servers := 0
	for i, s := range cluster {
		calls := calls(s)
		switch calls("xadd") {
		case 0:
		case publishes:
			servers++
		default:
			t.Errorf("%s stores %d messages", s.Address, calls("xadd"))
		}
		if calls("spublish") != calls("xadd") || calls("publish") != 0 {
			t.Errorf("%s stores %d messages, publishes %d in the room's shard and %d everywhere", s.Address, calls("xadd"), calls("spublish"), calls("publish"))
		}
		for _, what := range []string{"publish", "publishshard"} {
			if got, was := received(s.Must("CLUSTER", "INFO"), what), received(before[i], what); got != was {
				t.Errorf("%s was told of %d messages by others (%s)", s.Address, got-was, what)
			}
		}
	}
	if servers != 1 {
		t.Errorf("the room is on %d servers", servers)
	}
}

// received returns how many messages of a kind a server has had from others of its cluster.
func received(info, kind string) (n int) {
	if m := regexp.MustCompile(`cluster_stats_messages_` + kind + `_received:(\d+)`).FindStringSubmatch(info); m != nil {
		n, _ = strconv.Atoi(m[1])
	}
	return n
}

// standing is a feed that stands still with the first message.
type standing struct {
	*node
	here, on chan struct{}
}

func (s *standing) Deliver(m *protocol.Message) {
	select {
	case <-s.on:
	default:
		close(s.here)
		<-s.on
	}
	s.node.Deliver(m)
}

// While a feed stands still the connection that feeds it is read on: rooms can be subscribed, and nothing is lost.
func TestAFeedThatStandsStillHoldsNothingUp(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := makeNode(t, redis.Options{URL: server.URL()})
	feed := &standing{node: n, here: make(chan struct{}), on: make(chan struct{})}
	n.open(feed)
	n.subscribe("room")
	first := n.stores("room")
	<-feed.here
	last := n.stores("room")
	if err := n.Subscribe(t.Context(), "other"); err != nil {
		t.Errorf("another room: %v", err)
	}
	close(feed.on)
	n.hears(first.Position)
	n.hears(last.Position)
	n.hears(n.stores("other").Position)
}
