package ws_test

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// asked is the request of RFC 6455, section 1.2, with lines in place of others: "Name: value" replaces a header,
// "-Name" takes it away, "+Name: value" adds a line, and one with a slash at the end of it is the request line.
func asked(t testing.TB, changes ...string) *http.Request {
	t.Helper()
	first := "GET /chat HTTP/1.1"
	lines := []string{
		"Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: http://example.com", "Sec-WebSocket-Version: 13",
	}
	for _, change := range changes {
		name, _, _ := strings.Cut(strings.TrimLeft(change, "+-"), ":")
		if strings.Contains(name, " HTTP/") {
			first = change
			continue
		}
		if change[0] != '+' {
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+":") })
		}
		if change[0] != '-' {
			lines = append(lines, strings.TrimPrefix(change, "+"))
		}
	}
	raw := first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("%v: %v", changes, err)
	}
	return r
}

// answer returns the response that a server's answer is.
func answer(t testing.TB, h *ws.Handshake) *http.Response {
	t.Helper()
	raw := h.AppendResponse(nil)
	reader := bufio.NewReader(bytes.NewReader(raw))
	r, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	if rest := reader.Buffered(); rest > 0 {
		t.Fatalf("%q: %d bytes behind the answer", raw, rest)
	}
	return r
}

func TestAnswersTheKeyOfTheRFC(t *testing.T) { // RFC 6455, section 1.3
	h, refusal := ws.Upgrade(asked(t), nil, "")
	if refusal != nil {
		t.Fatal(refusal)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	if got := string(h.AppendResponse([]byte("x"))); got != "x"+want {
		t.Errorf("got %q", got)
	}
}

func TestUpgradesWhatMayBeUpgraded(t *testing.T) {
	for _, changes := range [][]string{
		{"Connection: keep-alive, Upgrade"},
		{"Connection: keep-alive", "+Connection: upgrade"},
		{"Connection: ,, \t uPGRADE ,"},
		{"Upgrade: WebSocket"},
		{"Upgrade: h2c, websocket"},
		{"GET /chat?token=x HTTP/1.1"},
		{"-Origin"},
		{"Content-Length: 0"},
		{"+Sec-WebSocket-Extensions: constructor, __proto__; toString=1, x-webkit-deflate-frame"},
		{"+Sec-WebSocket-Extensions: mux; max-channels=\"4\"; flow"},
		{"+Sec-WebSocket-Extensions:"},
		{"+Sec-WebSocket-Protocol: chat, superchat"},
		{"+Sec-WebSocket-Protocol:"},
	} {
		h, refusal := ws.Upgrade(asked(t, changes...), nil, "")
		if refusal != nil {
			t.Errorf("%v: %v", changes, refusal)
			continue
		}
		r := answer(t, h)
		if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Extensions") != "" || r.Header.Get("Sec-WebSocket-Protocol") != "" {
			t.Errorf("%v: got %v", changes, r.Header)
		}
	}
}

func TestRefusesWhatMayNotBeUpgraded(t *testing.T) {
	for _, row := range []struct {
		changes []string
		status  int
	}{
		{[]string{"POST /chat HTTP/1.1"}, 405},
		{[]string{"HEAD /chat HTTP/1.1"}, 405},
		{[]string{"get /chat HTTP/1.1"}, 405},
		{[]string{"GET /chat HTTP/1.0"}, 400},
		{[]string{"-Upgrade"}, 426},
		{[]string{"Upgrade: h2c"}, 426},
		{[]string{"Upgrade: websockets"}, 426},
		{[]string{"Upgrade: web socket"}, 426},
		{[]string{"-Connection"}, 400},
		{[]string{"Connection: keep-alive"}, 400},
		{[]string{"Connection: no-upgrade"}, 400},
		{[]string{"-Sec-WebSocket-Version"}, 426},
		{[]string{"Sec-WebSocket-Version: 8"}, 426},
		{[]string{"Sec-WebSocket-Version: 14"}, 426},
		{[]string{"Sec-WebSocket-Version: 013"}, 426},
		{[]string{"Sec-WebSocket-Version: 13, 8"}, 426},
		{[]string{"+Sec-WebSocket-Version: 13"}, 426},
		{[]string{"-Sec-WebSocket-Key"}, 400},
		{[]string{"Sec-WebSocket-Key:"}, 400},
		{[]string{"+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, 400},
		{[]string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"}, 400},
		{[]string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTA="}, 400},
		{[]string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTAw"}, 400},
		{[]string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="}, 400},
		{[]string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ==="}, 400},
		{[]string{"Content-Length: 5"}, 400},
		{[]string{"Transfer-Encoding: chunked"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: chat superchat"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: a/b"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: a, b, a"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: a", "+Sec-WebSocket-Protocol: a"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 30_000) + "x"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 8000) + "x"}, 400},
		{[]string{"+Sec-WebSocket-Protocol: " + strings.Repeat("x", 8193)}, 400},
		{[]string{"+Sec-WebSocket-Protocol: " + manyNames(65)}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=\"" + strings.Repeat("\\c", 4000)}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=\"\""}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=\"x y\""}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=\"x\\"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=\"x\"y"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a b"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a;"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: ;a"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a;=b"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b="}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a; b=, c"}, 400},
		{[]string{"+Sec-WebSocket-Extensions: " + strings.Repeat("x", 8193)}, 400},
		{[]string{"+Sec-WebSocket-Extensions: " + manyNames(65)}, 400},
		{[]string{"+Sec-WebSocket-Extensions: a" + strings.Repeat(";b", 65)}, 400},
	} {
		h, refusal := ws.Upgrade(asked(t, row.changes...), &ws.DeflatePolicy{}, "")
		switch {
		case refusal == nil || h != nil:
			t.Errorf("%.100q: not refused", row.changes)
		case refusal.Status != row.status || refusal.Reason == "":
			t.Errorf("%.100q: got %v, want %d", row.changes, refusal, row.status)
		case refusal.Status == 426 && (refusal.Header.Get("Sec-WebSocket-Version") != "13" || refusal.Header.Get("Upgrade") != "websocket"):
			t.Errorf("%.100q: got %v", row.changes, refusal.Header)
		case refusal.Status == 405 && refusal.Header.Get("Allow") != "GET":
			t.Errorf("%.100q: got %v", row.changes, refusal.Header)
		case refusal.Header.Get("Connection") != "close": // what follows may be frames
			t.Errorf("%.100q: the connection is not closed: %v", row.changes, refusal.Header)
		}
	}
}

// manyNames returns a list of n names.
func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "n" + strings.Repeat("x", i)
	}
	return strings.Join(names, ",")
}

