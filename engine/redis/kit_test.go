package redis_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// keep is enough for every test here.
var keep = engine.Retention{Messages: 100_000}

// node is an engine of one node, and what it was fed.
type node struct {
	*redis.Engine
	t *testing.T

	mu          sync.Mutex
	changed     *sync.Cond
	fed         []*protocol.Message
	interrupted int
}

func newNode(t *testing.T, o redis.Options) *node {
	t.Helper()
	n := makeNode(t, o)
	n.open(n)
	return n
}

// makeNode returns a node that is not open yet.
func makeNode(t *testing.T, o redis.Options) *node {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	n := &node{Engine: redis.New(o), t: t}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// open opens the node, until the test ends.
func (n *node) open(feed engine.Feed) {
	n.t.Helper()
	if err := n.Open(n.t.Context(), feed); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			n.t.Error(err)
		}
	})
}

// Deliver implements engine.Feed.
func (n *node) Deliver(m *protocol.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fed = append(n.fed, m)
	n.changed.Broadcast()
}

// Flush implements engine.Feed.
func (n *node) Flush() {}

// Interrupted implements engine.Feed.
func (n *node) Interrupted() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.interrupted++
	n.changed.Broadcast()
}

// await waits until a condition holds, which is asked with the node locked.
func (n *node) await(what string, holds func() bool) {
	n.t.Helper()
	timer := time.AfterFunc(patience, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	n.mu.Lock()
	defer n.mu.Unlock()
	for !holds() {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: waited in vain; %d messages were fed, %d times interrupted", what, len(n.fed), n.interrupted)
		}
		n.changed.Wait()
	}
}

// hears waits until a message at a position was fed.
func (n *node) hears(at protocol.Position) {
	n.t.Helper()
	n.await("the message at "+at.String(), func() bool {
		for _, m := range n.fed {
			if m.Position == at {
				return true
			}
		}
		return false
	})
}

// publication returns one of a small message.
func publication(room string) *engine.Publication {
	return &engine.Publication{
		Message: &protocol.Message{Room: room, From: protocol.Sender{User: "alice"}, Data: []byte(`"hello"`)},
		Owner:   "alice", Retention: keep,
	}
}

// publish publishes p and waits for the outcome.
func (n *node) publish(p *engine.Publication) (engine.Receipt, error) {
	n.t.Helper()
	type outcome struct {
		receipt engine.Receipt
		err     error
	}
	done := make(chan outcome, 1)
	n.Publish(context.Background(), p, func(r engine.Receipt, err error) { done <- outcome{r, err} })
	select {
	case o := <-done:
		return o.receipt, o.err
	case <-time.After(patience):
		n.t.Fatal("a publish was not answered")
		return engine.Receipt{}, nil
	}
}

// stores publishes until a message is stored, as a client does that tries again.
func (n *node) stores(room string) engine.Receipt {
	n.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := n.publish(publication(room))
		if err == nil {
			return r
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("nothing can be published: %v", err)
		}
	}
}

func (n *node) subscribe(room string) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := n.Subscribe(n.t.Context(), room)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatal(err)
		}
	}
}

func (n *node) read(room string, q engine.Query) engine.Page {
	n.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		page, err := n.Read(n.t.Context(), room, q)
		if err == nil {
			return page
		}
		if time.Now().After(deadline) {
			n.t.Fatal(err)
		}
	}
}
