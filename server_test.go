package wireroom_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

func TestTwoClientsChat(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		_, url := start(t, o)
		a, b := dial(t, url+"/ws?name=Alice", nil), dial(t, url+"/ws", nil)
		welcome := a.expect("welcome")
		b.expect("welcome")
		for _, p := range []*peer{a, b} {
			p.send(`{"type":"join","room":"lobby","id":1}`)
			p.expect("ok")
		}
		a.send(`{"type":"publish","room":"lobby","data":"hello","id":2}`)
		got := b.expect("message")
		if got["data"] != "hello" || got["from"].(map[string]any)["user"] != welcome["user"] || got["from"].(map[string]any)["name"] != "Alice" {
			t.Fatalf("received %v", got)
		}
		if first, second := a.receive(), a.receive(); first["type"] == second["type"] {
			t.Fatalf("the publisher received %v and %v, want its reply and its message", first, second)
		}
	})
}

func TestBinaryPayloads(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		_, url := start(t, o)
		p := dial(t, url+"/ws", nil)
		p.expect("welcome")
		p.send(`{"type":"join","room":"lobby","id":1}`)
		p.expect("ok")
		envelope := `{"type":"publish","room":"lobby","event":"photo"}`
		frame := append([]byte{0, byte(len(envelope))}, envelope...)
		payload := strings.Repeat("\x00\xff", 20_000)
		if err := p.conn.Write(t.Context(), websocket.MessageBinary, append(frame, payload...)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := p.conn.Read(t.Context())
		if err != nil || kind != websocket.MessageBinary {
			t.Fatalf("received a %v frame: %v", kind, err)
		}
		m, err := protocol.DecodeBinary(got)
		if err != nil || string(m.Bytes) != payload || m.Event != "photo" || m.Room != "lobby" || m.Position.IsZero() {
			t.Fatalf("received %d bytes of %q: %v", len(m.Bytes), m.Event, err)
		}
	})
}

func TestMissedMessagesFollowInOrder(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		p := dial(t, url+"/ws", nil)
		p.expect("welcome")
		p.send(`{"type":"join","room":"r","id":1}`)
		since := p.expect("ok")["pos"].(string)
		_ = p.conn.CloseNow()
		for i := range 300 {
			if _, err := server.Publish(t.Context(), "r", i); err != nil {
				t.Fatal(err)
			}
		}
		again := dial(t, url+"/ws", nil)
		again.expect("welcome")
		again.send(`{"type":"join","room":"r","id":1,"since":"` + since + `"}`)
		reply := again.expect("ok")
		if reply["recovered"] != true || reply["count"] != 300.0 || reply["pos"] != since {
			t.Fatalf("reply %v", reply)
		}
		for i := range 300 {
			if got := again.expect("message"); got["data"] != float64(i) {
				t.Fatalf("message %d is %v", i, got)
			}
		}
	})
}

func TestWaysToPresentAToken(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret)})
	token := sign(t, secret, "alice")
	header := func(name, value string) *websocket.DialOptions {
		return &websocket.DialOptions{HTTPHeader: http.Header{name: {value}}}
	}
	for name, p := range map[string]*peer{
		"query":                dial(t, url+"/ws?token="+token, nil),
		"header":               dial(t, url+"/ws", header("Authorization", "Bearer "+token)),
		"subprotocol":          dial(t, url+"/ws", &websocket.DialOptions{Subprotocols: []string{"wireroom.v1", "auth." + token}}),
		"subprotocol, encoded": dial(t, url+"/ws", &websocket.DialOptions{Subprotocols: []string{"auth.b64." + base64.RawURLEncoding.EncodeToString([]byte(token))}}),
	} {
		if got := p.expect("welcome"); got["user"] != "alice" {
			t.Errorf("%s: welcome %v", name, got)
		}
		want := map[string]string{"subprotocol": "wireroom.v1", "subprotocol, encoded": "auth.b64." + base64.RawURLEncoding.EncodeToString([]byte(token))}[name]
		if got := p.conn.Subprotocol(); got != want {
			t.Errorf("%s: subprotocol %q, want %q", name, got, want)
		}
	}
	first := dial(t, url+"/ws", nil)
	first.expect("auth_required")
	first.send(`{"type":"auth","token":"` + token + `","id":1}`)
	first.expect("ok")
	if got := first.expect("welcome"); got["user"] != "alice" {
		t.Errorf("first message: welcome %v", got)
	}
}

func TestBadTokenIsRefusedAsTheClientCanSee(t *testing.T) {
	_, url := start(t, wireroom.Options{Auth: auth.HMAC([]byte("a secret of sixteen bytes"))})
	_, response, err := websocket.Dial(t.Context(), url+"/ws?token=bad", nil)
	if err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Fatalf("without an Origin: %v, %v", response, err)
	}
	page := "http" + strings.TrimPrefix(url, "ws")
	p := dial(t, url+"/ws?token=bad", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {page}}})
	if _, _, err := p.conn.Read(t.Context()); websocket.CloseStatus(err) != 4401 {
		t.Fatalf("with an Origin: %v, want a close with 4401", err)
	}
}

