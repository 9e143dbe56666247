package hub

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

func TestJoinStartsWhereItIsAskedTo(t *testing.T) {
	small := rule.Rule{Pattern: "**", History: engine.Retention{Messages: 5, Bytes: 1 << 20, Age: time.Hour}}
	h := newHub(t, small)
	var at []protocol.Position
	keeper := newSocket(h, new(lines), "keeper")
	at = append(at, keeper.join(t, JoinRequest{Room: "r"}).Position)
	for i := range 10 {
		at = append(at, publish(t, h, "r", fmt.Sprint(i+1)))
	}
	other := at[8]
	other.Check++
	anew := at[8]
	anew.Epoch++
	for _, c := range []struct {
		name      string
		q         JoinRequest
		pos       protocol.Position
		count     int
		recovered bool
		reason    protocol.Reason
		replayed  string
		dropTail  bool
	}{
		{name: "nothing", pos: at[10]},
		{name: "last", q: JoinRequest{Last: 3}, pos: at[7], count: 3, replayed: "8 9 10"},
		{name: "last, more than kept", q: JoinRequest{Last: 100}, pos: at[5], count: 5, replayed: "6 7 8 9 10"},
		{name: "since", q: JoinRequest{Since: at[8]}, pos: at[8], count: 2, recovered: true, replayed: "9 10"},
		{name: "since the head", q: JoinRequest{Since: at[10]}, pos: at[10], recovered: true},
		{name: "since the base, in the tail", q: JoinRequest{Since: at[5]}, pos: at[5], count: 5, recovered: true, replayed: "6 7 8 9 10"},
		{name: "expired, though the tail has it", q: JoinRequest{Since: at[4]}, pos: at[10], reason: protocol.ReasonExpired},
		{name: "since, from the log", dropTail: true, q: JoinRequest{Since: at[7]}, pos: at[7], count: 3, recovered: true, replayed: "8 9 10"},
		{name: "since the base", dropTail: true, q: JoinRequest{Since: at[5]}, pos: at[5], count: 5, recovered: true, replayed: "6 7 8 9 10"},
		{name: "expired", dropTail: true, q: JoinRequest{Since: at[4]}, pos: at[10], reason: protocol.ReasonExpired},
		{name: "diverged", q: JoinRequest{Since: other}, pos: at[10], reason: protocol.ReasonDiverged},
		{name: "epoch", q: JoinRequest{Since: anew}, pos: at[10], reason: protocol.ReasonEpoch},
		{name: "the future", q: JoinRequest{Since: at[10].Next(1)}, pos: at[10], reason: protocol.ReasonDiverged},
		{name: "unreadable", q: JoinRequest{Invalid: true}, pos: at[10], reason: protocol.ReasonEpoch},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := h.lookup("r"); c.dropTail {
				r.mu.Lock()
				for r.tail.first < r.tail.next {
					r.tail.drop()
				}
				r.mu.Unlock()
			}
			s := newSocket(h, new(lines), c.name)
			c.q.Room = "r"
			j := s.join(t, c.q)
			if j.Position != c.pos || j.Head != at[10] || j.Count != c.count || j.Recovered != c.recovered || j.Reason != c.reason {
				t.Fatalf("reply %+v", j)
			}
			expect(t, "replayed", s.say(t), c.replayed)
			if s.member.lag != nil {
				t.Fatal("still behind")
			}
		})
	}
}

func TestWhatHasLeftTheLogIsExpiredThoughTheTailHasIt(t *testing.T) {
	for name, keep := range map[string]engine.Retention{
		"none":  {},
		"bytes": {Messages: 100, Bytes: int64((&protocol.Message{Room: "r", Data: []byte("1")}).Size())},
		"age":   {Messages: 100, Age: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, rule.Rule{Pattern: "**", History: keep})
				newSocket(h, new(lines), "keeper").join(t, JoinRequest{Room: "r"})
				first := publish(t, h, "r", "1")
				publish(t, h, "r", "2")
				time.Sleep(2 * time.Minute)
				head := publish(t, h, "r", "3")
				j := newSocket(h, new(lines), "late").join(t, JoinRequest{Room: "r", Since: first})
				if j.Recovered || j.Reason != protocol.ReasonExpired || j.Position != head || j.Count != 0 {
					t.Errorf("since the first: %+v", j)
				}
				j = newSocket(h, new(lines), "there").join(t, JoinRequest{Room: "r", Since: head})
				if !j.Recovered || j.Position != head {
					t.Errorf("since the head: %+v", j)
				}
			})
		})
	}
}

func TestJoinRefusesTooMany(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 20_000, Bytes: 1 << 30, Age: time.Hour}})
	s := newSocket(h, new(lines), "a")
	since := s.join(t, JoinRequest{Room: "r"}).Position
	h.Leave(s.member, Departure{Now: true})
	for i := range protocol.MaxRecover + 1 {
		publish(t, h, "r", fmt.Sprint(i))
	}
	j := newSocket(h, new(lines), "b").join(t, JoinRequest{Room: "r", Since: since})
	if j.Recovered || j.Reason != protocol.ReasonTooMany || j.Count != 0 || j.Position != j.Head {
		t.Fatalf("reply %+v, want too_many at the head", j)
	}
}

