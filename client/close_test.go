package client

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

func TestCloseSaysGoodbyeAndNeverComesBack(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, l, p := startJoined(t, Options{})
		closing := later(func() (int, error) { return 0, c.Close() })
		if code := p.expectClose(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		closing.must(t)
		if err := c.Close(); err != nil {
			t.Errorf("a second Close returned %v", err)
		}
		<-c.Done()
		if !errors.Is(c.Err(), ErrClosed) || c.Status().State != Closed {
			t.Errorf("closed with %v, the status is %+v", c.Err(), c.Status())
		}
		time.Sleep(time.Hour)
		if len(l.conns) != 0 {
			t.Error("it came back")
		}
	})
}

func TestCloseDoesNotWaitForAServerThatIsGone(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		began := time.Now()
		closing := later(func() (int, error) { return 0, c.Close() })
		opcode, _, _ := readFrame(p.reader)
		p.frame(9, nil)
		p.silent() // nothing follows a close frame
		closing.must(t)
		if got := time.Since(began); opcode != 8 || got != 2*time.Second {
			t.Errorf("it took %v after opcode %d", got, opcode)
		}
	})
}

func TestCloseDoesNotWaitWithoutAConnection(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(l *listener, p *peer)
	}{
		{"waiting", func(_ *listener, p *peer) { p.cut() }},
		{"dialling", func(l *listener, p *peer) { p.close(4503, "retry=0"); l.accept() }},
		{"greeting", func(l *listener, p *peer) { p.close(4503, "retry=0"); l.accept().upgrade() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				c, l, p := start(t, Options{Backoff: Backoff{Delay: func(int) time.Duration { return time.Hour }}})
				test.play(l, p)
				synctest.Wait()
				began := time.Now()
				_ = c.Close()
				if got := time.Since(began); got != 0 {
					t.Errorf("it took %v", got)
				}
			})
		})
	}
}

func TestCloseSettlesEverything(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{})
		p.message("general", 11)
		synctest.Wait()
		publishing := publish(t, c, 1)
		p.expect("publish")
		request := later(func() (json.RawMessage, error) { return c.Request(t.Context(), "mine", 1) })
		p.expect("mine")
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "other") })
		p.expect("join")
		leaving := later(func() (int, error) { return 0, r.Leave(t.Context()) })
		p.expect("leave")
		closing := later(func() (int, error) { return 0, c.Close() })
		if _, err := publishing.wait(); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := request.wait(); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Request returned %v", err)
		}
		if _, err := joining.wait(); !errors.Is(err, ErrClosed) {
			t.Errorf("Join returned %v", err)
		}
		leaving.must(t)
		if closing.returned() {
			t.Error("it was settled only with the connection's end")
		}
		p.expectClose()
		closing.must(t)
		readMessages(t, r, 11, 11)
		if _, err := r.Next(t.Context()); !errors.Is(err, ErrLeft) {
			t.Errorf("Next returned %v", err)
		}
		for name, call := range map[string]func() error{
			"Publish": func() error { _, err := c.Publish(t.Context(), "general", 1); return err },
			"Async":   func() error { _, err := c.PublishAsync("general", 1); return err },
			"Request": func() error { _, err := c.Request(t.Context(), "mine", 1); return err },
			"Join":    func() error { _, err := c.Join(t.Context(), "general"); return err },
			"History": func() error { _, err := c.History(t.Context(), "general"); return err },
		} {
			if err := call(); !errors.Is(err, ErrClosed) || errors.Is(err, ErrUncertain) {
				t.Errorf("%s returned %v", name, err)
			}
		}
	})
}

func TestAStopEndsTheRooms(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{})
		p.message("general", 11)
		p.close(4403, "blocked")
		<-c.Done()
		readMessages(t, r, 11, 11)
		var closed *CloseError
		if _, err := r.Next(t.Context()); !errors.As(err, &closed) || closed.Code != protocol.CloseForbidden {
			t.Errorf("Next returned %v", err)
		}
	})
}

func TestCloseSettlesWhatWaitsForAConnection(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, r, _, p := startJoined(t, Options{Backoff: Backoff{Delay: func(int) time.Duration { return time.Hour }}})
		asked := later(func() (*protocol.History, error) { return c.History(t.Context(), "general") })
		p.expect("history")
		p.cut()
		synctest.Wait()
		waiting := later(func() (json.RawMessage, error) { return c.Request(t.Context(), "mine", 1) })
		unsent := publish(t, c, 1)
		ephemeral, _ := c.PublishAsync("general", 2, PublishOptions{Ephemeral: true})
		if ephemeral != nil {
			t.Error("an ephemeral message was taken")
		}
		_ = c.Close()
		if _, err := asked.wait(); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUncertain) {
			t.Errorf("History returned %v", err)
		}
		if _, err := waiting.wait(); !errors.Is(err, ErrClosed) || errors.Is(err, ErrUncertain) {
			t.Errorf("Request returned %v", err)
		}
		if _, err := unsent.wait(); !errors.Is(err, ErrClosed) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		for e, err := range r.Events(t.Context()) {
			t.Errorf("the room has %v, %v", e, err)
		}
	})
}

func TestErrorsSayWhatHappened(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{newCloseError(4503, "draining;retry=3"), `connection closed with 4503 "draining"`},
		{newCloseError(1005, ""), "connection closed with 1005"},
		{&UpgradeError{Status: 502}, "the server answered with HTTP status 502"},
		{&UpgradeError{Status: 502, Body: "bad\ngateway\n"}, `the server answered with HTTP status 502: "bad\ngateway"`},
		{&GapError{protocol.Gap{Room: "r", Reason: "expired"}}, `room "r": messages were missed for good (expired)`},
		{&KickedError{protocol.Kicked{Room: "r", Reason: "spam", For: 60}}, `room "r": kicked for 60 s: "spam"`},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
	if got := []string{Connecting.String(), Open.String(), Closed.String(), State(9).String()}; !slices.Equal(got, []string{"connecting", "open", "closed", "unknown"}) {
		t.Errorf("the states are %v", got)
	}
}
