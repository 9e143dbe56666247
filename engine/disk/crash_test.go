package disk

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// ledger is what publishers know who send again what was not acknowledged.
type ledger struct {
	mu    sync.Mutex
	acked map[string]engine.Receipt // by text
	sent  map[string]uint64         // the last sequence by producer
}

func (l *ledger) acks() map[string]engine.Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

var (
	crashRooms     = []string{"first", "second"}
	crashProducers = []string{"p", "q", "r"}
)

// publishSome has each producer publish some messages to each room, in bursts, until stop is set.
func (l *ledger) publishSome(e *Engine, random *rand.Rand, stop *atomic.Bool) {
	var producers sync.WaitGroup
	for _, producer := range crashProducers {
		for _, room := range crashRooms {
			own := rand.New(rand.NewPCG(random.Uint64(), 0))
			producers.Go(func() {
				for !stop.Load() {
					if !l.burst(e, own, room, producer) {
						return
					}
				}
			})
		}
	}
	producers.Wait()
}

// burst publishes some messages without waiting in between, and reports whether all were acknowledged.
func (l *ledger) burst(e *Engine, random *rand.Rand, room, producer string) bool {
	name, all := producer+"@"+room, true
	var waiting sync.WaitGroup
	for range 1 + random.IntN(8) {
		l.mu.Lock()
		l.sent[name]++
		seq := l.sent[name]
		l.mu.Unlock()
		p := say(room, fmt.Sprint(name, " ", seq))
		p.Message.Bytes = make([]byte, random.IntN(3000))
		p.Message.Event = string(p.Message.Data)
		p.Message.Data = nil
		p.Producer, p.Seq = name, seq
		p.Retention.Latest = true
		waiting.Add(1)
		text := p.Message.Event
		e.Publish(context.Background(), p, func(r engine.Receipt, err error) {
			defer waiting.Done()
			l.mu.Lock()
			defer l.mu.Unlock()
			if err == nil {
				l.acked[text] = r
			} else {
				all = false
			}
		})
	}
	waiting.Wait()
	return all
}

// verify wants everything that was acknowledged to be in the rooms, once and in order, and takes what else is there for
// acknowledged.
func (l *ledger) verify(t *testing.T, e *Engine, acked map[string]engine.Receipt) {
	t.Helper()
	stored := make(map[string]*protocol.Message)
	last := make(map[string]uint64)
	for _, room := range crashRooms {
		page := read(t, e, room, whole10k)
		at := page.Start
		for _, m := range page.Messages {
			if stored[m.Event] != nil || !m.Position.Follows(at, m.ID) {
				t.Fatalf("%s at %v: twice, or not after %v", m.Event, m.Position, at)
			}
			at, stored[m.Event] = m.Position, m
			var name string
			var seq uint64
			if _, err := fmt.Sscanf(m.Event, "\"%s %d", &name, &seq); err != nil || seq != last[name]+1 {
				t.Fatalf("%s follows %d of the same producer: %v", m.Event, last[name], err)
			}
			last[name] = seq
		}
		if page.More || at != page.Head {
			t.Fatalf("room %q: the newest is at %v, the head at %v", room, at, page.Head)
		}
	}
	for text, r := range acked {
		if m := stored[text]; m == nil || m.Position != r.Position || m.Time != r.Time {
			t.Fatalf("%s was acknowledged at %v, and is lost or elsewhere: %+v", text, r.Position, m)
		}
	}
	l.acked = make(map[string]engine.Receipt)
	for text, m := range stored {
		l.acked[text] = engine.Receipt{Position: m.Position, Time: m.Time}
	}
	l.sent = last
}

// resend wants the last message of each producer to be known.
func (l *ledger) resend(t *testing.T, e *Engine) {
	t.Helper()
	for name, seq := range l.sent {
		room := path.Base(name[2:])
		p := say(room, "again")
		p.Producer, p.Seq = name, seq
		p.Retention.Latest = true
		isDuplicate(t, e, p, l.acked[fmt.Sprintf("%q", fmt.Sprint(name, " ", seq))])
	}
}

// cutter takes the power off at one of the writes and syncs to come.
type cutter struct {
	ledger *ledger
	memory *vfs.MemFS
	random *rand.Rand

	mu    sync.Mutex
	after int // so many writes and syncs
	left  *vfs.MemFS
	acked map[string]engine.Receipt // by then
	cut   atomic.Bool
}

// event is called before each write and each sync.
func (c *cutter) event() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after--; c.after > 0 || c.left != nil {
		return
	}
	c.acked = c.ledger.acks()
	c.left = crashed(c.memory, c.random)
	c.cut.Store(true)
}

// crashed returns what a crash leaves of a file system: what was synced, and of the rest either any blocks, or all up
// to some place.
func crashed(fs *vfs.MemFS, random *rand.Rand) *vfs.MemFS {
	if random.IntN(2) == 0 {
		return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
	}
	synced := fs.CrashClone(vfs.CrashCloneCfg{})
	written := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: random})
	_ = everyFile(written, where, func(name string) {
		name = written.PathJoin(where, name)
		all, err := readFile(written, name)
		sure, err2 := readFile(synced, name)
		if err == nil && err2 == nil && path.Ext(name) == ".log" && len(all) > len(sure) {
			_ = writeFile(written, name, all[:len(sure)+random.IntN(len(all)-len(sure)+1)])
		}
	})
	return written
}

// generation lives from one power cut to the next. It returns what is left.
func (l *ledger) generation(t *testing.T, memory *vfs.MemFS, random *rand.Rand, acked map[string]engine.Receipt) (*vfs.MemFS, map[string]engine.Receipt) {
	t.Helper()
	fs := newFaults(memory)
	e := opened(t, small(fs))
	l.verify(t, e, acked)
	l.resend(t, e)
	own := rand.New(rand.NewPCG(random.Uint64(), 1)) // the cut comes from another goroutine
	c := &cutter{ledger: l, memory: memory, random: own, after: 1 + random.IntN(150)}
	fs.set(func() {
		fs.write = func(_ string, p []byte) (int, error) { c.event(); return len(p), nil }
		fs.sync = func(string) error { c.event(); return nil }
	})
	l.publishSome(e, random, &c.cut)
	closed(t, e)
	return c.left, c.acked
}

// Whenever the power goes, and whatever it leaves of what was not synced: what was acknowledged is there, in its place.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	for seed := range uint64(often(5, 500)) { // of two cuts each
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			l := &ledger{acked: make(map[string]engine.Receipt), sent: make(map[string]uint64)}
			memory := vfs.NewCrashableMem()
			var acked map[string]engine.Receipt
			for range 2 {
				memory, acked = l.generation(t, memory, random, acked)
			}
			e := opened(t, small(memory))
			l.verify(t, e, acked)
			l.resend(t, e)
			closed(t, e)
		})
	}
}