func TestReplyComesBeforeTheFirstMessage(t *testing.T) {
	h := newHub(t)
	s := newSocket(h, new(lines), "a")
	since := s.join(t, JoinRequest{Room: "r"}).Position
	publish(t, h, "r", "1")
	b := newSocket(h, new(lines), "b")
	err := h.Join(t.Context(), JoinRequest{Room: "r", Since: since, Client: &b.client}, b, func(*Member, *protocol.Joined) {
		expect(t, "before the reply", b.say(t), "")
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "after the reply", b.say(t), "1")
}

func TestEmptyRoomIsKeptForALittleWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		s := newSocket(h, new(lines), "a")
		s.join(t, JoinRequest{Room: "r"})
		h.Leave(s.member, Departure{Now: true})
		time.Sleep(linger - time.Second)
		if h.lookup("r") == nil {
			t.Fatal("the room was closed at once")
		}
		s.join(t, JoinRequest{Room: "r"})
		time.Sleep(3 * linger)
		if h.lookup("r") == nil {
			t.Fatal("a room with a member was closed")
		}
		h.Leave(s.member, Departure{Now: true})
		time.Sleep(linger + 2*time.Second)
		if h.lookup("r") != nil {
			t.Fatal("an empty room was never closed")
		}
		if h.tailBytes.Load() != 0 {
			t.Fatalf("%d bytes of tails are left", h.tailBytes.Load())
		}
	})
}

func TestKickPutsOutAndKeepsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, a2, b := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "a"), newSocket(h, new(lines), "b")
		for _, s := range []*socket{a, a2, b} {
			s.join(t, JoinRequest{Room: "r"})
		}
		if err := h.Kick(t.Context(), "r", "a", "rude", time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*socket{a, a2} {
			if len(s.removed) != 1 || *s.removed[0] != (protocol.Kicked{Room: "r", Reason: "rude", For: 60}) {
				t.Fatalf("told %+v", s.removed)
			}
		}
		publish(t, h, "r", "1")
		expect(t, "the kicked", a.say(t)+a2.say(t), "")
		expect(t, "the other", b.say(t), "1")
		join := func() error {
			return h.Join(t.Context(), JoinRequest{Room: "r", Client: &a.client}, a, func(*Member, *protocol.Joined) {})
		}
		if err := join(); !errors.Is(err, ErrKicked) {
			t.Fatalf("joined again: %v", err)
		}
		time.Sleep(time.Minute)
		if err := join(); err != nil {
			t.Fatalf("after its time: %v", err)
		}
	})
}

func TestTellsOfTheFirstAndTheLastMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		h := newHubOn(t, memory.New(memory.Options{}), func(room string, occupied bool) {
			told = append(told, fmt.Sprint(room, occupied))
		})
		a, b := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "b")
		a.join(t, JoinRequest{Room: "r"})
		synctest.Wait()
		b.join(t, JoinRequest{Room: "r"})
		h.Leave(a.member, Departure{Now: true})
		synctest.Wait()
		h.Leave(b.member, Departure{})
		synctest.Wait()
		expect(t, "told", fmt.Sprint(told), "[rtrue rfalse]")
	})
}

// pages is an engine that notes how much was read of logs at once.
type pages struct {
	*memory.Engine
	messages, bytes int // of the largest page
}

func (e *pages) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	page, err := e.Engine.Read(ctx, room, q)
	size := 0
	for _, m := range page.Messages {
		size += m.Size()
	}
	e.messages, e.bytes = max(e.messages, len(page.Messages)), max(e.bytes, size)
	return page, err
}

func TestTheNewestMessagesAreReadInParts(t *testing.T) {
	e := &pages{Engine: memory.New(memory.Options{})}
	h := newHubOn(t, e, nil, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 5000}})
	var at []protocol.Position
	for i := range 3000 {
		at = append(at, publish(t, h, "r", fmt.Sprintf("%d%0*d", i%9+1, i%500, 0)))
	}
	for _, n := range []int{2500, 3000, 9999} {
		s := newSocket(h, new(lines), "a")
		j := s.join(t, JoinRequest{Room: "r", Last: n})
		n = min(n, len(at))
		if len(at) > n && j.Position != at[len(at)-n-1] || len(at) == n && j.Position.Offset != 0 || j.Count != n {
			t.Fatalf("the newest %d of %d: %+v", n, len(at), j)
		}
		got := s.take(t)
		if len(got) != n || got[0].Pos != at[len(at)-n].String() || got[n-1].Pos != at[len(at)-1].String() {
			t.Fatalf("%d messages were replayed, want the newest %d", len(got), n)
		}
	}
	if e.messages > replayMessages || e.bytes > maxRunBytes {
		t.Errorf("%d messages with %d bytes were read at once", e.messages, e.bytes)
	}
}
