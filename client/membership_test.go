package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

func TestJoinSaysWhereToBegin(t *testing.T) {
	since, _ := protocol.ParsePosition(at(7))
	for _, test := range []struct {
		name    string
		options []JoinOptions
		want    envelope
	}{
		{"plain", nil, envelope{}},
		{"last", []JoinOptions{{Last: 20}}, envelope{Last: 20}},
		{"since", []JoinOptions{{Since: since}}, envelope{Since: at(7)}},
		{"presence", []JoinOptions{{Presence: true, State: map[string]int{"x": 1}}}, envelope{Presence: true, State: []byte(`{"x":1}`)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, _, p := start(t, Options{})
				joining := later(func() (*Room, error) { return c.Join(t.Context(), "general", test.options...) })
				e := p.expect("join")
				if e.Room != "general" || e.Last != test.want.Last || e.Since != test.want.Since || e.Presence != test.want.Presence || string(e.State) != string(test.want.State) {
					t.Errorf("the client sent %+v", e)
				}
				if joining.returned() {
					t.Fatal("Join returned before the answer")
				}
				p.joined(e, 10)
				r := joining.must(t)
				if r.Name() != "general" {
					t.Errorf("the room is %q", r.Name())
				}
				if want := cmp.Or(test.want.Since, at(10)); r.Position().String() != want {
					t.Errorf("the reader stands at %v, want %s", r.Position(), want)
				}
			})
		})
	}
}

func TestJoinReturnsARefusalAndRetriesWhatMayPass(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		began := time.Now()
		p.fail(p.expect("join"), "rate_limited", `"retry_after":2`)
		e := p.expect("join")
		if got := time.Since(began); got != 2*time.Second {
			t.Errorf("it tried again after %v", got)
		}
		p.fail(e, "engine_unavailable", "")
		p.expect("join")
		p.cut() // the next connection answers
		p = l.open()
		p.fail(p.expect("join"), "forbidden", "")
		_, err := joining.wait()
		var refused *protocol.Error
		if !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden || strings.Count(err.Error(), "general") != 1 {
			t.Errorf("Join returned %v", err)
		}
		again := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		p.joined(p.expect("join"), 1) // it may be tried anew
		again.must(t)
	})
}

func TestARoomThatTheServerHasJoinedIsJoinedAnew(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		p.message("general", 5) // as the server's application wants it
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		p.ok(p.expect("join"), `"room":"general","already":true`)
		p.ok(p.expect("leave"), "")
		p.ok(p.expect("join"), `"room":"general","already":true`)
		p.ok(p.expect("leave"), "")
		p.joined(p.expect("join"), 10)
		r := joining.must(t)
		p.message("general", 11)
		readMessages(t, r, 11, 11)
	})
}

func TestJoinIsNotTriedInHaste(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		began, tries := time.Now(), 0
		for ; time.Since(began) < time.Minute; tries++ {
			p.fail(p.expect("join"), "engine_unavailable", "")
		}
		if tries < 10 || tries > 100 {
			t.Errorf("%d tries in a minute", tries)
		}
		p.joined(p.expect("join"), 10)
		joining.must(t)
	})
}

func TestJoinRefusesWhatMakesNoSense(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, _, _ := startJoined(t, Options{})
		since, _ := protocol.ParsePosition(at(7))
		for _, test := range []struct {
			room    string
			options []JoinOptions
		}{
			{"", nil},
			{"$x", nil},
			{"a b", nil},
			{strings.Repeat("a", 201), nil},
			{"x", []JoinOptions{{Last: -1}}},
			{"x", []JoinOptions{{Last: 1, Since: since}}},
			{"x", []JoinOptions{{}, {}}},
			{"x", []JoinOptions{{State: make(chan int)}}},
		} {
			if _, err := c.Join(t.Context(), test.room, test.options...); err == nil {
				t.Errorf("%q, %+v was joined", test.room, test.options)
			}
		}
		if _, err := c.Join(t.Context(), "general"); !errors.Is(err, ErrJoined) {
			t.Errorf("a second join returned %v", err)
		}
	})
}

func TestAJoinThatIsGivenUpIsTakenBack(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		joining := later(func() (*Room, error) { return c.Join(ctx, "general") })
		late := p.expect("join")
		cancel()
		if _, err := joining.wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Join returned %v", err)
		}
		p.expect("leave")
		again := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		e := p.expect("join")
		p.joined(late, 10)
		p.message("general", 11) // of the membership that was taken back
		p.joined(e, 20)
		p.message("general", 21)
		if m := next[*protocol.Message](t, again.must(t)); m.Position.Offset != 21 {
			t.Errorf("the first message is %v", m.Position)
		}
	})
}

func TestRejoinsWhereItStood(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{}, JoinOptions{Last: 5, Presence: true, State: "here"})
		p.message("general", 11)
		p.message("general", 12)
		next[*protocol.Message](t, r) // 12 is not read yet, but need not be sent again
		p.cut()
		p = l.open()
		e := p.expect("join")
		if e.Since != at(12) || e.Last != 0 || !e.Presence || string(e.State) != `"here"` {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, fmt.Sprintf(`"room":"general","pos":%q,"head":%q,"count":1,"recovered":true`, at(12), at(13)))
		p.message("general", 13)
		for _, want := range []uint64{12, 13} {
			if m := next[*protocol.Message](t, r); m.Position.Offset != want {
				t.Errorf("the message is %v, want %d", m.Position, want)
			}
		}
		nothing(t, r)
		if r.Position().String() != at(13) {
			t.Errorf("the reader stands at %v", r.Position())
		}
	})
}

