package memory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// chain is a feed that checks that the messages of each room follow each other while it is subscribed.
type chain struct {
	t     *testing.T
	mu    sync.Mutex
	heads map[string]protocol.Position
}

func (c *chain) Deliver(m *protocol.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.ID == 0 {
		return
	}
	if head, ok := c.heads[m.Room]; ok && !m.Position.Follows(head, m.ID) {
		c.t.Errorf("%q: %v does not follow %v", m.Room, m.Position, head)
	}
	c.heads[m.Room] = m.Position
}

func (c *chain) Flush()       {}
func (c *chain) Interrupted() {}

// forget is called while the room is not subscribed.
func (c *chain) forget(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.heads, room)
}

// Everything at once, in an engine that is always full: nothing counted may get lost, and the feed keeps its order.
func TestCountsHoldUnderStress(t *testing.T) {
	const goroutines, rooms, steps = 8, 40, 4000
	e := New(Options{MaxBytes: 100 * size, MaxRooms: 20})
	e.quota.init(50, 200)
	start := time.Now()
	e.clock = func() (int64, time.Duration) { // 10 minutes a millisecond
		return time.Now().UnixMilli(), time.Since(start) * 600_000
	}
	feed := &chain{t: t, heads: make(map[string]protocol.Position)}
	if err := e.Open(t.Context(), feed); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for g := range goroutines {
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			own := fmt.Sprint("own", g) // subscribed and unsubscribed by this goroutine only
			for range steps {
				step(t, e, random, feed, own, fmt.Sprint("room", random.IntN(rooms)))
			}
			e.Unsubscribe(own)
		})
	}
	work.Wait()
	verify(t, e)
	e.sweepOnce()
	verify(t, e)
	if over := e.bytes.Load() - e.options.MaxBytes; over > goroutines*size {
		t.Errorf("%d bytes too many are kept", over)
	}
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	verify(t, e)
}

// step does one thing, at random.
func step(t *testing.T, e *Engine, random *rand.Rand, feed *chain, own, room string) {
	if random.IntN(3) == 0 {
		room = own
	}
	switch random.IntN(10) {
	case 0:
		e.Unsubscribe(own)
		feed.forget(own)
	case 1:
		_ = e.Subscribe(context.Background(), own)
	case 2:
		page, err := e.Read(context.Background(), room, engine.Query{Last: 10, Limit: 10})
		at := page.Start
		for _, m := range page.Messages {
			if !m.Position.Follows(at, m.ID) {
				t.Errorf("%q: %v does not follow %v", room, m.Position, at)
			}
			at = m.Position
		}
		if err != nil || at != page.Head {
			t.Errorf("%q: the newest is %v, the head %v, %v", room, at, page.Head, err)
		}
	case 3:
		e.sweepOnce()
	default:
		p := publication(room, engine.Retention{Messages: random.IntN(10), Age: time.Duration(random.IntN(3)) * time.Hour, Latest: random.IntN(2) == 0})
		p.Message.Event = fmt.Sprint(random.IntN(3))
		p.Ephemeral = random.IntN(10) == 0
		p.Owner = fmt.Sprint(random.IntN(5))
		switch random.IntN(3) {
		case 0:
			p.Message.Key = fmt.Sprint(random.IntN(100))
		case 1:
			p.Producer, p.Seq = fmt.Sprint(random.IntN(100)), uint64(1+random.IntN(3))
		}
		_, err := e.now(p)
		if err != nil && !errors.Is(err, engine.ErrOutOfOrder) && !errors.Is(err, engine.ErrTooManyKeys) && !errors.Is(err, engine.ErrStorageFull) {
			t.Error(err)
		}
	}
}
