package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
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

// Everything at once, in an engine that is full, forgets at once what is idle, and is reopened now and then: nothing
// counted may get lost, and each room is whole.
func TestCountsHoldUnderStress(t *testing.T) {
	const goroutines, rooms = 6, 30
	steps, lives := often(120, 400), often(2, 4)
	o := small(vfs.NewMem())
	o.MaxBytes, o.weight = 60_000, 10
	started := time.Now()
	for life := range uint64(lives) {
		e := New(o)
		e.quota.init(50, 150)
		e.clock.elapsed = func() int64 { return time.Since(started).Milliseconds() * 300_000 } // 5 minutes a millisecond
		e.clock.wall = func() int64 { return started.UnixMilli() + e.clock.elapsed() }
		feed := &chain{t: t, heads: make(map[string]protocol.Position)}
		if err := e.Open(t.Context(), feed); err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		for g := range goroutines {
			work.Go(func() {
				random := rand.New(rand.NewPCG(life, uint64(g)))
				s := &sweeper{Engine: e, producers: []byte{producerSpace}, records: []byte{recordSpace}}
				for range steps {
					step(t, e, s, random, fmt.Sprint("room", random.IntN(rooms)))
				}
			})
		}
		work.Wait()
		verifyCounts(t, e)
		closed(t, e)
	}
}

// step does one thing, at random.
func step(t *testing.T, e *Engine, s *sweeper, random *rand.Rand, room string) {
	ctx := context.Background()
	switch random.IntN(12) {
	case 0:
		page, err := e.Read(ctx, room, engine.Query{Last: 10, Limit: 10})
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
	case 1:
		if err := s.once(); err != nil {
			t.Error(err)
		}
	case 2:
		r := engine.Record{Kind: "kick", Key: fmt.Sprint(random.IntN(20)), Expires: time.UnixMilli(e.clock.wall()).Add(time.Duration(random.IntN(60)) * time.Minute)}
		if err := e.PutRecord(ctx, r); err != nil {
			t.Error(err)
		}
	default:
		p := incompressible(room, random.IntN(1000))
		p.Retention = engine.Retention{
			Messages: random.IntN(12), Age: time.Duration(random.IntN(3)) * time.Hour, Bytes: int64(random.IntN(2) * 2000), Latest: random.IntN(2) == 0,
		}
		p.Message.Event = fmt.Sprint(random.IntN(3))
		p.Ephemeral = random.IntN(10) == 0
		p.Owner = fmt.Sprint(random.IntN(5))
		switch random.IntN(3) {
		case 0:
			p.Message.Key = fmt.Sprint(random.IntN(100))
		case 1:
			p.Producer, p.Seq = fmt.Sprint(random.IntN(40)), uint64(1+random.IntN(3))
		}
		answer := start(e, p)
		if random.IntN(4) > 0 { // the others do not wait
			err := (<-answer).err
			if err != nil && !errors.Is(err, engine.ErrOutOfOrder) && !errors.Is(err, engine.ErrTooManyKeys) && !errors.Is(err, engine.ErrStorageFull) {
				t.Error(err)
			}
		}
	}
}
