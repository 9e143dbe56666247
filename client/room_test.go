package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/protocol"
)

func TestEachPositionComesOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		for _, offset := range []int{9, 10, 11, 11, 12, 11, 13} {
			p.message("general", offset)
		}
		for want := uint64(11); want <= 13; want++ {
			if m := next[*protocol.Message](t, r); m.Position.Offset != want {
				t.Errorf("the message is %v, want %d", m.Position, want)
			}
		}
		nothing(t, r)
	})
}

func TestEventsOfARoom(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general", JoinOptions{Presence: true}) })
		p.ok(p.expect("join"), fmt.Sprintf(`"room":"general","pos":%q,"head":%q,"count":0,"present":2,"members":[{"user":"a"},{"user":"b","state":1}]`, at(1), at(1)))
		r := joining.must(t)
		if e := next[*protocol.Presence](t, r); e.Count != 2 || len(e.Members) != 2 || string(e.Members[1].State) != "1" {
			t.Errorf("the presence is %+v", e)
		}
		p.send(`{"type":"user_joined","room":"general","user":"c","name":"C","count":3}`)
		p.send(`{"type":"user_left","room":"general","user":"a","count":2}`)
		p.send(`{"type":"state","room":"general","user":"b","state":{"typing":true}}`)
		p.send(`{"type":"message","room":"general","from":{"user":"b"},"ts":1,"event":"typing","data":true}`)
		p.send(`{"type":"presence","room":"general","count":500}`)
		p.send(`{"type":"message","room":"elsewhere","from":{"user":"b"},"ts":1,"data":true}`)
		p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"lagged","pos":%q}`, at(9)))
		head := `{"type":"message","room":"general","pos":"aaaaaaab.10.00000000","from":{"user":"b"},"ts":1}`
		p.frame(2, append([]byte{0, byte(len(head))}, head+"raw"...))
		if e := next[*protocol.UserEvent](t, r); e.Left || e.User != "c" || e.Name != "C" || e.Count != 3 {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.UserEvent](t, r); !e.Left || e.User != "a" {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.State](t, r); e.User != "b" || string(e.State) != `{"typing":true}` {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.Message](t, r); !e.Position.IsZero() || e.Event != "typing" {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.Presence](t, r); e.Count != 500 {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.Gap](t, r); e.Reason != protocol.ReasonLagged {
			t.Errorf("%+v", e)
		}
		if e := next[*protocol.Message](t, r); string(e.Bytes) != "raw" || e.Position.Offset != 10 {
			t.Errorf("%+v", e)
		}
	})
}

func TestAnotherEpochIsAGapEvenIfTheServerDoesNotSaySo(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		p.send(`{"type":"message","room":"general","pos":"bbbbbbbb.1.00000000","from":{"user":"b"},"ts":1,"data":1}`)
		if g := next[*protocol.Gap](t, r); g.Reason != protocol.ReasonEpoch {
			t.Errorf("the gap is %+v", g)
		}
		if m := next[*protocol.Message](t, r); m.Position.Offset != 1 {
			t.Errorf("the message is %v", m.Position)
		}
	})
}

func TestAKickEndsTheRoom(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, l, p := startJoined(t, Options{})
		p.message("general", 11)
		p.send(`{"type":"kicked","room":"general","reason":"spam","for":60}`)
		next[*protocol.Message](t, r)
		if k := next[*protocol.Kicked](t, r); k.Reason != "spam" || k.For != 60 {
			t.Errorf("%+v", k)
		}
		for range 2 {
			var kicked *KickedError
			if _, err := r.Next(t.Context()); !errors.As(err, &kicked) || kicked.Reason != "spam" {
				t.Errorf("Next returned %v", err)
			}
		}
		p.cut()
		p = l.open()
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		if e := p.expect("join"); e.Since != "" { // the application's, not a rejoin
			t.Errorf("the client sent %+v", e)
		}
		p.cut()
		_ = c.Close()
		_, _ = joining.wait()
	})
}

func TestNextWaitsForItsContext(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		p.message("general", 11)
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if _, err := r.Next(ctx); err != cause {
			t.Errorf("Next returned %v", err)
		}
		next[*protocol.Message](t, r)
		nothing(t, r)
	})
}

func TestManyReadersShareARoom(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{})
		seen := make(chan uint64, 100)
		var readers []*outcome[int]
		for range 4 {
			readers = append(readers, later(func() (int, error) {
				for m, err := range r.Messages(t.Context()) {
					if err != nil {
						return 0, err
					}
					seen <- m.Position.Offset
				}
				return 0, nil
			}))
		}
		for offset := 11; offset <= 50; offset++ {
			p.message("general", offset)
		}
		synctest.Wait()
		if len(seen) != 40 {
			t.Errorf("%d messages were read", len(seen))
		}
		p.cut()
		_ = c.Close()
		for _, reader := range readers {
			reader.must(t) // Close ends every one of them
		}
	})
}

func TestEveryReaderThatWaitsIsServed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		var readers []*outcome[Event] // each reads once, so that none can wake another later
		for range 4 {
			readers = append(readers, later(func() (Event, error) { return r.Next(t.Context()) }))
		}
		synctest.Wait()
		var both bytes.Buffer
		for offset := 11; offset <= 12; offset++ {
			text := fmt.Sprintf(`{"type":"message","room":"general","pos":%q,"from":{"user":"bob"},"ts":1,"data":1}`, at(offset))
			_ = writeFrame(&both, 1, []byte(text))
		}
		_ = writeFrame(&both, 1, []byte(`{"type":"kicked","room":"general","reason":"spam","for":60}`))
		p.raw(both.String())
		for _, reader := range readers {
			if !reader.returned() {
				t.Fatal("a reader still waits")
			}
		}
	})
}

func TestAReaderWakesTheNext(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		for _, end := range []string{
			`{"type":"user_left","room":"general","user":"c","count":2}`,
			`{"type":"kicked","room":"general","reason":"spam","for":60}`,
		} {
			p.send(`{"type":"user_joined","room":"general","user":"c","count":3}`)
			p.send(end)
			synctest.Wait()
			<-r.ready // as a reader that had found nothing just before, and then takes one event only
			_, _ = r.pop()
			select {
			case <-r.ready:
			default:
				t.Error("the next reader was not woken")
			}
			_, _ = r.pop()
		}
		select {
		case <-r.ready:
		default:
			t.Error("the next reader was not woken to learn of the end")
		}
	})
}

func TestMessagesYieldsGapsAndGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		p.message("general", 11)
		p.send(`{"type":"user_joined","room":"general","user":"c","count":3}`)
		p.send(fmt.Sprintf(`{"type":"gap","room":"general","reason":"lagged","pos":%q}`, at(20)))
		p.message("general", 21)
		p.send(`{"type":"kicked","room":"general","reason":"spam","for":60}`)
		var got []string
		for m, err := range r.Messages(t.Context()) {
			var gap *GapError
			var kicked *KickedError
			switch {
			case errors.As(err, &gap):
				got = append(got, fmt.Sprint("gap ", gap.Reason))
			case errors.As(err, &kicked):
				got = append(got, "kicked")
			case err != nil:
				t.Fatal(err)
			default:
				got = append(got, fmt.Sprint(m.Position.Offset))
			}
		}
		if want := "[11 gap lagged 21 kicked]"; fmt.Sprint(got) != want {
			t.Errorf("yielded %v, want %s", got, want)
		}
	})
}

func TestIterationsEndWithoutAnErrorWhenTheApplicationEndsThem(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{})
		inLeft := later(func() (int, error) {
			for _, err := range r.Events(t.Context()) {
				return 0, err
			}
			return 0, nil
		})
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		p.ok(p.expect("leave"), "")
		leaving.must(t)
		inLeft.must(t)
		ctx, cancel := context.WithCancel(t.Context())
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "other") })
		p.joined(p.expect("join"), 1)
		other := joining.must(t)
		cancel()
		count := 0
		for _, err := range other.Messages(ctx) {
			if count++; !errors.Is(err, context.Canceled) {
				t.Errorf("yielded %v", err)
			}
		}
		if count != 1 {
			t.Errorf("yielded %d times", count)
		}
	})
}

func TestPresenceIsListedByPages(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		listing := later(func() (*protocol.Presence, error) {
			return r.Presence(t.Context(), PresenceOptions{Limit: 2, Next: "b"})
		})
		e := p.expect("presence")
		if e.Room != "general" || e.Limit != 2 || e.Next != "b" {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, `"members":[{"user":"c"},{"user":"d"}],"count":9,"next":"d"`)
		if list := listing.must(t); list.Count != 9 || list.Next != "d" || len(list.Members) != 2 {
			t.Errorf("the list is %+v", list)
		}
	})
}

func TestARoomPublishesToItself(t *testing.T) {
	inTime(t, func(t *testing.T) {
		_, r, _, p := startJoined(t, Options{})
		publishing := later(func() (protocol.Published, error) { return r.Publish(t.Context(), 1, PublishOptions{Event: "e"}) })
		e := p.expect("publish")
		if e.Room != "general" || e.Event != "e" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 11)
		publishing.must(t)
		if _, err := r.PublishAsync(2); err != nil {
			t.Fatal(err)
		}
		if e := p.expect("publish"); e.Room != "general" || string(e.Data) != "2" {
			t.Errorf("the client sent %+v", e)
		}
		if err := r.SetState(t.Context(), func() {}); err == nil {
			t.Error("a function was taken as a state")
		}
		if _, err := r.Presence(t.Context(), PresenceOptions{}, PresenceOptions{}); err == nil {
			t.Error("two sets of options were taken")
		}
	})
}
