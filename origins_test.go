package wireroom_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/metrics"
)

// way is one way in: a request with which a page can reach the server.
type way struct {
	name, method, path, body string
	upgrade                  bool
	status                   int // of what is let in
}

// waysIn are all of them. $SID stands for a connection of Engine.IO of whoever asks.
func waysIn() []way {
	const engines = "/socket.io/?EIO=4&transport="
	return []way{
		{"WebSocket", "GET", "/ws", "", true, 101},
		{"stream", "GET", "/sse?room=r", "", false, 200},
		{"poll", "GET", "/poll?room=r&wait=0", "", false, 200},
		{"send", "POST", "/send", `{"type":"publish","room":"r","data":"from a page"}`, false, 200},
		{"ticket", "POST", "/api/tickets", "", false, 201},
		{"Socket.IO, by polling", "GET", engines + "polling", "", false, 200},
		{"Socket.IO, what is said", "POST", engines + "polling&sid=$SID", "3", false, 200},
		{"Socket.IO, what is heard", "GET", engines + "polling&sid=$SID", "", false, 200},
		{"Socket.IO, by WebSocket", "GET", engines + "websocket", "", true, 101},
		{"Socket.IO, the upgrade", "GET", engines + "websocket&sid=$SID", "", true, 101},
		{"Engine.IO, by polling", "GET", "/engine/?EIO=4&transport=polling", "", false, 200},
		{"Engine.IO, by WebSocket", "GET", "/engine/?EIO=4&transport=websocket", "", true, 101},
	}
}

// TestEveryWayInAsksForTheOrigin has pages of every kind knock at every door, with a cookie that would let them in.
func TestEveryWayInAsksForTheOrigin(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	numbers := new(metrics.Set)
	server, url := start(t, wireroom.Options{
		Auth: auth.HMAC(secret), Cookie: "session", Anonymous: true, Access: "anyone", Metrics: numbers,
		Origins:  []string{"https://good.example", "https://*.good.example"},
		EngineIO: wireroom.EngineIO{Paths: []string{"/engine/"}},
		Limits:   wireroom.Limits{User: wireroom.UserLimits{Connections: -1, ConnectRate: -1}},
	})
	cookie := "session=" + sign(t, secret, "alice")
	own := web(url)
	refused := int64(0)
	for _, w := range waysIn() {
		for origin, allowed := range map[string]bool{
			"": true, own: true, "https://good.example": true, "https://chat.good.example": true,
			"https://evil.example": false, "https://evilgood.example": false, "https://good.example.evil.example": false,
			"http://good.example": false, "https://good.example:444": false, "null": false,
		} {
			// The cookie counts for pages of its own, the token for all of them.
			header := http.Header{"Cookie": {cookie}, "Authorization": {"Bearer " + sign(t, secret, "alice")}}
			path := w.path
			if before, after, needed := strings.Cut(path, "$SID"); needed {
				path = before + sidOf(t, url, header) + after
			}
			if origin != "" {
				header.Set("Origin", origin)
			}
			opened := numbers.Value(metrics.SessionsOpened)
			got := knock(t, own, w, path, header)
			want := w.status
			if !allowed {
				want = http.StatusForbidden
				refused++
			}
			if got.status != want {
				t.Errorf("%s from %q: %d %s, want %d", w.name, origin, got.status, got.body, want)
			}
			may := got.header.Get("Access-Control-Allow-Origin")
			if !w.upgrade && may != map[bool]string{true: origin}[allowed] {
				t.Errorf("%s from %q: %q may read the answer", w.name, origin, may)
			}
			if now := numbers.Value(metrics.RefusedOrigin); now != refused {
				t.Errorf("%s from %q: %d refusals are counted, want %d", w.name, origin, now, refused)
			}
			if !allowed && numbers.Value(metrics.SessionsOpened) != opened {
				t.Errorf("%s from %q: there is a session all the same", w.name, origin)
			}
		}
	}
	page, err := server.History(t.Context(), "r", engine.Query{Last: 100, Limit: 100})
	if err != nil || len(page.Messages) != 4 {
		t.Errorf("%d messages are stored, %v; want those of the four that may", len(page.Messages), err)
	}
}

// sidOf opens a connection of Engine.IO by polling and returns its id.
func sidOf(t *testing.T, url string, header http.Header) string {
	t.Helper()
	a := knock(t, web(url), way{method: "GET"}, "/socket.io/?EIO=4&transport=polling", header)
	_, rest, _ := strings.Cut(a.body, `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("opened with %d %s", a.status, a.body)
	}
	post := way{method: "POST", body: "40"}
	if a := knock(t, web(url), post, "/socket.io/?EIO=4&transport=polling&sid="+sid, header); a.status != http.StatusOK {
		t.Fatalf("connected with %d %s", a.status, a.body)
	}
	return sid
}

// knock sends a request and returns the answer, of what stays open the head.
func knock(t *testing.T, at string, w way, path string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), w.method, at+path, strings.NewReader(w.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	if w.upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	if a.status != http.StatusSwitchingProtocols && response.Header.Get("Content-Type") != "text/event-stream" {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = string(body)
	}
	return a
}

// A browser asks first what a page of another origin may send: the answer is the same at every door.
func TestEveryDoorAnswersAPreflight(t *testing.T) {
	_, url := start(t, wireroom.Options{Origins: []string{"https://good.example"}})
	for _, path := range []string{"/sse", "/poll", "/send", "/api/tickets", "/socket.io/?EIO=4&transport=polling"} {
		for origin, status := range map[string]int{"https://good.example": 204, web(url): 204, "https://evil.example": 403, "null": 403} {
			header := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"}}
			a := knock(t, web(url), way{method: http.MethodOptions}, path, header)
			if a.status != status || (a.header.Get("Access-Control-Allow-Origin") == origin) != (status == 204) {
				t.Errorf("%s from %s: %d %v", path, origin, a.status, a.header)
			}
			if credentials := a.header.Get("Access-Control-Allow-Credentials"); (credentials == "true") != (status == 204) {
				t.Errorf("%s from %s: credentials %q", path, origin, fmt.Sprint(credentials))
			}
		}
	}
}