func TestForeignOriginsAreRefused(t *testing.T) {
	_, url := start(t, wireroom.Options{Origins: []string{"https://*.example.com", "http://localhost:3000"}})
	host := strings.TrimPrefix(url, "ws://")
	for origin, want := range map[string]int{
		"http://" + host:                  101,
		"HTTP://" + host:                  101,
		"https://" + host:                 101, // a proxy may have taken TLS off
		"https://chat.example.com":        101,
		"http://localhost:3000":           101,
		"http://localhost:3001":           403,
		"http://chat.example.com":         403,
		"https://example.com.evil.test":   403,
		"https://evilexample.com":         403,
		"http://" + host + ".evil.test":   403,
		"http://evil@" + host:             403,
		"http://" + host + "/path":        403,
		"null":                            403,
		"":                                403,
		"http://evil.test":                403,
		"http://127.0.0.1":                403,
		"https://chat.example.com:444444": 403,
	} {
		conn, response, err := websocket.Dial(t.Context(), url+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil {
			_ = conn.CloseNow()
		}
		if response == nil || response.StatusCode != want {
			t.Errorf("origin %q: %v (%v), want %d", origin, response.StatusCode, err, want)
		}
	}
}

func TestHooksDecide(t *testing.T) {
	var ended atomic.Value
	left := make(chan string, 10)
	_, url := start(t, wireroom.Options{Hooks: wireroom.Hooks{
		OnConnect: func(_ context.Context, r *http.Request, identity *auth.Identity) (*auth.Identity, error) {
			if r.URL.Query().Get("bad") != "" {
				return nil, &protocol.Error{Code: protocol.CodeForbidden, Message: "not you"}
			}
			return &auth.Identity{User: "changed", Name: identity.Name}, nil
		},
		OnJoin: func(_ context.Context, s *wireroom.Session, room string) error {
			if room == "secret" {
				return &protocol.Error{Code: protocol.CodeForbidden, Message: "not for " + s.User()}
			}
			return nil
		},
		OnPublish: func(_ context.Context, _ *wireroom.Session, m *protocol.Message) error {
			m.Data = json.RawMessage(`"changed"`)
			return nil
		},
		OnLeave: func(_ *wireroom.Session, room string) { left <- room },
		OnDisconnect: func(_ *wireroom.Session, code protocol.CloseCode, _ string) {
			ended.Store(code)
			left <- "disconnected"
		},
	}})
	if _, response, err := websocket.Dial(t.Context(), url+"/ws?bad=1", nil); err == nil || response.StatusCode != http.StatusForbidden {
		t.Fatalf("OnConnect refused, got %v", err)
	}
	p := dial(t, url+"/ws", nil)
	if got := p.expect("welcome"); got["user"] != "changed" || got["token"] != nil {
		t.Fatalf("welcome %v", got)
	}
	p.send(`{"type":"join","room":"secret","id":1}`)
	if got := p.expect("error"); got["message"] != "not for changed" {
		t.Fatalf("received %v", got)
	}
	p.send(`{"type":"join","room":"r","id":1}`)
	p.expect("ok")
	p.send(`{"type":"publish","room":"r","data":1}`)
	if got := p.expect("message"); got["data"] != "changed" {
		t.Fatalf("received %v", got)
	}
	if err := p.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	if a, b := <-left, <-left; a != "r" || b != "disconnected" || ended.Load() != protocol.CloseNormal {
		t.Fatalf("told %s, %s, %v", a, b, ended.Load())
	}
}

func TestApplicationTypes(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	server.Handle("sum", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		var numbers []int
		if err := json.Unmarshal(m.Data, &numbers); err != nil {
			return &protocol.Error{Code: protocol.CodeInvalidData, Message: "not numbers", Field: "data"}
		}
		total := 0
		for _, n := range numbers {
			total += n
		}
		if err := s.Send("progress", 100); err != nil {
			return err
		}
		return m.Reply(total)
	})
	p := dial(t, url+"/ws", nil)
	p.expect("welcome")
	p.send(`{"type":"sum","data":[1,2,3],"id":"a"}`)
	if got := p.expect("progress"); got["data"] != 100.0 {
		t.Fatalf("received %v", got)
	}
	if got := p.expect("ok"); got["data"] != 6.0 || got["id"] != "a" || got["of"] != "sum" {
		t.Fatalf("received %v", got)
	}
	p.send(`{"type":"sum","data":"x","id":"b"}`)
	if got := p.expect("error"); got["code"] != "invalid_data" || got["field"] != "data" {
		t.Fatalf("received %v", got)
	}
	for _, kind := range []string{"join", "sum", "message", "", `a"b`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%q) did not panic", kind)
				}
			}()
			server.Handle(kind, nil)
		}()
	}
}

