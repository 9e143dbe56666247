package session

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/metrics"
)

const bound = int64(time.Second)

// looking is an admission and the time of its looks.
type looking struct {
	admission
	now int64
}

func newLooking() *looking {
	l := new(looking)
	l.logger = slog.New(slog.DiscardHandler)
	return l
}

// looks looks n times, each time a look after the last, with the same wait, and returns the share that is let in.
func (l *looking) looks(n int, waited time.Duration) float64 {
	for range n {
		l.now += int64(lookInterval)
		l.look(l.now, waited, time.Duration(bound))
	}
	return float64(wholeShare-l.refused.Load()) / wholeShare
}

func TestOneStallIsNoOverload(t *testing.T) {
	l := newLooking()
	for range 10 {
		if l.looks(1, time.Minute) != 1 {
			t.Fatal("refuses because the process stood still once")
		}
		l.looks(1, time.Millisecond)
	}
	if l.looks(2, 2*time.Second) == 1 {
		t.Fatal("lets everything in though it waits for too long")
	}
}

func TestShareFollowsTheWait(t *testing.T) {
	l := newLooking()
	if got := l.looks(2, 2*time.Second); got != 0.5 {
		t.Fatalf("at twice the wait that may be, %v is let in", got)
	}
	if got := l.looks(19, 2*time.Second); got != 0.5 {
		t.Fatalf("before the first change can have shown, %v is let in", got)
	}
	if got := l.looks(1, 2*time.Second); got != 0.25 {
		t.Fatalf("when it has not helped enough, %v is let in", got)
	}
	l.hold = 0
	if got := l.looks(1, time.Hour); got != 0.0625 {
		t.Fatalf("at any wait no less than a fourth stays: %v", got)
	}
	for range 100 {
		l.hold = 0
		l.looks(1, time.Hour)
	}
	if got := l.looks(1, time.Hour); got != 1.0/64 {
		t.Fatalf("however long it waits, %v is let in, want a little", got)
	}
	l.hold = 0
	slowly := l.looks(1, 600*time.Millisecond) * 64
	l.hold = 0
	quickly := l.looks(1, 0) * 64 / slowly
	if slowly < 1.05 || slowly > 1.07 || quickly < 1.2 || quickly > 1.3 {
		t.Fatalf("near the bound the share grows by %v, far below it by %v", slowly, quickly)
	}
	if got := l.looks(30, 0); got != 1 {
		t.Fatalf("3 seconds after the load has gone %v is let in", got)
	}
}

func TestNoBoundLetsEverythingIn(t *testing.T) {
	l := newLooking()
	l.engine.count.Store(1000)
	l.looks(20, 2*time.Second)
	if l.refused.Load() == 0 || l.engine.limit.Load() == 0 {
		t.Fatal("nothing is refused")
	}
	l.look(l.now+1, time.Hour, 0)
	if l.overloaded.Load() || l.refused.Load() != 0 || l.engine.limit.Load() != 0 {
		t.Fatal("something is refused though there is no bound any more")
	}
}

func TestSessionsTakeTurns(t *testing.T) {
	l := newLooking()
	if share := l.looks(2, 4*time.Second); share != 0.25 {
		t.Fatalf("the share is %v", share)
	}
	l.engine.limit.Store(0)
	const sessions, rounds = 20, 40
	var turns [sessions]turn
	var had [sessions]int
	for range rounds {
		in := 0
		for i := range turns {
			first := l.admit(&turns[i])
			for range 5 {
				if l.admit(&turns[i]) != first {
					t.Fatal("a session is let in and refused in one turn")
				}
			}
			if first {
				in++
				had[i]++
			}
		}
		if in != sessions/4 {
			t.Fatalf("%d of %d sessions are let in, of which a fourth should be", in, sessions)
		}
		l.round.Add(1)
		l.lottery.Add(wholeShare / 4) // somebody else came in between
	}
	for i, n := range had {
		if n < rounds/8 || n > rounds/2 {
			t.Fatalf("session %d had %d turns of %d: %v", i, n, rounds, had)
		}
	}
}

// A disk whose syncs take long answers many at once: a crowd is no overload for it.
func TestManyAtOnceAreNoOverload(t *testing.T) {
	l, p := newLooking(), new(pending)
	for range 20 { // each second 500 publishes, answered together after 400 ms
		l.now += int64(100 * time.Millisecond)
		for range 500 {
			p.begin(l.now)
		}
		for tick := range 10 {
			l.now += int64(100 * time.Millisecond)
			if tick == 3 {
				for range 500 {
					p.end(l.now-int64(400*time.Millisecond), l.now)
				}
			}
			if p.look(l.now, time.Duration(bound)); p.limit.Load() > 0 {
				t.Fatalf("only %d may wait", p.limit.Load())
			}
		}
	}
}

