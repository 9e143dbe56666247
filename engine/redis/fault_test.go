//go:build unix

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

func TestNodesShareRooms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := newNode(t, redis.Options{URL: server.URL()}), newNode(t, redis.Options{URL: server.URL()})
	apart := newNode(t, redis.Options{URL: server.URL(), Prefix: "other:"})
	for _, n := range []*node{a, b, apart} {
		n.subscribe("room")
	}
	p := publication("room")
	p.Message.Exclude = "c1"
	r, err := a.publish(p)
	if err != nil {
		t.Fatal(err)
	}
	a.hears(r.Position)
	b.hears(r.Position)
	if got := b.read("room", engine.Query{Last: 1, Limit: 1}).Messages[0]; got.Position != r.Position || string(got.Data) != `"hello"` || got.Exclude != "c1" {
		t.Fatalf("the other node reads %+v", got)
	}
	own, err := apart.publish(publication("room"))
	if err != nil || own.Position.Offset != 1 {
		t.Fatalf("with another prefix: %+v, %v", own, err)
	}
	apart.hears(own.Position)
	if len(apart.fed) != 1 {
		t.Fatalf("with another prefix %d messages were fed", len(apart.fed))
	}
}

func TestKeysAreSharedByNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := []*node{newNode(t, redis.Options{URL: server.URL()}), newNode(t, redis.Options{URL: server.URL()})}
	var stored atomic.Int32
	var publishers sync.WaitGroup
	for _, n := range nodes {
		publishers.Go(func() {
			for i := range 200 {
				p := publication("room")
				p.Message.Key = fmt.Sprint(i)
				if r, err := n.publish(p); err != nil {
					t.Error(err)
				} else if !r.Duplicate {
					stored.Add(1)
				}
			}
		})
	}
	publishers.Wait()
	if head := nodes[0].read("room", engine.Query{}).Head; stored.Load() != 200 || head.Offset != 200 {
		t.Fatalf("%d are said to be stored, the head is %v; want 200", stored.Load(), head)
	}
}

func TestNoAnswerIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL(), Timeout: 2 * time.Second})
	n.stores("room")
	server.Signal(syscall.SIGSTOP)
	first := n.publishLater(publication("room"))
	time.Sleep(50 * time.Millisecond) // it is sent; what comes now waits behind it
	second := n.publishLater(publication("room"))
	if err := <-first; !errors.Is(err, engine.ErrTimeout) && !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("a publish without an answer: %v", err)
	}
	if err := <-second; !errors.Is(err, engine.ErrTimeout) && !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("one behind it: %v", err)
	}
	if _, err := n.Read(t.Context(), "room", engine.Query{}); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	if err := n.Subscribe(t.Context(), "room"); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("subscribe: %v", err)
	}
	server.Signal(syscall.SIGCONT)
	n.subscribe("room")
	n.hears(n.stores("room").Position)
}

// publishLater publishes and returns where the error will be.
func (n *node) publishLater(p *engine.Publication) <-chan error {
	failed := make(chan error, 1)
	n.Publish(context.Background(), p, func(_ engine.Receipt, err error) { failed <- err })
	return failed
}

func TestRestartedServer(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		settings []string
		keeps    bool
	}{
		"that keeps everything": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, true},
		"that keeps nothing":    {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, row.settings...)
			n := newNode(t, redis.Options{URL: server.URL()})
			if want := map[bool]string{true: "engine", false: "memory"}[row.keeps]; n.Durability() != want {
				t.Errorf("durability %q, want %q", n.Durability(), want)
			}
			n.subscribe("room")
			var last engine.Receipt
			for range 10 {
				last = n.stores("room")
			}
			n.hears(last.Position)
			server.Kill()
			if _, err := n.publish(publication("room")); err == nil {
				t.Fatal("a publish succeeded without a server")
			}
			server.Restart() // it has forgotten the scripts
			n.await("the interruption", func() bool { return n.interrupted > 0 })
			page := n.read("room", engine.Query{Since: last.Position, Limit: 10})
			if row.keeps && (page.Refused != "" || page.Head.Offset < 10) || !row.keeps && page.Refused != protocol.ReasonEpoch {
				t.Fatalf("since the last message before: %+v", page)
			}
			n.hears(n.stores("room").Position)
		})
	}
}

// A server that another node emptied must not prove positions of the log before.
func TestForgottenRoomsHaveANewEpoch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL()})
	p := publication("room")
	p.Producer, p.Seq = "producer-0123456789", 1
	before, err := n.publish(p)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n.stores("room")
	}
	server.Must("DEL", "wireroom:{room}:meta") // as a server does that is short of memory
	if page := n.read("room", engine.Query{Since: before.Position, Limit: 10}); page.Refused != protocol.ReasonEpoch || page.Head.Offset != 0 {
		t.Fatalf("without its meta: %+v", page)
	}
	again := publication("room")
	again.Producer, again.Seq = p.Producer, 2
	if _, err := n.publish(again); !errors.Is(err, engine.ErrOutOfOrder) {
		t.Fatalf("a producer of the epoch before: %v", err)
	}
	start := n.stores("room")
	n.stores("room")
	server.Must("DEL", "wireroom:{room}:log")
	if page := n.read("room", engine.Query{Since: start.Position, Limit: 10}); page.Refused != protocol.ReasonExpired || page.Head.Offset != 2 {
		t.Fatalf("without its log: %+v", page)
	}
	head := n.stores("room")
	if page := n.read("room", engine.Query{Last: 10, Limit: 10}); len(page.Messages) != 1 || page.Messages[0].Position != head.Position {
		t.Fatalf("after that: %+v", page)
	}
}

func TestFullServerStoresNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	n := newNode(t, redis.Options{URL: server.URL()})
	var head protocol.Position
	for range 10_000 {
		p := publication("room")
		p.Message.Data = []byte(`"` + string(make([]byte, 10_000)) + `"`)
		r, err := n.publish(p)
		if err != nil {
			if !errors.Is(err, engine.ErrStorageFull) {
				t.Fatal(err)
			}
			break
		}
		head = r.Position
	}
	server.Must("CONFIG", "SET", "maxmemory", "100mb")
	if got := n.read("room", engine.Query{}).Head; got != head {
		t.Fatalf("the head is %v, the last message acknowledged %v", got, head)
	}
	n.stores("room")
}

// A server may refuse subscriptions for a while, as one does that is loading.
func TestRefusedSubscriptionsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL()})
	n.subscribe("room")
	server.Must("ACL", "SETUSER", "default", "-subscribe")
	server.Must("CLIENT", "KILL", "TYPE", "pubsub")
	n.stores("room")
	time.Sleep(500 * time.Millisecond) // they are refused more than once
	server.Must("ACL", "SETUSER", "default", "+subscribe")
	n.await("the interruption", func() bool { return n.interrupted > 0 })
	n.hears(n.stores("room").Position)
}

func TestSentinelFailOver(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.Start(t)
	replica.Must("REPLICAOF", host(primary), port(primary))
	sentinel := redistest.Sentinel(t, primary)
	redistest.Await(t, sentinel, "num-slaves\r\n$1\r\n1", "SENTINEL", "MASTER", "wireroom")
	n := newNode(t, redis.Options{URL: "redis://" + sentinel.Address + "/0?master_set=wireroom"})
	n.subscribe("room")
	last := n.stores("room")
	n.hears(last.Position)
	redistest.Await(t, replica, "master_link_status:up", "INFO", "replication")
	primary.Kill()
	r := n.stores("room")
	if r.Position.Epoch != last.Position.Epoch {
		t.Fatalf("the replica has another log: %v after %v", r.Position, last.Position)
	}
	n.await("the interruption", func() bool { return n.interrupted > 0 })
	n.hears(n.stores("room").Position)
}

// Sentinels may have given up a server that this node still reaches: it goes on to answer, and nobody publishes there any more.
func TestAFeedLeavesAServerThatWasReplaced(t *testing.T) {
	t.Parallel()
	primary, replica := redistest.Start(t), redistest.Start(t)
	for _, s := range []*redistest.Server{primary, replica} {
		s.Must("ACL", "SETUSER", "node", "on", ">hush", "~*", "&*", "+@all")
	}
	replica.Must("REPLICAOF", host(primary), port(primary))
	sentinel := redistest.Sentinel(t, primary)
	redistest.Await(t, sentinel, "num-slaves\r\n$1\r\n1", "SENTINEL", "MASTER", "wireroom")
	n := newNode(t, redis.Options{URL: "redis://node:hush@" + sentinel.Address + "/0?master_set=wireroom"})
	n.subscribe("room")
	n.hears(n.stores("room").Position)
	redistest.Await(t, replica, "master_link_status:up", "INFO", "replication")
	// To all others the server is lost.
	primary.Must("ACL", "SETUSER", "default", "-@all")
	redistest.Await(t, replica, "role:master", "INFO", "replication")
	n.await("the feed is another server's", func() bool { return n.interrupted > 0 })
	n.hears(n.stores("room").Position)
	if log := primary.Output(); strings.Contains(log, "REPLICAOF") {
		t.Errorf("the server was told that it was given up, which proves nothing:\n%s", log)
	}
}

func host(s *redistest.Server) string { return s.Address[:strings.Index(s.Address, ":")] }

func port(s *redistest.Server) string { return s.Address[len(host(s))+1:] }

func TestManySubscriptions(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string][]*redistest.Server{
		"one server": {redistest.Start(t)}, "a cluster": redistest.Cluster(t, 3),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rooms = 600 // of one server, two batches and more
			url := servers[0].URL()
			n, other := newNode(t, redis.Options{URL: url}), newNode(t, redis.Options{URL: url})
			var waiting sync.WaitGroup
			for i := range rooms {
				waiting.Go(func() {
					room := fmt.Sprint("room", i)
					n.subscribe(room)
					if i%3 == 0 {
						n.Unsubscribe(room)
						n.subscribe(room)
					}
					other.stores(room)
				})
			}
			waiting.Wait()
			n.await("a message of each room", func() bool { return len(n.fed) == rooms })
			for _, s := range servers {
				s.Must("CLIENT", "KILL", "TYPE", "pubsub")
			}
			feeds(t, n, other, rooms, 2)
			for i := range rooms {
				n.Unsubscribe(fmt.Sprint("room", i))
			}
			for i := range rooms {
				other.stores(fmt.Sprint("room", i))
			}
			n.subscribe("end")
			n.hears(other.stores("end").Position)
			n.mu.Lock()
			defer n.mu.Unlock()
			again := func(m *protocol.Message) bool { return string(m.Data) == "2" } // of feeds, as often as was needed
			if n.fed = slices.DeleteFunc(n.fed, again); len(n.fed) != rooms+1 {
				t.Fatalf("%d messages were fed, want %d", len(n.fed), rooms+1)
			}
		})
	}
}

func TestAccountsWithoutAServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL(), Timeout: 2 * time.Second})
	server.Signal(syscall.SIGSTOP)
	_, err := n.Settle(t.Context(), []engine.Spending{{User: "alice"}})
	if !errors.Is(err, engine.ErrTimeout) && !errors.Is(err, engine.ErrUnavailable) {
		t.Fatal(err)
	}
	server.Signal(syscall.SIGCONT)
}