func TestRoomsAreRejoinedTogether(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		for i := range 50 {
			joining := later(func() (*Room, error) { return c.Join(t.Context(), fmt.Sprint("room-", i)) })
			p.joined(p.expect("join"), 10)
			joining.must(t)
		}
		p.cut()
		p = l.open()
		rooms := make(map[string]bool)
		for range 50 { // no join waits for the answer of another
			rooms[p.expect("join").Room] = true
		}
		if len(rooms) != 50 {
			t.Errorf("%d rooms were joined", len(rooms))
		}
	})
}

func TestAGapAfterAReconnectIsTold(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{})
		p.cut()
		p = l.open()
		p.ok(p.expect("join"), fmt.Sprintf(`"room":"general","pos":%q,"head":%q,"count":0,"recovered":false,"reason":"expired"`, at(50), at(50)))
		p.message("general", 51)
		if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonExpired || g.Position.String() != at(50) || g.Room != "general" {
			t.Errorf("the gap is %+v", g)
		}
		if r.Position().String() != at(50) {
			t.Errorf("the reader stands at %v", r.Position())
		}
		if m := next[*protocol.Message](t, r); m.Position.Offset != 51 {
			t.Errorf("the message is %v", m.Position)
		}
	})
}

func TestAJoinSinceThatCannotBeRecoveredIsTold(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		since, _ := protocol.ParsePosition(at(3))
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general", JoinOptions{Since: since}) })
		p.ok(p.expect("join"), fmt.Sprintf(`"room":"general","pos":%q,"head":%q,"count":0,"recovered":false,"reason":"diverged"`, at(2), at(2)))
		r := joining.must(t)
		if r.Position() != since {
			t.Errorf("the reader stands at %v before it has read of the gap", r.Position())
		}
		if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonDiverged {
			t.Errorf("the gap is %+v", g)
		}
	})
}

func TestARejoinThatIsRefusedEndsTheRoom(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{})
		p.message("general", 11)
		synctest.Wait()
		p.cut()
		p = l.open()
		p.fail(p.expect("join"), "forbidden", "")
		next[*protocol.Message](t, r) // what was received can still be read
		var refused *protocol.Error
		if _, err := r.Next(t.Context()); !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden {
			t.Errorf("Next returned %v", err)
		}
	})
}

func TestLeave(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, l, p := startJoined(t, Options{})
		p.message("general", 11)
		synctest.Wait()
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		e := p.expect("leave")
		p.message("general", 12)
		if leaving.returned() {
			t.Error("Leave returned before the answer")
		}
		p.ok(e, `"room":"general"`)
		leaving.must(t)
		next[*protocol.Message](t, r)
		if _, err := r.Next(t.Context()); !errors.Is(err, ErrLeft) {
			t.Errorf("Next returned %v", err)
		}
		if err := r.Leave(t.Context()); err != nil {
			t.Errorf("a second Leave returned %v", err)
		}
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		p.joined(p.expect("join"), 20)
		r = joining.must(t)
		p.cut()
		synctest.Wait()
		if err := r.Leave(t.Context()); err != nil { // at once, without a connection
			t.Errorf("Leave returned %v", err)
		}
		p = l.open()
		history := later(func() (*protocol.History, error) { return c.History(t.Context(), "general") })
		p.ok(p.expect("history"), `"messages":[],"pos":"`+at(1)+`"`) // and no join
		history.must(t)
	})
}

func TestLeaveWhileItIsRejoined(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{})
		p.cut()
		p = l.open()
		joining := p.expect("join")
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		e := p.expect("leave")
		p.joined(joining, 10)
		synctest.Wait()
		if r.stage != stageEnded {
			t.Error("the room is joined again")
		}
		p.ok(e, "")
		leaving.must(t)
	})
}

func TestLeaveReturnsWithTheConnection(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{})
		publish(t, c, 1) // is not read, so that nothing behind it can be written
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		if leaving.returned() {
			t.Error("Leave returned without an answer")
		}
		p.cut()
		leaving.must(t)
	})
}

func TestLeaveHoldsEvenIfItsContextEnds(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		leaving := later(func() (int, error) { return 0, r.Leave(ctx) })
		p.expect("leave")
		cancel()
		if _, err := leaving.wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Leave returned %v", err)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, ErrLeft) {
			t.Errorf("Next returned %v", err)
		}
	})
}

func TestStateHoldsOverReconnects(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, l, p := startJoined(t, Options{}, JoinOptions{State: "old"})
		setting := later(func() (int, error) { return 0, r.SetState(t.Context(), map[string]string{"mood": "<new>"}) })
		e := p.expect("state")
		if e.Room != "general" || string(e.State) != `{"mood":"<new>"}` {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, "")
		setting.must(t)
		refused := later(func() (int, error) { return 0, r.SetState(t.Context(), "bad") })
		p.fail(p.expect("state"), "too_large", "")
		var err *protocol.Error
		if _, got := refused.wait(); !errors.As(got, &err) || err.Code != protocol.CodeTooLarge {
			t.Errorf("SetState returned %v", got)
		}
		p.cut()
		p = l.open()
		if e := p.expect("join"); string(e.State) != `{"mood":"<new>"}` {
			t.Errorf("it came back with %s", e.State)
		}
	})
}