// slow is an engine that answers one publish at a time, each after some time. It is not inline.
type slow struct {
	engine.Engine
	queue chan func()
	takes time.Duration
}

func newSlow(t *testing.T, takes time.Duration) *slow {
	s := &slow{Engine: memory.New(memory.Options{}), queue: make(chan func(), 1000), takes: takes}
	go func() {
		for store := range s.queue {
			time.Sleep(s.takes)
			store()
		}
	}()
	t.Cleanup(func() { close(s.queue) })
	return s
}

func (s *slow) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	s.queue <- func() { s.Engine.Publish(ctx, p, done) }
}

// answers counts the publishes that were answered, one way or the other.
func answers(t *testing.T, peers []*peer) (stored, refused int) {
	t.Helper()
	for _, p := range peers {
		for _, line := range p.take() {
			switch {
			case strings.HasPrefix(line, `{"type":"ok"`):
				stored++
			case like(`{"type":"error","id":1,"of":"publish","code":"overloaded",…"retryable":true,"retry_after":…}`, line):
				refused++
			default:
				t.Fatal(line)
			}
		}
	}
	return stored, refused
}

// A slow engine is offered five times what it can store: what is let in is stored, after about as long as it may wait,
// and nothing of the rest is.
func TestPublishesThatWouldWaitTooLongAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes, seconds, clients = 20 * time.Millisecond, 60, 25
		var numbers metrics.Set
		node := newNodeOn(t, newSlow(t, takes), Options{Metrics: &numbers, Limits: Limits{PublishWait: time.Second}})
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var peers []*peer
		for range clients {
			peers = append(peers, connect(t, node, Credentials{}))
		}
		stored, refused := 0, 0
		count := func() {
			s, r := answers(t, peers)
			stored, refused = stored+s, refused+r
		}
		for range seconds * 10 {
			for _, p := range peers {
				p.sendOnly(`{"type":"publish","room":"r","data":1,"id":1}`)
			}
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		count()
		if most := int(seconds * time.Second / takes); stored < most*9/10 {
			t.Errorf("%d are stored, %d could be", stored, most)
		}
		if refused < clients*seconds*10/2 {
			t.Errorf("%d of %d were refused", refused, clients*seconds*10)
		}
		if n := numbers.Value(metrics.RefusedOverloaded); n != int64(refused) {
			t.Errorf("%d were counted, %d refused", n, refused)
		}
		waiting := node.admission.engine.count.Load()
		if waits := time.Duration(waiting) * takes; waits > 1500*time.Millisecond {
			t.Errorf("%d wait, for %v", waiting, waits)
		}
		time.Sleep(30 * time.Second) // the load is gone
		before := stored
		count()
		if stored != before+int(waiting) {
			t.Errorf("%d were let in, and %d of them stored", waiting, stored-before)
		}
		for _, p := range peers {
			p.sendOnly(`{"type":"publish","room":"r","data":1,"id":1}`)
		}
		refusedBefore := refused
		time.Sleep(10 * time.Second)
		count()
		if refused != refusedBefore {
			t.Error("a publish is refused when there is nothing else to do")
		}
		page, err := node.Hub.History(t.Context(), "r", engine.Query{})
		if err != nil || page.Head.Offset != uint64(stored) {
			t.Errorf("the log has %d messages (%v), %d were acknowledged", page.Head.Offset, err, stored)
		}
	})
}

func TestPublishesThatWaitForTheLoopAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited atomic.Int64
		waited.Store(int64(2 * time.Second))
		node := newNode(t, Options{
			Limits: Limits{PublishWait: time.Second}, Waited: func() time.Duration { return time.Duration(waited.Load()) },
		})
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := connect(t, node, Credentials{})
		p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
		time.Sleep(20 * time.Second)
		refused := 0
		for i := range 100 {
			said := p.send(fmt.Sprintf(`{"type":"publish","room":"r","data":1,"id":%d}`, i))
			if strings.Contains(said[0], `"code":"overloaded"`) {
				refused++
			}
			time.Sleep(lookInterval)
		}
		if refused < 90 || refused == 100 {
			t.Errorf("%d of 100 are refused, with a loop that is late all the time", refused)
		}
		refused = 0
		for range 100 {
			if node.Admit() != nil {
				refused++
			}
		}
		if refused < 90 || refused == 100 {
			t.Errorf("%d of 100 without a session are refused", refused)
		}
		p.expect(`{"type":"ping"}`, `{"type":"pong"…`) // nothing but publishes
		waited.Store(0)
		time.Sleep(5 * time.Second)
		p.expect(`{"type":"publish","room":"r","data":1,"id":1}`, `{"type":"ok",…`)
	})
}
