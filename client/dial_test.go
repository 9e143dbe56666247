package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

func TestDialReturnsWhenWelcomed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		dialled := later(func() (*Client, error) {
			return Dial(ctx, "ws://server:8080", Options{Name: "Al ice", NoInbox: true, Dial: l.dial, HTTPHeader: http.Header{"X-More": {"yes"}}})
		})
		p := l.accept()
		if got := p.request.URL.String(); got != "/ws?name=Al+ice" {
			t.Errorf("the client asked for %s", got)
		}
		if p.request.Host != "server:8080" || p.request.Header.Get("X-More") != "yes" || p.request.Header["Authorization"] != nil {
			t.Errorf("the client sent %v for %s", p.request.Header, p.request.Host)
		}
		p.upgrade()
		if dialled.returned() {
			t.Fatal("Dial returned before the welcome")
		}
		p.welcome(`"user":"anon-1","inbox":"@anon-1"`)
		c := dialled.must(t)
		if s := c.Status(); s.State != Open || s.User != "anon-1" || c.Welcome().Node != "n1" {
			t.Errorf("the status is %+v, the welcome %+v", s, c.Welcome())
		}
		cancel() // has no effect any more
		history := later(func() (*protocol.History, error) { return c.History(t.Context(), "general") })
		p.ok(p.expect("history"), `"room":"general","messages":[],"pos":"`+at(1)+`"`)
		history.must(t)
		p.cut()
		_ = c.Close()
	})
}

func TestDialReturnsTheFirstFailure(t *testing.T) {
	tests := []struct {
		name   string
		server func(p *peer)
		want   string
		is     error
	}{
		{"no HTTP", func(p *peer) { p.raw("SSH-2.0\r\n\r\n") }, "HTTP response", nil},
		{"not found", func(p *peer) { p.refuse(404, "", "no such page") }, `HTTP status 404: "no such page"`, nil},
		{"unauthorized", func(p *peer) { p.refuse(401, "", "") }, "401", ErrUnauthorized},
		{"hung up", func(p *peer) { p.cut() }, "EOF", nil},
		{"hung up after the handshake", func(p *peer) { p.upgrade(); p.cut() }, "connection lost", nil},
		{"answers another key", func(p *peer) { p.request.Header.Set("Sec-WebSocket-Key", "x"); p.upgrade() }, "another key", nil},
		{"closed", func(p *peer) { p.upgrade(); p.close(4403, "blocked") }, "4403 \"blocked\"", nil},
		{"unauthorized by close", func(p *peer) { p.upgrade(); p.close(4401, "unauthorized") }, "4401", ErrUnauthorized},
		{"another protocol", func(p *peer) { p.upgrade(); p.send("hello") }, "does not speak", nil},
		{"another envelope", func(p *peer) { p.upgrade(); p.send(`{"type":"hello"}`) }, "does not speak", nil},
		{"another version", func(p *peer) { p.upgrade(); p.send(`{"type":"welcome","protocol":2}`) }, "version 2", nil},
		{"silence", func(p *peer) { p.upgrade() }, "no welcome in time", nil},
		{"silence before the handshake", func(*peer) {}, "no welcome in time", nil},
		{"asks for a token", func(p *peer) { p.upgrade(); p.send(`{"type":"auth_required","timeout":10}`) }, "asks for a token", ErrUnauthorized},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				l := listen(t)
				began := time.Now()
				dialled := later(func() (*Client, error) { return Dial(t.Context(), "ws://server/ws", Options{Dial: l.dial}) })
				test.server(l.accept())
				c, err := dialled.wait()
				if c != nil || err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v, want %q", err, test.want)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v is not %v", err, test.is)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestDialKeepsDialingUntilItsContextEnds(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		attempts := 0
		_, err := Dial(ctx, "ws://server/ws", Options{KeepDialing: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			attempts++
			return nil, fmt.Errorf("attempt %d", attempts)
		}})
		if attempts < 5 || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("attempt %d", attempts)) {
			t.Errorf("after %d attempts: %v", attempts, err)
		}
	})
}

