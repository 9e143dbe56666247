package ws_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// goodAnswer is the answer to the key of RFC 6455.
func goodAnswer() *http.Response {
	return &http.Response{StatusCode: 101, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
	}}
}

func TestAsksForAnUpgrade(t *testing.T) {
	h := http.Header{"User-Agent": {"test"}, "Upgrade": {"h2c"}}
	(&ws.Request{Key: "dGhlIHNhbXBsZSBub25jZQ==", Subprotocols: []string{"a", "b"}}).AddTo(h)
	want := http.Header{
		"User-Agent": {"test"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"a, b"},
	}
	for name, values := range want {
		if !slices.Equal(h[name], values) {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	if len(h) != len(want) {
		t.Errorf("got %v", h)
	}
}

func TestKeysAreSixteenBytesAndNew(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		key := ws.NewKey()
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil || len(raw) != 16 || seen[key] {
			t.Fatalf("key %q, seen %v, %v", key, seen[key], err)
		}
		seen[key] = true
	}
}

func TestTakesTheAnswerOfAServer(t *testing.T) {
	for name, change := range map[string]func(h http.Header){
		"nothing":           func(http.Header) {},
		"case":              func(h http.Header) { h["Upgrade"] = []string{"WebSocket"} },
		"connection list":   func(h http.Header) { h["Connection"] = []string{"keep-alive, upgrade"} },
		"subprotocol":       func(h http.Header) { h.Set("Sec-WebSocket-Protocol", "b") },
		"no extensions":     func(h http.Header) { h.Set("Sec-WebSocket-Extensions", "") },
		"something else":    func(h http.Header) { h.Set("Set-Cookie", "a=b") },
		"something unknown": func(h http.Header) { h.Set("Sec-WebSocket-Version", "13") },
	} {
		r := goodAnswer()
		change(r.Header)
		q := ws.Request{Key: "dGhlIHNhbXBsZSBub25jZQ==", Subprotocols: []string{"a", "b"}}
		agreed, err := q.Check(r)
		if err != nil || agreed.Subprotocol != r.Header.Get("Sec-WebSocket-Protocol") || agreed.Deflate != nil {
			t.Errorf("%s: %+v, %v", name, agreed, err)
		}
	}
}

func TestRefusesTheAnswerOfWhatIsNoServer(t *testing.T) {
	for name, change := range map[string]func(r *http.Response){
		"status 200":              func(r *http.Response) { r.StatusCode = 200 },
		"status 401":              func(r *http.Response) { r.StatusCode = 401 },
		"no upgrade":              func(r *http.Response) { delete(r.Header, "Upgrade") },
		"another upgrade":         func(r *http.Response) { r.Header.Set("Upgrade", "h2c") },
		"no connection":           func(r *http.Response) { delete(r.Header, "Connection") },
		"another connection":      func(r *http.Response) { r.Header.Set("Connection", "close") },
		"no key":                  func(r *http.Response) { delete(r.Header, "Sec-Websocket-Accept") },
		"another key":             func(r *http.Response) { r.Header.Set("Sec-WebSocket-Accept", "x3pPLMBiTxaQ9kYGzzhZRbK+xOo=") },
		"two keys":                func(r *http.Response) { r.Header.Add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") },
		"case of the key":         func(r *http.Response) { r.Header.Set("Sec-WebSocket-Accept", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=") },
		"subprotocol not offered": func(r *http.Response) { r.Header.Set("Sec-WebSocket-Protocol", "c") },
		"two subprotocols":        func(r *http.Response) { r.Header.Set("Sec-WebSocket-Protocol", "a, b") },
		"two lines of them": func(r *http.Response) {
			r.Header["Sec-Websocket-Protocol"] = []string{"a", "b"}
		},
		"extension not offered": func(r *http.Response) { r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate") },
		"malformed extension":   func(r *http.Response) { r.Header.Set("Sec-WebSocket-Extensions", ";") },
	} {
		r := goodAnswer()
		change(r)
		q := ws.Request{Key: "dGhlIHNhbXBsZSBub25jZQ==", Subprotocols: []string{"a", "b"}}
		if agreed, err := q.Check(r); err == nil {
			t.Errorf("%s: took %+v", name, agreed)
		}
	}
}
