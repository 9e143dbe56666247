package memory

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

func TestFullEngineTrimsTheLogPublishedToLongestAgo(t *testing.T) {
	bubble(t, Options{MaxBytes: 10 * size}, func(t *testing.T, e *Engine) {
		old := fill(t, e, "old", 3, keepAll)
		time.Sleep(time.Second)
		fill(t, e, "older than it seems", 3, keepAll)
		time.Sleep(time.Second)
		fill(t, e, "young", 4, keepAll)
		verify(t, e)
		for i := range 3 { // each takes one of the old room's
			time.Sleep(time.Second)
			fill(t, e, "young", 1, keepAll)
			if got := length(t, e, "old"); got != 2-i {
				t.Fatalf("%d messages of the oldest log are left, want %d", got, 2-i)
			}
		}
		fill(t, e, "young", 1, keepAll)
		if got := [2]int{length(t, e, "older than it seems"), length(t, e, "young")}; got != [2]int{2, 8} {
			t.Fatalf("the logs have %v messages", got)
		}
		if e.bytes.Load() != 10*size {
			t.Fatalf("%d bytes are kept", e.bytes.Load())
		}
		// The room's positions stay.
		if page := read(t, e, "old", engine.Query{Since: old, Limit: 10}); page.Refused != "" || page.Head != old {
			t.Fatalf("the head is no longer proven: %+v", page)
		}
		before := old
		before.Offset--
		if page := read(t, e, "old", engine.Query{Since: before, Limit: 10}); page.Refused != protocol.ReasonExpired {
			t.Fatalf("refused: %q", page.Refused)
		}
	})
}

func TestPublishingMakesALogYoung(t *testing.T) {
	bubble(t, Options{MaxBytes: 4 * size}, func(t *testing.T, e *Engine) {
		fill(t, e, "a", 1, keepAll)
		time.Sleep(time.Second)
		fill(t, e, "b", 1, keepAll)
		time.Sleep(time.Second)
		fill(t, e, "a", 1, keepAll)
		fill(t, e, "c", 2, keepAll)
		if got := [3]int{length(t, e, "a"), length(t, e, "b"), length(t, e, "c")}; got != [3]int{2, 0, 2} {
			t.Fatalf("the logs have %v messages", got)
		}
	})
}

func TestFullEngineTrimsTheOnlyLog(t *testing.T) {
	bubble(t, Options{MaxBytes: 3 * size}, func(t *testing.T, e *Engine) {
		_ = e.Subscribe(context.Background(), "room")
		fill(t, e, "room", 10, keepAll)
		if n := length(t, e, "room"); n != 3 {
			t.Fatalf("%d messages are kept, want 3", n)
		}
	})
}

func TestMessageLargerThanTheEngineIsRefused(t *testing.T) {
	bubble(t, Options{MaxBytes: 3*size - 1}, func(t *testing.T, e *Engine) {
		fill(t, e, "room", 2, keepAll)
		p := publication("room", keepAll)
		p.Message.Data = make([]byte, 3*size)
		if _, err := e.now(p); !errors.Is(err, engine.ErrStorageFull) {
			t.Fatalf("got %v", err)
		}
		if n := length(t, e, "room"); n != 2 {
			t.Fatalf("%d messages were given up for it", 2-n)
		}
		p.Retention = engine.Retention{} // of which nothing is kept
		if _, err := e.now(p); err != nil {
			t.Fatal(err)
		}
	})
}