func TestAnAttemptIsBounded(t *testing.T) {
	inTime(t, func(t *testing.T) {
		began := time.Now()
		hang := func(ctx context.Context) error { <-ctx.Done(); return errors.New("took too long") }
		for _, o := range []Options{
			{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, hang(ctx) }},
			{TokenFunc: func(ctx context.Context) (string, error) { return "", hang(ctx) }},
		} {
			o.ConnectTimeout = 7 * time.Second
			if _, err := Dial(t.Context(), "ws://server/ws", o); !errors.Is(err, errNoWelcomeInTime) || !strings.Contains(err.Error(), "took too long") {
				t.Errorf("Dial returned %v", err)
			}
		}
		if got := time.Since(began); got != 14*time.Second {
			t.Errorf("both took %v", got)
		}
	})
}

func TestDialKeepsDialingUntilTheServerIsThere(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		attempts := 0
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{NoInbox: true, KeepDialing: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if attempts++; attempts < 4 {
					return nil, errors.New("not yet")
				}
				return l.dial(ctx, network, address)
			}})
		})
		l.open().t.Cleanup(func() {})
		_ = dialled.must(t).Close()
	})
}

func TestRefusesOptionsAndURLsThatMakeNoSense(t *testing.T) {
	for _, o := range []Options{
		{RetryFor: time.Hour},
		{RetryFor: -1},
		{MaxOutbox: -1},
		{RoomBuffer: -1},
		{Backoff: Backoff{Attempts: -1}},
		{Backoff: Backoff{Base: -1}},
		{Inbox: JoinOptions{Last: -1}},
		{Inbox: JoinOptions{State: func() {}}},
		{Inbox: JoinOptions{Last: 1, Since: protocol.Position{Epoch: 1}}},
	} {
		if _, err := Dial(t.Context(), "ws://server/ws", o); err == nil || !strings.Contains(err.Error(), "client options") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, url := range []string{"", "server", "ftp://server/", "ws:///ws", "ws://a:b@server/", "://", "ws://server/%zz"} {
		if _, err := Dial(t.Context(), url, Options{}); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct{ url, name, shown, requested, dialled string }{
		{"ws://host", "", "ws://host/ws", "http://host/ws", "host:80"},
		{"http://host:8080/", "", "ws://host:8080/", "http://host:8080/", "host:8080"},
		{"wss://host/a/b?token=x#y", "", "wss://host/a/b", "https://host/a/b?token=x", "host:443"},
		{"https://[::1]/ws?a=b", "Zoë", "wss://[::1]/ws", "https://[::1]/ws?a=b&name=Zo%C3%AB", "[::1]:443"},
	} {
		a, err := parseAddress(test.url, test.name)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		if a.String() != test.shown || a.url.String() != test.requested || hostPort(&a.url) != test.dialled {
			t.Errorf("%s: %s, %s, %s", test.url, a, &a.url, hostPort(&a.url))
		}
	}
}

func TestCompressesIfToldTo(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{NoInbox: true, Compress: true, Dial: l.dial})
		})
		p := l.accept()
		hand, refused := ws.Upgrade(p.request, &ws.DeflatePolicy{}, "")
		if refused != nil || hand.Deflate == nil {
			t.Fatalf("the handshake: %+v, %+v", hand, refused)
		}
		p.raw(string(hand.AppendResponse(nil)))
		p.welcome("")
		c := dialled.must(t)
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "general") })
		p.joined(p.expect("join"), 10)
		long := strings.Repeat("long ", 1000)
		text := fmt.Sprintf(`{"type":"message","room":"general","pos":%q,"from":{"user":"bob"},"ts":1,"data":%q}`, at(11), long)
		frame := ws.AppendDeflated(nil, ws.Text, []byte(text))
		if len(frame) > len(text)/2 {
			t.Fatalf("a frame of %d bytes for %d", len(frame), len(text))
		}
		p.raw(string(frame))
		if m := next[*protocol.Message](t, joining.must(t)); string(m.Data) != `"`+long+`"` {
			t.Errorf("the message is %.100s", m.Data)
		}
		p.cut()
		_ = c.Close()
	})
}