func TestServersOwnMessages(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	a, b := dial(t, url+"/ws", nil), dial(t, url+"/ws", nil)
	who := a.expect("welcome")
	b.expect("welcome")
	for _, p := range []*peer{a, b} {
		p.send(`{"type":"join","room":"r","id":1}`)
		p.expect("ok")
	}
	for i := range 2 {
		published, err := server.Publish(t.Context(), "r", map[string]int{"n": 1}, wireroom.PublishOptions{Key: "k", Exclude: who["client"].(string)})
		if err != nil || published.Duplicate != (i == 1) {
			t.Fatalf("published %+v, %v", published, err)
		}
	}
	if _, err := server.Publish(t.Context(), "r", wireroom.Bytes{1, 2}, wireroom.PublishOptions{Ephemeral: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.expect("message"); got["data"].(map[string]any)["n"] != 1.0 {
		t.Fatalf("received %v", got)
	}
	if _, got, err := a.conn.Read(t.Context()); err != nil || got[len(got)-1] != 2 {
		t.Fatalf("the excluded client received %s, %v", got, err)
	}
	page, err := server.History(t.Context(), "r", engine.Query{Last: 10, Limit: 10})
	if err != nil || len(page.Messages) != 1 {
		t.Fatalf("history %+v, %v", page, err)
	}
	if members, err := server.Members("r", "", 0); err != nil || members.Count != 2 {
		t.Fatalf("members %+v, %v", members, err)
	}
	if sessions, users := server.Counts(); sessions != 2 || users != 2 {
		t.Fatalf("%d sessions of %d users", sessions, users)
	}
	if err := server.Kick(t.Context(), "r", who["user"].(string), "rude", 0); err != nil {
		t.Fatal(err)
	}
	if got := a.expect("kicked"); got["reason"] != "rude" || got["for"] != 60.0 {
		t.Fatalf("received %v", got)
	}
	for _, room := range []string{"", "$x", "a b"} {
		if _, err := server.Publish(t.Context(), room, 1); err == nil {
			t.Errorf("published in %q", room)
		}
	}
}

func TestShutdownAsksClientsToComeBack(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		p := dial(t, url+"/ws", nil)
		p.expect("welcome")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- server.Shutdown(ctx) }()
		draining := p.expect("draining")
		_, _, err := p.conn.Read(ctx)
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != 4503 || !strings.HasPrefix(closed.Reason, "draining;retry=") {
			t.Fatalf("closed with %v, want 4503 and a retry", err)
		}
		if after := draining["reconnect_after"].(float64); after < 0 || after > 5 {
			t.Fatalf("reconnect after %v s", after)
		}
		response, err := http.Get("http" + strings.TrimPrefix(url, "ws") + "/readyz")
		if err != nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("readyz: %v, %v", response, err)
		}
		_ = response.Body.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// A client that does not read loses what the log does not keep, is told so, and delays nobody; one whose socket takes
// nothing at all is closed (TestASlowReaderIsKeptAndOneThatIsStuckIsNot).
func TestSlowClientIsToldOfItsGapAndDelaysNobody(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		o.Limits = wireroom.Limits{PublishRate: -1, MaxMessage: 1 << 20}
		server, url := start(t, o)
		slow, other := dial(t, url+"/ws", nil), dial(t, url+"/ws", nil)
		for _, p := range []*peer{slow, other} {
			p.expect("welcome")
			p.send(`{"type":"join","room":"r","id":1}`)
			p.expect("ok")
		}
		big := strings.Repeat("x", 100_000)
		for i := range 200 { // far more than any socket holds
			if _, err := server.Publish(t.Context(), "r", big); err != nil {
				t.Fatal(err)
			}
			if got := other.expect("message"); len(got["data"].(string)) != len(big) {
				t.Fatalf("message %d: %d bytes", i, len(got["data"].(string)))
			}
		}
		var positions []string
		for len(positions) == 0 || positions[len(positions)-1] != "end" {
			e := slow.receive()
			switch e["type"] {
			case "gap":
				positions = append(positions, "gap")
				if _, err := server.Publish(t.Context(), "r", "end"); err != nil {
					t.Fatal(err)
				}
			case "message":
				if e["data"] == "end" {
					positions = append(positions, "end")
					continue
				}
				positions = append(positions, e["pos"].(string))
			}
		}
		gaps := 0
		for _, p := range positions {
			if p == "gap" {
				gaps++
			}
		}
		if gaps != 1 || positions[len(positions)-2] != "gap" {
			t.Fatalf("%d gaps in %d messages: a log of 4 MiB cannot hold 20 MB", gaps, len(positions))
		}
	})
}

func sign(t *testing.T, secret []byte, user string) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Subject: user}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestConnectionOpenedDuringADrainIsAskedToComeBack(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		var server *wireroom.Server
		drained := make(chan error, 1)
		o.Hooks.OnConnect = func(_ context.Context, _ *http.Request, identity *auth.Identity) (*auth.Identity, error) {
			go func() { drained <- server.Shutdown(context.Background()) }()
			for {
				ready := httptest.NewRecorder()
				server.ServeHTTP(ready, httptest.NewRequest(http.MethodGet, "/readyz", nil))
				if ready.Code == http.StatusServiceUnavailable {
					return identity, nil
				}
			}
		}
		server, url := start(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, url+"/ws", nil)
		for err == nil {
			_, _, err = conn.Read(ctx)
		}
		if websocket.CloseStatus(err) != 4503 {
			t.Fatalf("ended with %v, want 4503", err)
		}
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
	})
}
