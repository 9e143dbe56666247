package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// unlimited lets a client do what it can.
var unlimited = wireroom.Limits{PublishRate: -1, PublishBurst: -1, JoinRate: -1, JoinBurst: -1, ByteRate: -1, PublishWait: -1}

// everything keeps every message of a test.
var everything = []wireroom.Rule{{Pattern: "**", History: engine.Retention{Messages: 100_000, Bytes: 1 << 30, Age: time.Hour}}}

// serve starts a server on a real port.
func serve(t *testing.T, o wireroom.Options) (server *wireroom.Server, url string) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, "ws" + strings.TrimPrefix(web.URL, "http")
}

// quick makes tests over real connections quick.
var quick = client.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond}

// connect dials a server.
func connect(t *testing.T, url string, o client.Options) *client.Client {
	t.Helper()
	o.Backoff = quick
	c, err := client.Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// enter joins a room.
func enter(t *testing.T, c *client.Client, room string, o client.JoinOptions) *client.Room {
	t.Helper()
	r, err := c.Join(t.Context(), room, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// take returns the room's next event, which must be a T.
func take[T client.Event](t *testing.T, r *client.Room) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := r.Next(ctx)
	is, ok := e.(T)
	if err != nil || !ok {
		t.Fatalf("the event is %T %+v, %v; want %T", e, e, err, is)
	}
	return is
}

func TestKeepsWithinTheLimitsOfTheServer(t *testing.T) {
	_, url := serve(t, wireroom.Options{Limits: wireroom.Limits{PublishRate: 200, PublishBurst: 20}})
	c := connect(t, url, client.Options{})
	r := enter(t, c, "general", client.JoinOptions{})
	const messages = 300
	for i := range messages {
		if _, err := r.PublishAsync(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range messages {
		if m := take[*protocol.Message](t, r); string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("%s came where %d was next", m.Data, i)
		}
	}
}

func TestAServerThatStartsAnewIsAGap(t *testing.T) {
	old, oldURL := serve(t, wireroom.Options{})
	_, newURL := serve(t, wireroom.Options{})
	var mu sync.Mutex
	url := oldURL
	c := connect(t, "ws://server/ws", client.Options{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(url, "ws://"))
	}})
	r := enter(t, c, "general", client.JoinOptions{})
	for range 3 {
		if _, err := r.Publish(t.Context(), "old"); err != nil {
			t.Fatal(err)
		}
		take[*protocol.Message](t, r)
	}
	mu.Lock()
	url = newURL
	mu.Unlock()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if g := take[*protocol.Gap](t, r); g.Reason != protocol.ReasonEpoch {
		t.Errorf("the gap is %+v", g)
	}
	if _, err := r.Publish(t.Context(), "new"); err != nil { // the producer is not known there
		t.Fatal(err)
	}
	if m := take[*protocol.Message](t, r); string(m.Data) != `"new"` || m.Position.Offset != 1 {
		t.Errorf("the message is %+v", m)
	}
}

func TestWhatTheServerForgotIsAGap(t *testing.T) {
	_, url := serve(t, wireroom.Options{Limits: unlimited, Rules: []wireroom.Rule{{Pattern: "**", History: engine.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}}}})
	c := connect(t, url, client.Options{RoomBuffer: 8})
	r := enter(t, c, "general", client.JoinOptions{})
	for i := range 100 {
		if _, err := c.Publish(t.Context(), "general", i); err != nil {
			t.Fatal(err)
		}
	}
	last, gaps := 0, 0
	for last != 99 {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case *protocol.Gap:
			gaps++
			if _, err := c.Publish(t.Context(), "general", 99); err != nil {
				t.Fatal(err)
			}
		case *protocol.Message:
			_ = json.Unmarshal(e.Data, &last)
		}
	}
	if gaps == 0 {
		t.Error("messages were missing without a gap")
	}
}