// What was stored before needs no space: who sends it again, because the answer was lost, is told where it stands, and
// nothing is given up for it.
func TestFullEngineRecognisesDuplicates(t *testing.T) {
	latest := engine.Retention{Latest: true}
	bubble(t, Options{MaxBytes: 4*size + 50}, func(t *testing.T, e *Engine) {
		keyed := func() *engine.Publication {
			p := publication("keyed", latest)
			p.Message.Key, p.Message.Event = "k", "e"
			return p
		}
		produced := func(seq uint64) *engine.Publication {
			p := publication("produced", latest)
			p.Producer, p.Seq = "p", seq
			return p
		}
		first, err := e.now(keyed())
		second, err2 := e.now(produced(1))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		fill(t, e, "log", 2, keepAll)
		for _, logged := range []int{2, 0} { // with a log that could be given up, and without
			for want, p := range map[engine.Receipt]*engine.Publication{first: keyed(), second: produced(1)} {
				want.Duplicate = true
				if got, err := e.now(p); err != nil || got != want {
					t.Fatalf("a duplicate in %q got %+v, %v; want %+v", p.Message.Room, got, err, want)
				}
			}
			if n := length(t, e, "log"); n != logged {
				t.Fatalf("%d of %d messages were given up for duplicates", logged-n, logged)
			}
			if logged > 0 {
				fill(t, e, "state", 1, latest)
				fill(t, e, "state2", 1, latest)
			}
		}
		for _, p := range []*engine.Publication{produced(2), publication("new", latest)} {
			if _, err := e.now(p); !errors.Is(err, engine.ErrStorageFull) {
				t.Fatalf("got %v", err)
			}
		}
	})
}

func TestLatestIsGivenUpLast(t *testing.T) {
	latest := engine.Retention{Latest: true}
	bubble(t, Options{MaxBytes: 4 * size}, func(t *testing.T, e *Engine) {
		fill(t, e, "state", 1, latest)
		time.Sleep(time.Hour)
		fill(t, e, "log", 10, keepAll)
		if n := len(read(t, e, "state", engine.Query{Latest: true}).Messages); n != 1 {
			t.Fatalf("the newest of an event was given up for a log")
		}
		for i := range 3 {
			fill(t, e, fmt.Sprint("state", i), 1, latest)
		}
		if n := length(t, e, "log"); n != 0 {
			t.Fatalf("%d messages of a log are kept", n)
		}
		verify(t, e)
		// Now "state" goes, whole, since its last publish is longer ago than the window.
		before := read(t, e, "state", engine.Query{}).Head
		fill(t, e, "state3", 1, latest)
		if page := read(t, e, "state", engine.Query{Since: before, Latest: true}); page.Refused != protocol.ReasonEpoch || len(page.Messages) > 0 {
			t.Fatalf("got %+v", page)
		}
		// The others were published to within the window.
		if _, err := e.now(publication("state4", latest)); !errors.Is(err, engine.ErrStorageFull) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(engine.KeyWindow + time.Second)
		_ = e.Subscribe(context.Background(), "state0")
		fill(t, e, "state4", 1, latest)
		if n := len(read(t, e, "state0", engine.Query{Latest: true}).Messages); n != 1 {
			t.Fatal("a subscribed room was forgotten")
		}
		e.Unsubscribe("state0")
	})
}

func TestNoBound(t *testing.T) {
	bubble(t, Options{MaxBytes: -1, MaxRooms: -1}, func(t *testing.T, e *Engine) {
		for i := range 100 {
			fill(t, e, fmt.Sprint(i), 1, keepAll)
		}
		if e.known() != 100 || e.bytes.Load() != 100*size {
			t.Fatalf("%d rooms, %d bytes", e.known(), e.bytes.Load())
		}
	})
}

func TestRoomPublishedToLongestAgoIsForgottenForAnother(t *testing.T) {
	bubble(t, Options{MaxRooms: 3}, func(t *testing.T, e *Engine) {
		heads := make(map[string]protocol.Position)
		for _, room := range []string{"a", "b", "c"} {
			heads[room] = fill(t, e, room, 2, keepAll)
			time.Sleep(time.Second)
		}
		time.Sleep(engine.KeyWindow)
		heads["a"] = fill(t, e, "a", 1, keepAll)
		heads["d"] = fill(t, e, "d", 1, keepAll)
		for room, head := range heads {
			want := protocol.Reason("")
			if room == "b" {
				want = protocol.ReasonEpoch
			}
			if page := read(t, e, room, engine.Query{Since: head}); page.Refused != want {
				t.Errorf("%q: refused %q, want %q", room, page.Refused, want)
			}
		}
		verify(t, e)
		// A room that is known is no further one.
		fill(t, e, "c", 1, keepAll)
		// All others were published to within the window, in which duplicates must be recognised.
		if _, err := e.now(publication("e", keepAll)); !errors.Is(err, engine.ErrStorageFull) {
			t.Fatalf("got %v", err)
		}
		if e.known() != 3 {
			t.Fatalf("%d rooms are known", e.known())
		}
		if fill(t, e, "b", 0, keepAll); length(t, e, "a") != 3 {
			t.Fatal("a room that is needed was touched")
		}
	})
}