func TestRefusesHTTP2(t *testing.T) {
	for minor := range 2 {
		r := asked(t)
		r.ProtoMajor, r.ProtoMinor = 2, minor
		if _, refusal := ws.Upgrade(r, nil, ""); refusal == nil || refusal.Status != 400 {
			t.Errorf("2.%d: got %v", minor, refusal)
		}
	}
}

func TestRefusesEmptyRequestsWithoutHarm(t *testing.T) {
	for _, r := range []*http.Request{{}, {Method: "GET", ProtoMajor: 1, ProtoMinor: 1}} {
		if _, refusal := ws.Upgrade(r, nil, ""); refusal == nil {
			t.Error("not refused")
		}
	}
	if got := ws.Subprotocols(nil); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestSubprotocols(t *testing.T) {
	long := "auth." + strings.Repeat("x", 4000)
	for _, row := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{"chat"}, []string{"chat"}},
		{[]string{" wireroom.v1 ,\tauth.b64.aGk "}, []string{"wireroom.v1", "auth.b64.aGk"}},
		{[]string{"a,,b,"}, []string{"a", "b"}},
		{[]string{"a, b", "c"}, []string{"a", "b", "c"}},
		{[]string{long}, []string{long}},
		{[]string{manyNames(64)}, strings.Split(manyNames(64), ",")},
		{[]string{"a b"}, nil},
		{[]string{"a;b"}, nil},
		{[]string{"é"}, nil},
		{[]string{"a\r\nX: y"}, nil},
	} {
		if got := ws.Subprotocols(http.Header{"Sec-Websocket-Protocol": row.lines}); !slices.Equal(got, row.want) {
			t.Errorf("%.100q: got %.100q", row.lines, got)
		}
	}
}

func TestAnswersOneOfTheOfferedSubprotocols(t *testing.T) {
	for chosen, want := range map[string]string{"": "", "b": "b", "c": "", "a, b": ""} {
		h, refusal := ws.Upgrade(asked(t, "+Sec-WebSocket-Protocol: a, b"), nil, chosen)
		if refusal != nil {
			t.Fatal(refusal)
		}
		if got := answer(t, h).Header.Get("Sec-WebSocket-Protocol"); got != want || h.Subprotocol != want {
			t.Errorf("chose %q: got %q", chosen, got)
		}
	}
}

func TestAnswersNothingBetweenTheLines(t *testing.T) {
	h, refusal := ws.Upgrade(asked(t), nil, "")
	if refusal != nil {
		t.Fatal(refusal)
	}
	h.Header = http.Header{
		"Set-Cookie":               {"a=b; HttpOnly", "c=\td", "e=\r\nInjected: yes", "f=\x00", "g=\x7f"},
		"X-Node":                   {"one"},
		"X Space":                  {"x"},
		"X-Break\r\nInjected":      {"x"},
		"":                         {"x"},
		"Connection":               {"close"},
		"upgrade":                  {"h2c"},
		"Content-Length":           {"5"},
		"Transfer-Encoding":        {"chunked"},
		"Sec-WebSocket-Accept":     {"x"},
		"sec-websocket-extensions": {"x"},
	}
	got := answer(t, h).Header
	want := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		"Set-Cookie": {"a=b; HttpOnly", "c=\td"}, "X-Node": {"one"},
	}
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s: got %q", name, got[name])
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("and %q", got)
	}
}