func TestARoomOfTheLatestBeginsWithTheNewestOfEachEvent(t *testing.T) {
	latest := wireroom.Rule{Pattern: "**", Delivery: wireroom.Latest, History: engine.Retention{Messages: 1, Bytes: 1 << 20, Age: time.Hour, Latest: true}}
	_, url := serve(t, wireroom.Options{Rules: []wireroom.Rule{latest}})
	var w wires
	c := connect(t, url, client.Options{Dial: w.dial})
	publish := func(c *client.Client, n int) {
		t.Helper()
		for i := range n {
			if _, err := c.Publish(t.Context(), "prices", i, client.PublishOptions{Event: fmt.Sprint("e", i%3)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(c, 20)
	r := enter(t, c, "prices", client.JoinOptions{})
	expect := func(want ...string) {
		t.Helper()
		for _, text := range want {
			if m := take[*protocol.Message](t, r); m.Event+" "+string(m.Data) != text {
				t.Errorf("%s is %s, want %s", m.Event, m.Data, text)
			}
		}
	}
	expect("e2 17", "e0 18", "e1 19")
	w.cut()
	other := connect(t, url, client.Options{})
	publish(other, 12)
	newest := make(map[string]string) // by event; what came before and after the cut depends on when it was noticed
	for newest["e0"] != "9" || newest["e1"] != "10" || newest["e2"] != "11" {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := e.(*protocol.Message); ok {
			newest[m.Event] = string(m.Data)
		}
	}
	publish(other, 1)
	expect("e0 0")
}

func TestPeopleAreSeenAndSeeEachOther(t *testing.T) {
	_, url := serve(t, wireroom.Options{})
	alice := connect(t, url, client.Options{Name: "Alice"})
	bob := connect(t, url, client.Options{Name: "Bob"})
	room := enter(t, alice, "general", client.JoinOptions{Presence: true, State: "here"})
	if p := take[*protocol.Presence](t, room); p.Count != 1 || p.Members[0].Name != "Alice" || string(p.Members[0].State) != `"here"` {
		t.Errorf("the presence is %+v", p)
	}
	bobs := enter(t, bob, "general", client.JoinOptions{})
	if e := take[*protocol.UserEvent](t, room); e.Left || e.Name != "Bob" || e.Count != 2 {
		t.Errorf("%+v", e)
	}
	if err := bobs.SetState(t.Context(), "typing"); err != nil {
		t.Fatal(err)
	}
	if e := take[*protocol.State](t, room); e.User != bob.Status().User || string(e.State) != `"typing"` {
		t.Errorf("%+v", e)
	}
	list, err := bobs.Presence(t.Context())
	if err != nil || list.Count != 2 || len(list.Members) != 2 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if _, err := bob.Send(t.Context(), alice.Status().User, "psst"); err != nil {
		t.Fatal(err)
	}
	if m := take[*protocol.Message](t, alice.Inbox()); string(m.Data) != `"psst"` || m.From.Name != "Bob" {
		t.Errorf("%+v", m)
	}
	_ = bob.Close() // with 1000, which needs no grace
	if e := take[*protocol.UserEvent](t, room); !e.Left || e.Count != 1 {
		t.Errorf("%+v", e)
	}
}

func TestPayloadsArriveAsTheyWereSent(t *testing.T) {
	_, url := serve(t, wireroom.Options{})
	c := connect(t, url, client.Options{})
	r := enter(t, c, "general", client.JoinOptions{})
	if _, err := r.Publish(t.Context(), []byte("\x00\xff"), client.PublishOptions{Event: "e"}); err != nil {
		t.Fatal(err)
	}
	if m := take[*protocol.Message](t, r); string(m.Bytes) != "\x00\xff" || m.Data != nil || m.Event != "e" {
		t.Errorf("%+v", m)
	}
	if _, err := r.Publish(t.Context(), []byte{}); err != nil {
		t.Fatal(err)
	}
	if m := take[*protocol.Message](t, r); m.Bytes == nil || len(m.Bytes) != 0 {
		t.Errorf("%+v", m)
	}
	if _, err := r.Publish(t.Context(), json.RawMessage(`{"a":  1}`), client.PublishOptions{Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if m := take[*protocol.Message](t, r); string(m.Data) != `{"a":  1}` || m.Key != "k" {
		t.Errorf("%+v", m)
	}
	again, err := r.Publish(t.Context(), 2, client.PublishOptions{Key: "k"})
	if err != nil || !again.Duplicate {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := r.Publish(t.Context(), "silent", client.PublishOptions{NoEcho: true}); err != nil {
		t.Fatal(err)
	}
	if p, err := r.Publish(t.Context(), "now", client.PublishOptions{Ephemeral: true}); err != nil || !p.Position.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	if m := take[*protocol.Message](t, r); string(m.Data) != `"now"` || !m.Position.IsZero() {
		t.Errorf("%+v", m)
	}
	h, err := c.History(t.Context(), "general", client.HistoryOptions{Limit: 2})
	if err != nil || len(h.Messages) != 2 || !h.More || string(h.Messages[1].Data) != `"silent"` {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestTheApplicationIsAsked(t *testing.T) {
	server, url := serve(t, wireroom.Options{})
	server.Handle("double", func(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
		var n int
		if err := json.Unmarshal(m.Data, &n); err != nil {
			return &protocol.Error{Code: protocol.CodeInvalidData, Message: "no number"}
		}
		return m.Reply(2 * n)
	})
	c := connect(t, url, client.Options{})
	if got, err := c.Request(t.Context(), "double", 21); err != nil || string(got) != "42" {
		t.Errorf("Request returned %s, %v", got, err)
	}
	var refused *protocol.Error
	if _, err := c.Request(t.Context(), "double", "x"); !errors.As(err, &refused) || refused.Code != protocol.CodeInvalidData {
		t.Errorf("Request returned %v", err)
	}
	if _, err := c.Request(t.Context(), "triple", 1); !errors.As(err, &refused) || refused.Code != protocol.CodeUnknownType {
		t.Errorf("Request returned %v", err)
	}
}

func TestAKickedClientIsOut(t *testing.T) {
	server, url := serve(t, wireroom.Options{})
	c := connect(t, url, client.Options{})
	r := enter(t, c, "general", client.JoinOptions{})
	if err := server.Kick(t.Context(), "general", c.Status().User, "spam", time.Minute); err != nil {
		t.Fatal(err)
	}
	if k := take[*protocol.Kicked](t, r); k.Reason != "spam" {
		t.Errorf("%+v", k)
	}
	var refused *protocol.Error
	if _, err := c.Join(t.Context(), "general"); !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden {
		t.Errorf("Join returned %v", err)
	}
}

func TestAnAnonymousUserComesBack(t *testing.T) {
	_, url := serve(t, wireroom.Options{})
	var w wires
	opened := make(chan client.Status, 10)
	c := connect(t, url, client.Options{Name: "Alice", Dial: w.dial, OnState: func(s client.Status) {
		if s.State == client.Open {
			opened <- s
		}
	}})
	first := <-opened
	w.cut()
	if second := <-opened; second.User != first.User || first.User == "" {
		t.Errorf("%q came back as %q", first.User, second.User)
	}
	again := connect(t, url, client.Options{Token: c.Token()}) // in a later run
	if got := again.Status().User; got != first.User {
		t.Errorf("%q came back as %q", first.User, got)
	}
}

func TestABadTokenIsRefused(t *testing.T) {
	_, url := serve(t, wireroom.Options{})
	_, err := client.Dial(t.Context(), url, client.Options{Token: "made up"})
	var upgrade *client.UpgradeError
	if !errors.Is(err, client.ErrUnauthorized) || !errors.As(err, &upgrade) || upgrade.Status != http.StatusUnauthorized {
		t.Errorf("Dial returned %v", err)
	}
}