func TestSubscribedRoomsAreNotForgotten(t *testing.T) {
	bubble(t, Options{MaxRooms: 2}, func(t *testing.T, e *Engine) {
		ctx := context.Background()
		_ = e.Subscribe(ctx, "watched")
		head := fill(t, e, "watched", 1, keepAll)
		for i := range 5 {
			time.Sleep(engine.KeyWindow + time.Second)
			fill(t, e, fmt.Sprint(i), 1, keepAll)
		}
		if page := read(t, e, "watched", engine.Query{Since: head}); page.Refused != "" || e.known() != 3 {
			t.Fatalf("refused %q; %d rooms are known", page.Refused, e.known())
		}
		e.Unsubscribe("watched")
		verify(t, e)
		_ = e.Subscribe(ctx, "watched")
		verify(t, e)
	})
}

// Whoever names rooms at random makes the engine keep nothing.
func TestUnwrittenRoomsCostNothing(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		ctx := context.Background()
		read(t, e, "read", engine.Query{Last: 1, Limit: 1})
		ephemeral := publication("ephemeral", engine.Retention{})
		ephemeral.Ephemeral = true
		if _, err := e.now(ephemeral); err != nil {
			t.Fatal(err)
		}
		refused := publication("refused", keepAll)
		refused.Producer, refused.Seq = "p", 2
		if _, err := e.now(refused); !errors.Is(err, engine.ErrOutOfOrder) {
			t.Fatal(err)
		}
		e.Unsubscribe("unknown")
		_ = e.Subscribe(ctx, "subscribed")
		before := read(t, e, "subscribed", engine.Query{}).Head
		refused.Message.Room = "subscribed"
		if _, err := e.now(refused); !errors.Is(err, engine.ErrOutOfOrder) {
			t.Fatal(err)
		}
		if e.known() != 1 {
			t.Fatalf("%d rooms are known, want 1", e.known())
		}
		e.Unsubscribe("subscribed")
		if e.known() != 0 {
			t.Fatalf("%d rooms are known, want none", e.known())
		}
		fill(t, e, "subscribed", 2, keepAll)
		if page := read(t, e, "subscribed", engine.Query{Since: before, Limit: 10}); page.Refused != "" || len(page.Messages) != 2 {
			t.Fatalf("the position of the empty room is no longer proven: %+v", page)
		}
	})
}

// Whoever has looked a room up when it is forgotten looks it up again.
func TestRoomIsForgottenWhileOthersWaitForIt(t *testing.T) {
	e := opened(t, Options{})
	keep := engine.Retention{Messages: 10, Age: 1} // so that who trims it has something to trim
	for i := range 20 {
		name := fmt.Sprint("room", i)
		fill(t, e, name, 3, keep)
		s := e.shard(name)
		r, _, err := s.find(name)
		if err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		var waiting sync.WaitGroup
		waiting.Go(func() { fill(t, e, name, 1, keep) })
		waiting.Go(func() { e.evict(size) })
		waiting.Go(func() { e.tidy(r) })
		for range 1000 { // until they wait, most likely
			runtime.Gosched()
		}
		s.mu.Lock()
		delete(s.rooms, name)
		e.end(r)
		s.mu.Unlock()
		r.mu.Unlock()
		waiting.Wait()
		verify(t, e)
		if n := length(t, e, name); n > 1 {
			t.Fatalf("%d messages", n)
		}
		fill(t, e, name, 1, keep)
		verify(t, e)
	}
}

func TestMessagesShareTheNameOfTheirRoom(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, e *Engine) {
		for range 3 {
			fill(t, e, strings.Clone("room"), 1, keepAll)
		}
		for _, m := range read(t, e, "room", engine.Query{Last: 3, Limit: 3}).Messages {
			if r, _, _ := e.shard("room").find("room"); unsafe.StringData(m.Room) != unsafe.StringData(r.name) {
				t.Error("a message keeps a copy of its own")
			}
		}
	})
}
