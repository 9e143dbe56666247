package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/protocol"
)

func TestRequestsOfTheApplication(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		ask := func(data any) *outcome[json.RawMessage] {
			return later(func() (json.RawMessage, error) { return c.Request(t.Context(), "roll", data) })
		}
		request := ask(map[string]int{"sides": 6})
		e := p.expect("roll")
		if string(e.Data) != `{"sides":6}` {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, `"data":{"got":4}`)
		if got := request.must(t); string(got) != `{"got":4}` {
			t.Errorf("Request returned %s", got)
		}
		request = ask([]byte("raw"))
		e = p.expect("roll")
		if !e.Binary || string(e.Payload) != "raw" {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, "")
		if got := request.must(t); got != nil {
			t.Errorf("Request returned %s", got)
		}
		request = ask(1)
		p.fail(p.expect("roll"), "rate_limited", `"retry_after":2`)
		var limited *protocol.Error
		if _, err := request.wait(); !errors.As(err, &limited) || limited.RetryAfter != 2 {
			t.Errorf("Request returned %v", err)
		}
		lost := ask(2)
		p.expect("roll")
		p.cut()
		if _, err := lost.wait(); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Request returned %v", err)
		}
		waits := ask(3)
		synctest.Wait()
		p = l.open()
		e = p.expect("roll")
		if string(e.Data) != "3" {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, `"data":null`)
		waits.must(t)
		for _, name := range []string{"", "join", "publish", "ping", "auth"} {
			if _, err := c.Request(t.Context(), name, 1); err == nil {
				t.Errorf("%q was sent", name)
			}
		}
	})
}

func TestHistory(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		since, _ := protocol.ParsePosition(at(5))
		ask := func(o ...HistoryOptions) *outcome[*protocol.History] {
			return later(func() (*protocol.History, error) { return c.History(t.Context(), "general", o...) })
		}
		for _, test := range []struct {
			options []HistoryOptions
			want    envelope
		}{
			{nil, envelope{}},
			{[]HistoryOptions{{Limit: 9}}, envelope{Limit: 9}},
			{[]HistoryOptions{{Since: since}}, envelope{Since: at(5)}},
			{[]HistoryOptions{{Before: since}}, envelope{Before: at(5)}},
		} {
			history := ask(test.options...)
			p.expect("history")
			p.cut() // it may be asked for again
			p = l.open()
			e := p.expect("history")
			if e.Room != "general" || e.Limit != test.want.Limit || e.Since != test.want.Since || e.Before != test.want.Before {
				t.Errorf("the client sent %+v", e)
			}
			p.page(e, 6, 8, true)
			if h := history.must(t); len(h.Messages) != 3 || !h.More || h.Position.String() != at(8) {
				t.Errorf("History returned %+v", h)
			}
		}
		refused := ask(HistoryOptions{Since: since})
		p.ok(p.expect("history"), `"messages":[],"recovered":false,"reason":"epoch","pos":"`+at(1)+`"`)
		if h := refused.must(t); h.Refused != protocol.ReasonEpoch || h.Position.String() != at(1) {
			t.Errorf("History returned %+v", h)
		}
		if _, err := c.History(t.Context(), "general", HistoryOptions{Since: since, Before: since}); err == nil {
			t.Error("a history since and before was asked for")
		}
	})
}

func TestRequestsAreAskedAgainInTheirOrder(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		var all []*outcome[*protocol.History]
		for i := range 9 {
			all = append(all, later(func() (*protocol.History, error) {
				return c.History(t.Context(), "general", HistoryOptions{Limit: i + 1})
			}))
			p.expect("history")
		}
		p.cut()
		p = l.open()
		var limits []int
		for range all {
			e := p.expect("history")
			limits = append(limits, e.Limit)
			p.page(e, 1, 0, false)
		}
		if !slices.IsSorted(limits) {
			t.Errorf("asked in the order %v", limits)
		}
		for _, h := range all {
			h.must(t)
		}
	})
}

func TestRequestsEndWithTheirContext(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(name string) *outcome[json.RawMessage] {
			return later(func() (json.RawMessage, error) { return c.Request(ctx, name, 1) })
		}
		sent := ask("sent")
		p.expect("sent")
		gone, stop := context.WithCancel(t.Context())
		forgotten := later(func() (*protocol.History, error) { return c.History(gone, "general") })
		p.expect("history")
		stop()
		_, _ = forgotten.wait()
		again := later(func() (*protocol.History, error) { return c.History(ctx, "general") })
		p.expect("history")
		p.cut()
		_, _ = sent.wait()
		synctest.Wait()
		unsent := ask("unsent")
		synctest.Wait()
		cancel()
		if _, err := unsent.wait(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUncertain) {
			t.Errorf("Request returned %v", err)
		}
		if _, err := again.wait(); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUncertain) {
			t.Errorf("History returned %v", err)
		}
		if _, err := ask("dead").wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Request returned %v", err)
		}
		p = l.open()
		p.silent() // none of them is sent
		request := later(func() (json.RawMessage, error) { return c.Request(t.Context(), "next", 1) })
		p.ok(p.expect("next"), `"data":1`)
		request.must(t)
	})
}

func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		history := later(func() (*protocol.History, error) { return c.History(t.Context(), "general") })
		e := p.expect("history")
		e.Type = "join"
		p.ok(e, `"room":"general"`)
		if h, err := history.wait(); err == nil {
			t.Errorf("History returned %+v", h)
		}
	})
}
