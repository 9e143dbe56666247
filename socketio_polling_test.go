package wireroom_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

// openPolling opens a connection over polling and returns the URL of its requests.
func openPolling(t *testing.T, url string, headers ...string) string {
	t.Helper()
	a := ask(t, url+"?EIO=4&transport=polling", headers...)
	var hand struct{ Sid string }
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body[1:]), &hand) != nil {
		t.Fatalf("%+v", a)
	}
	return url + "?EIO=4&transport=polling&sid=" + hand.Sid
}

func TestSocketIOPollsShareTheRooms(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	id := openPolling(t, web(url)+socketIO)
	if a := post(t, id, `40`); a.body != "ok" {
		t.Fatalf("%+v", a)
	}
	if heard := polls(t, id, "\x1e"+`42["welcome",`); !strings.HasPrefix(heard, `40{"sid":"`) {
		t.Fatal(heard)
	}
	post(t, id, `421["join",{"room":"a"}]`+"\x1e"+`422["publish",{"room":"a","data":1}]`)
	heard := polls(t, id, `42["position","`, `431[{"ok":true,"room":"a"`, `432[{"ok":true,"room":"a"`)
	for i := 2; i <= 50; i++ { // between the polls, and while one waits
		go func() {
			if _, err := server.Publish(t.Context(), "a", i); err != nil {
				t.Error(err)
			}
		}()
	}
	for strings.Count(heard, `42["message"`) < 50 {
		heard += ask(t, id).body
	}
	post(t, id, `451-["publish",{"room":"a","bytes":{"_placeholder":true,"num":0}}]`+"\x1ebAAE=")
	if heard := polls(t, id, "\x1ebAAE="); !strings.HasPrefix(heard, `451-["message",`) || !strings.HasSuffix(heard, "\x1ebAAE=") {
		t.Error(heard)
	}
}

// polls polls until everything wanted has come, and returns all that came. What was said in one request may take more than
// one to be told: the server waits for it only so long.
func polls(t *testing.T, url string, wanted ...string) (heard string) {
	t.Helper()
	for slices.ContainsFunc(wanted, func(part string) bool { return !strings.Contains(heard, part) }) {
		a := ask(t, url)
		if a.status != http.StatusOK {
			t.Fatalf("%+v, after %q; %q is wanted", a, heard, wanted)
		}
		heard = strings.TrimPrefix(heard+"\x1e"+a.body, "\x1e")
	}
	return heard
}

func TestSocketIOPollsAreOfWhomeverBeganThem(t *testing.T) {
	secret := []byte("a secret of at least 16 bytes")
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "anyone"})
	ann, bob := "Bearer "+sign(t, secret, "ann"), "Bearer "+sign(t, secret, "bob")
	id := openPolling(t, web(url)+socketIO, "Authorization", ann)
	if a := post(t, id, "40", "Authorization", bob); a.status != http.StatusBadRequest {
		t.Errorf("somebody else: %+v", a)
	}
	if a := post(t, id, "40", "Authorization", ann); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if a := ask(t, id); !strings.Contains(a.body, `"user":"ann"`) {
		t.Errorf("%+v", a)
	}
	if a := ask(t, web(url)+socketIO+"?EIO=4&transport=polling", "Authorization", "Bearer nonsense"); a.status != http.StatusUnauthorized {
		t.Errorf("a bad token: %+v", a)
	}
	if a := ask(t, id, "Origin", "https://elsewhere.example"); a.status != http.StatusForbidden {
		t.Errorf("a foreign origin: %+v", a)
	}
}

// TestSocketIOPollsAreToldBeforeTheyEnd has a server drain: clients of Socket.IO drop what comes in one payload with the
// goodbye.
func TestSocketIOPollsAreToldBeforeTheyEnd(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	id := openPolling(t, web(url)+socketIO)
	post(t, id, "40")
	polls(t, id, `42["welcome",`)
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(t.Context()) }()
	if a := ask(t, id); !strings.HasPrefix(a.body, `42["draining",`) || strings.Contains(a.body, "\x1e") {
		t.Errorf("%q", a.body)
	}
	if a := ask(t, id); a.body != "1" {
		t.Errorf("%q", a.body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A byte that stands between packets has no escape in them: nobody may make others read packets that are none.
func TestEngineIOPollsGetNoPacketsThatAreNone(t *testing.T) {
	server, url := start(t, wireroom.Options{EngineIO: wireroom.EngineIO{Paths: []string{"/engine.io/"}}})
	server.Handle(wireroom.RawType, func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		s.Push(&protocol.Message{Event: wireroom.TextEvent, Bytes: []byte("a\x1e1")})
		return nil
	})
	id := openPolling(t, web(url)+"/engine.io/")
	post(t, id, "4x")
	if a := ask(t, id); a.body != "bYR4x" { // the same bytes
		t.Errorf("%q", a.body)
	}
}

func TestSocketIOAnUpgradeLosesNothing(t *testing.T) {
	const many = 12_000 // more than a client may put into one request
	server, url := start(t, wireroom.Options{})
	said := make(chan struct{})
	server.Handle("count", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		defer close(said)
		for i := range many {
			if err := s.Send("n", i); err != nil {
				return err
			}
		}
		return nil
	})
	id := openPolling(t, web(url)+socketIO)
	post(t, id, "40")
	ask(t, id)
	post(t, id, `42["count"]`)
	<-said // all of it waits for a request now
	e := &emitter{t: t, conn: dial(t, strings.Replace(strings.Replace(id, "http", "ws", 1), "polling", "websocket", 1), nil).conn}
	e.send("2probe")
	if got := e.packet(); got != "3probe" {
		t.Fatal(got)
	}
	e.send("5")
	for i := range many {
		if got := e.event("n"); got[0] != float64(i) {
			t.Fatalf("%v, want %d", got, i)
		}
	}
}

// TestSocketIOAnUpgradeOfWhatEndsIsClosed has connections end while a WebSocket is opened for them.
func TestSocketIOAnUpgradeOfWhatEndsIsClosed(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	for range 50 {
		id := openPolling(t, web(url)+socketIO)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			post(t, id, "1")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c, _, err := websocket.Dial(ctx, strings.Replace(strings.Replace(id, "http", "ws", 1), "polling", "websocket", 1), nil)
		if err == nil {
			if _, _, err = c.Read(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("it is open still: %v", err)
			}
		}
		<-ended
		cancel()
	}
	if sessions, _ := server.Counts(); sessions != 0 {
		t.Errorf("%d sessions", sessions)
	}
}

// TestEngineIONothingIsLeftWhenAServerCloses has clients connect meanwhile.
func TestEngineIONothingIsLeftWhenAServerCloses(t *testing.T) {
	for range 20 {
		server, err := wireroom.New(t.Context(), wireroom.Options{
			Logger: slog.New(slog.DiscardHandler), EngineIO: wireroom.EngineIO{Paths: []string{"/engine.io/"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		handler := httptest.NewServer(server)
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for range 20 {
					response, err := http.Get(handler.URL + "/engine.io/?EIO=4&transport=polling")
					if err != nil {
						return
					}
					_ = response.Body.Close()
				}
			})
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		clients.Wait()
		handler.Close()
		if n, _ := server.Counts(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	}
}
