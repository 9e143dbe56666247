package memory

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// swept lets time pass until just after a sweep.
func swept(d time.Duration) {
	time.Sleep(d + sweepEvery)
	synctest.Wait()
}

func TestSweepTrimsRoomsThatNobodyReads(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		fill(t, e, "room", 100, engine.Retention{Messages: 1000, Age: time.Hour})
		fill(t, e, "kept", 1, keepAll)
		swept(time.Hour)
		if e.bytes.Load() != size || e.logs.len() != 1 {
			t.Fatalf("%d bytes are kept, in %d logs", e.bytes.Load(), e.logs.len())
		}
		r, _, _ := e.shard("room").find("room")
		if r == nil || r.log.entries.items != nil {
			t.Fatal("the empty log has memory, or the room is forgotten")
		}
	})
}

func TestSweepForgetsRoomsWhoseLifeIsOver(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		week := engine.Retention{Messages: 10, Age: 7 * 24 * time.Hour}
		fill(t, e, "no history", 1, engine.Retention{})
		fill(t, e, "a week", 1, week)
		fill(t, e, "latest", 1, engine.Retention{Latest: true})
		fill(t, e, "for ever", 1, keepAll)
		fill(t, e, "watched", 1, engine.Retention{})
		_ = e.Subscribe(context.Background(), "watched")
		names := func() (got string) {
			for _, name := range []string{"no history", "a week", "latest", "for ever", "watched"} {
				if r, _, _ := e.shard(name).find(name); r != nil {
					got += name + ", "
				}
			}
			return got
		}
		time.Sleep(engine.RoomLife - time.Second)
		if got := names(); got != "no history, a week, latest, for ever, watched, " {
			t.Fatal(got)
		}
		if swept(time.Second); names() != "a week, latest, for ever, watched, " {
			t.Fatal(names())
		}
		time.Sleep(week.Age - engine.RoomLife + engine.RoomSlack - 2*sweepEvery)
		if names() != "a week, latest, for ever, watched, " {
			t.Fatal(names())
		}
		if swept(2 * sweepEvery); names() != "latest, for ever, watched, " {
			t.Fatal(names())
		}
		e.Unsubscribe("watched")
		if swept(0); names() != "latest, for ever, " {
			t.Fatal(names())
		}
	})
}

// produced publishes a producer's only message.
func produced(t *testing.T, e *Engine, owner, room, producer string, keep engine.Retention) {
	t.Helper()
	p := publication(room, keep)
	p.Owner, p.Producer, p.Seq = owner, producer, 1
	if _, err := e.now(p); err != nil {
		t.Fatal(err)
	}
}

func TestProducersAreKeptAsLongAsHistory(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		for name, keep := range map[string]engine.Retention{
			"none": {}, "hour": {Messages: 1, Age: time.Hour}, "for ever": keepAll,
		} {
			produced(t, e, "alice", name, "p", keep)
		}
		for _, step := range []struct {
			sleep time.Duration
			want  int64
		}{{engine.KeyWindow, 3}, {sweepEvery, 2}, {time.Hour - engine.KeyWindow - sweepEvery, 2}, {sweepEvery, 1}, {engine.RoomLife - time.Hour - sweepEvery, 1}, {sweepEvery, 0}} {
			time.Sleep(step.sleep)
			if synctest.Wait(); e.quota.all.Load() != step.want {
				t.Fatalf("after %v more: %d producers, want %d", step.sleep, e.quota.all.Load(), step.want)
			}
		}
	})
}

func TestCrowdedOwnersProducersAreKeptForTheWindow(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		e.quota.maxOwner = 10
		for i := range 10 {
			produced(t, e, "alice", "room", fmt.Sprint(i), keepAll)
		}
		produced(t, e, "bob", "room", "bob's", keepAll)
		p := publication("room", keepAll)
		p.Owner, p.Producer, p.Seq = "alice", "one more", 1
		time.Sleep(engine.KeyWindow)
		if _, err := e.now(p); !errors.Is(err, engine.ErrTooManyKeys) {
			t.Fatalf("got %v", err)
		}
		swept(0)
		if _, err := e.now(p); err != nil {
			t.Fatal(err)
		}
		// Half of what alice may have, the one more, and bob's.
		if n := e.quota.all.Load(); n != 5+1+1 {
			t.Fatalf("%d producers are kept", n)
		}
	})
}

func TestCrowdedNodesProducersAreKeptForTheWindow(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		e.quota.maxAll = 10
		for i := range 10 {
			produced(t, e, fmt.Sprint(i), "room", fmt.Sprint(i), keepAll)
		}
		if swept(engine.KeyWindow); e.quota.all.Load() != 5 {
			t.Fatalf("%d producers are kept", e.quota.all.Load())
		}
	})
}

func TestKeysOfANodeAreBounded(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		e.quota.maxAll = 100
		keyed := func(i int) (engine.Receipt, error) {
			p := publication("room", keepAll)
			p.Owner, p.Message.Key = fmt.Sprint(i), "k"
			return e.now(p)
		}
		for i := range 99 {
			if _, err := keyed(i); err != nil {
				t.Fatal(err)
			}
		}
		produced(t, e, "alice", "room", "p", keepAll) // counts as one
		for range 3 {
			if _, err := keyed(100); !errors.Is(err, engine.ErrTooManyKeys) {
				t.Fatalf("got %v", err)
			}
		}
		if r, err := keyed(0); err != nil || !r.Duplicate {
			t.Fatalf("a key that lives was given up: %+v, %v", r, err)
		}
		verify(t, e)
		// Between two sweeps, too, a key's place is free as soon as it has expired.
		time.Sleep(engine.KeyWindow + time.Second)
		for i := range 99 {
			if r, err := keyed(1000 + i); err != nil || r.Duplicate {
				t.Fatalf("key %d: %+v, %v", i, r, err)
			}
		}
	})
}

func TestSweepForgetsKeysAndRecords(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		p := publication("room", keepAll)
		p.Message.Key = "k"
		if _, err := e.now(p); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{time.Minute, time.Hour} {
			r := engine.Record{Kind: "kick", Key: after.String(), Expires: time.Now().Add(after)}
			if err := e.PutRecord(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		swept(engine.KeyWindow)
		if e.quota.all.Load() != 0 || len(e.records.live) != 1 {
			t.Fatalf("%d keys, %d records", e.quota.all.Load(), len(e.records.live))
		}
		for i := range e.keys.shards {
			if e.keys.shards[i].queue.items != nil {
				t.Fatal("an empty queue keeps memory")
			}
		}
	})
}

func TestRefusedProducerLeavesNothingBehind(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		fill(t, e, "room", 1, keepAll)
		p := publication("room", keepAll)
		p.Producer, p.Seq = "p", 2
		if _, err := e.now(p); !errors.Is(err, engine.ErrOutOfOrder) || e.quota.all.Load() != 0 {
			t.Fatalf("%v; %d producers are remembered", err, e.quota.all.Load())
		}
	})
}
