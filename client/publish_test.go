package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// publish publishes beside the script.
func publish(t *testing.T, c *Client, data any, o ...PublishOptions) *outcome[protocol.Published] {
	t.Helper()
	p := later(func() (protocol.Published, error) { return c.Publish(t.Context(), "general", data, o...) })
	synctest.Wait()
	return p
}

func TestPublishReturnsWhenTheMessageIsCommitted(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{}) // which has joined nothing
		publishing := publish(t, c, map[string]string{"text": "a < b"})
		e := p.expect("publish")
		if e.Room != "general" || string(e.Data) != `{"text":"a < b"}` || e.Seq != 1 || len(e.Producer) < 22 || e.Echo != nil || e.Ephemeral {
			t.Errorf("the client sent %+v", e)
		}
		if publishing.returned() {
			t.Fatal("Publish returned before the answer")
		}
		p.ok(e, `"room":"general","pos":"`+at(7)+`","ts":99,"duplicate":true`)
		if got := publishing.must(t); got.Position.String() != at(7) || got.Time != 99 || !got.Duplicate {
			t.Errorf("Publish returned %+v", got)
		}
		publish(t, c, 2)
		if next := p.expect("publish"); next.Producer != e.Producer || next.Seq != 2 {
			t.Errorf("the client sent %+v", next)
		}
	})
}

func TestPayloadsAreSentAsTheirTypeSays(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		for _, test := range []struct {
			data any
			want string
		}{
			{nil, "null"}, {"é<", `"é<"`}, {json.RawMessage("[1,  2]"), "[1,  2]"}, {[]int{}, "[]"}, {struct{ A int }{1}, `{"A":1}`},
		} {
			publishing := publish(t, c, test.data)
			e := p.expect("publish")
			if e.Binary || string(e.Data) != test.want {
				t.Errorf("%v is sent as %s", test.data, e.Data)
			}
			p.published(e, 1)
			publishing.must(t)
		}
		for _, data := range [][]byte{[]byte("\x00\xff"), {}} {
			publishing := publish(t, c, data, PublishOptions{Event: "frame"})
			e := p.expect("publish")
			if !e.Binary || string(e.Payload) != string(data) || e.Data != nil || e.Event != "frame" {
				t.Errorf("%x is sent as %+v", data, e)
			}
			p.published(e, 1)
			publishing.must(t)
		}
		for _, data := range []any{json.RawMessage("{"), json.RawMessage(nil), func() {}} {
			if _, err := c.Publish(t.Context(), "general", data); err == nil {
				t.Errorf("%v was published", data)
			}
		}
	})
}

func TestThePayloadIsTheClientsOnceGiven(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		p.cut()
		synctest.Wait()
		data, raw := []byte("abc"), json.RawMessage(`"abc"`)
		_, _ = c.PublishAsync("general", data)
		_, _ = c.PublishAsync("general", raw)
		data[0], raw[1] = 'X', 'X'
		p = l.open()
		if e := p.expect("publish"); string(e.Payload) != "abc" {
			t.Errorf("the client sent %s", e.Payload)
		}
		if e := p.expect("publish"); string(e.Data) != `"abc"` {
			t.Errorf("the client sent %s", e.Data)
		}
	})
}

func TestPublishOptions(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		publish(t, c, 1, PublishOptions{Event: "tick", NoEcho: true})
		if e := p.expect("publish"); e.Event != "tick" || e.Echo == nil || *e.Echo || e.Seq != 1 {
			t.Errorf("the client sent %+v", e)
		}
		long := strings.Repeat("x", 65)
		for _, o := range [][]PublishOptions{{{Event: long}}, {{Key: long}}, {{Key: "k", Ephemeral: true}}, {{}, {}}} {
			if _, err := c.Publish(t.Context(), "general", 1, o...); err == nil {
				t.Errorf("%+v were taken", o)
			}
		}
		var refused *protocol.Error
		if _, err := c.Publish(t.Context(), "no room", 1); !errors.As(err, &refused) || refused.Code != protocol.CodeInvalidRoom {
			t.Errorf("Publish returned %v", err)
		}
	})
}

func TestSendGoesToAnInbox(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		sending := later(func() (protocol.Published, error) { return c.Send(t.Context(), "b@b", "psst") })
		e := p.expect("publish")
		if e.Room != "@b~40b" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 1)
		sending.must(t)
	})
}

func TestTooLongMessagesAreNotSent(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		var refused *protocol.Error
		if _, err := c.Publish(t.Context(), "general", strings.Repeat("x", 65536)); !errors.As(err, &refused) || refused.Code != protocol.CodeTooLarge {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := c.Request(t.Context(), "mine", make([]byte, 65536)); !errors.As(err, &refused) || refused.Code != protocol.CodeTooLarge {
			t.Errorf("Request returned %v", err)
		}
		publishing := publish(t, c, 1)
		e := p.expect("publish")
		if e.Seq != 1 {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 1)
		publishing.must(t)
	})
}

func TestWhatWasNotSentIsTakenBack(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		sent := later(func() (protocol.Published, error) { return c.Publish(ctx, "general", "sent") })
		p.expect("publish")
		p.cut()
		synctest.Wait()
		unsent := later(func() (protocol.Published, error) { return c.Publish(ctx, "general", "unsent") })
		synctest.Wait()
		cancel()
		if _, err := sent.wait(); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := unsent.wait(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := c.Publish(ctx, "general", "dead"); !errors.Is(err, context.Canceled) {
			t.Errorf("Publish returned %v", err)
		}
		last := publish(t, c, "last")
		p = l.open()
		e := p.expect("publish")
		if string(e.Data) != `"sent"` {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 1)
		e = p.expect("publish")
		if string(e.Data) != `"last"` || e.Seq != 2 {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 2)
		last.must(t)
	})
}

func TestPendingSettles(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		pending, err := c.PublishAsync("general", 1)
		if err != nil {
			t.Fatal(err)
		}
		e := p.expect("publish")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := pending.Result(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Result returned %v", err)
		}
		p.published(e, 9)
		<-pending.Done()
		for range 2 { // any number of times, whatever the context
			if got, err := pending.Result(ctx); err != nil || got.Position.Offset != 9 {
				t.Errorf("Result returned %+v, %v", got, err)
			}
		}
	})
}

func TestEphemeralMessagesAreSentOnceOrNotAtAll(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		ephemeral := PublishOptions{Ephemeral: true}
		publishing := publish(t, c, 1, ephemeral)
		e := p.expect("publish")
		if !e.Ephemeral || e.Producer != "" || e.Seq != 0 {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, `"room":"general","ts":5`)
		if got := publishing.must(t); !got.Position.IsZero() || got.Time != 5 {
			t.Errorf("Publish returned %+v", got)
		}
		refused := publish(t, c, 2, ephemeral)
		p.fail(p.expect("publish"), "rate_limited", "")
		var limited *protocol.Error
		if _, err := refused.wait(); !errors.As(err, &limited) {
			t.Errorf("Publish returned %v", err)
		}
		lost := publish(t, c, 3, ephemeral)
		p.expect("publish")
		p.cut()
		if _, err := lost.wait(); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := c.Publish(t.Context(), "general", 4, ephemeral); !errors.Is(err, ErrDisconnected) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		p = l.open()
		publish(t, c, 5)
		if e := p.expect("publish"); string(e.Data) != "5" {
			t.Errorf("the client sent %+v", e)
		}
	})
}
