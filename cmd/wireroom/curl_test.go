package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// curl runs the real curl, with what it is to be told on its standard input; it is ended once it has said one of the words,
// since an upgraded connection stays open. It returns all that it has said.
func curl(t *testing.T, input string, words []string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("install curl")
	}
	c := exec.CommandContext(t.Context(), path, append([]string{
		"--silent", "--show-error", "--no-buffer", "--max-time", fmt.Sprint(int(patience.Seconds())),
	}, arguments...)...)
	in, err := c.StdinPipe() // left open: curl hangs up at its end
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	c.Stderr = &complaint
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	defer close(over)
	go feed(in, input, over)
	var said []byte
	for buffer := make([]byte, 4096); ; {
		n, err := out.Read(buffer)
		said = append(said, buffer[:n]...)
		if err != nil || containsOne(string(said), words) {
			break
		}
	}
	_ = c.Process.Kill() // it may have ended
	_ = c.Wait()         // with the signal
	if len(said) == 0 {
		t.Fatalf("curl %q says nothing: %s", arguments, complaint.String())
	}
	return string(said)
}

// feed tells curl its input, and then keeps pinging: speaking telnet, curl looks at what has come only when it has said
// something.
func feed(in io.WriteCloser, input string, over <-chan struct{}) {
	for err := error(nil); err == nil && input != ""; {
		_, err = io.WriteString(in, input)
		input = "\x89\x80\x00\x00\x00\x00"
		select {
		case <-over:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	<-over
}

func containsOne(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// upgrading is what curl is told so that it asks for a WebSocket.
func upgrading(more ...string) []string {
	return append([]string{
		"--include", "--http1.1", "--header", "Connection: Upgrade", "--header", "Upgrade: websocket",
		"--header", "Sec-WebSocket-Version: 13", "--header", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
	}, more...)
}

// door is a server that asks for tokens, at which curl knocks.
type door struct {
	t        *testing.T
	site     string // http://host:port
	admin    string
	adminKey string
	key      auth.SigningKey
}

func newDoor(t *testing.T) *door {
	t.Helper()
	p := start(t, command(t, []string{
		"WIREROOM_SECRET=" + secret, "WIREROOM_TOKENS_COOKIE=session", "WIREROOM_ACCESS=signed-in", "WIREROOM_ORIGINS=https://listed.example",
	}, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))
	d := &door{t: t, key: auth.SigningKey{Algorithm: "HS256", Secret: []byte(secret)}}
	d.site = "http" + strings.TrimSuffix(strings.TrimPrefix(p.url(), "ws"), "/ws")
	d.admin, d.adminKey = p.after("admin "), p.after("admin key")
	return d
}

// token returns a token of a user, signed by a key.
func (d *door) token(user string, key auth.SigningKey, lifetime time.Duration) string {
	d.t.Helper()
	signed, err := key.Sign(auth.Identity{User: user, Expires: time.Now().Add(lifetime)}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return signed
}

// ways are the ways to present a token in a request for a WebSocket, as curl is told them.
func (d *door) ways(token string) map[string][]string {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	return map[string][]string{
		"query":                     {d.site + "/ws?token=" + token},
		"header":                    {"--header", "Authorization: Bearer " + token, d.site + "/ws"},
		"subprotocol":               {"--header", "Sec-WebSocket-Protocol: wireroom.v1, auth." + token, d.site + "/ws"},
		"subprotocol alone":         {"--header", "Sec-WebSocket-Protocol: auth." + token, d.site + "/ws"},
		"encoded subprotocol":       {"--header", "Sec-WebSocket-Protocol: wireroom.v1, auth.b64." + encoded, d.site + "/ws"},
		"encoded subprotocol alone": {"--header", "Sec-WebSocket-Protocol: auth.b64." + encoded, d.site + "/ws"},
		"cookie":                    {"--cookie", "other=x; session=" + token, d.site + "/ws"},
	}
}

// ends are the words after which a connection has nothing more to say here: what welcomes, and a close.
func ends() []string {
	return []string{`"user":"alice"`, "\x11\x31unauthorized", "\x11\x33forbidden", `"type":"auth_required"`}
}

func TestCurlPresentsATokenInEveryWay(t *testing.T) {
	d := newDoor(t)
	token := d.token("alice", d.key, time.Hour)
	for way, how := range d.ways(token) {
		said := curl(t, "", ends(), upgrading(how...)...)
		if !strings.HasPrefix(said, "HTTP/1.1 101 ") || !strings.Contains(said, `"user":"alice"`) {
			t.Errorf("by %s: %q", way, said)
		}
		selected := ""
		if _, rest, ok := strings.Cut(said, "Sec-Websocket-Protocol: "); ok {
			selected, _, _ = strings.Cut(rest, "\r\n")
		} else if _, rest, ok := strings.Cut(said, "Sec-WebSocket-Protocol: "); ok {
			selected, _, _ = strings.Cut(rest, "\r\n")
		}
		want := map[string]string{
			"subprotocol": "wireroom.v1", "encoded subprotocol": "wireroom.v1", "subprotocol alone": "auth." + token,
			"encoded subprotocol alone": "auth.b64." + base64.RawURLEncoding.EncodeToString([]byte(token)),
		}[way]
		if selected != want {
			t.Errorf("by %s: the subprotocol is %q, want %q", way, selected, want)
		}
	}
}

// A ticket is good for one connection, and nothing but a token gets one.
func TestCurlGetsATicket(t *testing.T) {
	d := newDoor(t)
	bearer := "Authorization: Bearer " + d.token("alice", d.key, time.Hour)
	var answer struct{ Ticket string }
	if text := curl(t, "", nil, "--request", "POST", "--header", bearer, d.site+"/api/tickets"); json.Unmarshal([]byte(text), &answer) != nil || answer.Ticket == "" {
		t.Fatalf("there is no ticket in %s", text)
	}
	url := d.site + "/ws?ticket=" + answer.Ticket
	if said := curl(t, "", ends(), upgrading(url)...); !strings.Contains(said, `"user":"alice"`) {
		t.Errorf("with the ticket: %q", said)
	}
	if said := curl(t, "", nil, upgrading(url)...); !strings.HasPrefix(said, "HTTP/1.1 401 ") {
		t.Errorf("with the ticket a second time: %q", said)
	}
	if said := curl(t, "", nil, "--include", "--request", "POST", d.site+"/api/tickets"); !strings.HasPrefix(said, "HTTP/1.1 401 ") {
		t.Errorf("a ticket for nothing: %q", said)
	}
}

// The first message is a frame, which curl sends as it is given: it has no words of its own for that.
func TestCurlPresentsATokenInTheFirstMessage(t *testing.T) {
	d := newDoor(t)
	frame := func(text string) string {
		text += strings.Repeat(" ", 200-len(text)%200) // no byte of the length is 255, which telnet would say twice
		return string([]byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}) + text
	}
	host := strings.TrimPrefix(d.site, "http://")
	request := strings.Replace(upgradeWith(), "Host: x", "Host: "+host, 1)
	for want, text := range map[string]string{
		`"user":"alice"`:         `{"type":"auth","token":"` + d.token("alice", d.key, time.Hour) + `","id":1}`,
		`"code":"unauthorized"`:  `{"type":"auth","token":"not.a.token","id":1}`,
		`"code":"token_expired"`: `{"type":"auth","token":"` + d.token("alice", d.key, -time.Hour) + `","id":1}`,
		"\x11\x30bad_request":    strings.Repeat("nonsense", 20) + `"}`,
	} {
		input := request + frame(text)
		if strings.HasPrefix(text, "nonsense") {
			input += frame(text) + frame(text) // the third in a row is the last
		}
		said := curl(t, input, []string{want}, "telnet://"+host)
		if !strings.HasPrefix(said, "HTTP/1.1 101 ") || !strings.Contains(said, `"type":"auth_required"`) || !strings.Contains(said, want) {
			t.Errorf("%.40s: %q, want %s", text, said, want)
		}
	}
}

// statuses has one curl send requests, each with a name, and fails where the status of the answer is not the wanted one.
func statuses(t *testing.T, want int, requests map[string][]string) {
	t.Helper()
	var names, arguments []string
	for name, how := range requests {
		if len(names) > 0 {
			arguments = append(arguments, "--next")
		}
		names = append(names, name)
		arguments = append(arguments, "--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code} ")
		arguments = append(arguments, how...)
	}
	got := strings.Fields(curl(t, "", nil, arguments...))
	if len(got) != len(names) {
		t.Fatalf("%d answers to %d requests", len(got), len(names))
	}
	for i, name := range names {
		if got[i] != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %d", name, got[i], want)
		}
	}
}

// from adds the page that each of some requests is sent by.
func from(origin string, requests map[string][]string) map[string][]string {
	all := make(map[string][]string)
	for name, how := range requests {
		all[name+" from "+origin] = append([]string{"--header", "Origin: " + origin}, how...)
	}
	return all
}

// upgrades returns the ways as whole requests, and overHTTP those that need no upgrade.
func (d *door) upgrades(token string) map[string][]string {
	all := make(map[string][]string)
	for way, how := range d.ways(token) {
		all[way] = upgrading(how...)
	}
	return all
}

func (d *door) overHTTP(token string) map[string][]string {
	bearer := []string{"--header", "Authorization: Bearer " + token}
	body := []string{"--data", `{"type":"publish","room":"r","data":1}`}
	return map[string][]string{
		"poll, header": append(bearer, d.site+"/poll?room=r&wait=0"), "poll, query": {d.site + "/poll?room=r&wait=0&token=" + token},
		"poll, cookie": {"--cookie", "session=" + token, d.site + "/poll?room=r&wait=0"},
		"send, header": append(append(body, bearer...), d.site+"/send"), "send, query": append(body, d.site+"/send?token="+token),
		"send, cookie":  append(append(body, "--cookie", "session="+token), d.site+"/send"),
		"stream, query": {d.site + "/sse?room=r&token=" + token},
	}
}

// TestCurlIsAnsweredByTheStatus has curl present what is not taken: a program sees the status of an upgrade; a browser
// does not, so whoever names an origin is upgraded and then closed. Where there is no upgrade everybody sees the status.
func TestCurlIsAnsweredByTheStatus(t *testing.T) {
	d := newDoor(t)
	if status, answer := asks(t, http.MethodPost, d.admin+"api/block", d.adminKey, `{"user":"mallory","reason":"spam"}`); status != http.StatusNoContent {
		t.Fatalf("block: %d %v", status, answer)
	}
	another := auth.SigningKey{Algorithm: "HS256", Secret: []byte("another secret, of as many bytes as that")}
	for what, row := range map[string]struct {
		token  string
		status int
		closed string
	}{
		"a forged token":   {d.token("alice", another, time.Hour), http.StatusUnauthorized, "\x11\x31unauthorized"},
		"an expired token": {d.token("alice", d.key, -time.Hour), http.StatusUnauthorized, "\x11\x31token_expired"},
		"a blocked user":   {d.token("mallory", d.key, time.Hour), http.StatusForbidden, "\x11\x33forbidden"},
	} {
		t.Run(what, func(t *testing.T) {
			statuses(t, row.status, d.upgrades(row.token))
			statuses(t, row.status, d.overHTTP(row.token))
			statuses(t, row.status, from(d.site, d.overHTTP(row.token)))
			for way, how := range from(d.site, d.upgrades(row.token)) {
				said := curl(t, "", []string{row.closed, `"type":"welcome"`}, how...)
				if !strings.HasPrefix(said, "HTTP/1.1 101 ") || !strings.Contains(said, row.closed) {
					t.Errorf("by %s: %q, want it closed with %q", way, said, row.closed)
				}
			}
		})
	}
	d.lastDoor(d.token("alice", d.key, time.Hour))
}

// lastDoor has a good token come from pages.
func (d *door) lastDoor(token string) {
	t := d.t
	t.Helper()
	good := d.overHTTP(token)
	delete(good, "stream, query") // it stays open
	statuses(t, http.StatusOK, good)
	statuses(t, http.StatusOK, from(d.site, good))
	statuses(t, http.StatusForbidden, from("https://evil.example", d.upgrades(token)))
	statuses(t, http.StatusForbidden, from("https://evil.example", d.overHTTP(token)))
	for way, how := range from(d.site, d.upgrades(token)) {
		if said := curl(t, "", ends(), how...); !strings.HasPrefix(said, "HTTP/1.1 101 ") || !strings.Contains(said, `"user":"alice"`) {
			t.Errorf("a good token by %s: %q", way, said)
		}
	}
	// A page that is listed may connect; the cookie is not its own.
	for way, how := range from("https://listed.example", d.upgrades(token)) {
		want := map[bool]string{true: `"type":"auth_required"`, false: `"user":"alice"`}[strings.HasPrefix(way, "cookie")]
		if said := curl(t, "", ends(), how...); !strings.HasPrefix(said, "HTTP/1.1 101 ") || !strings.Contains(said, want) {
			t.Errorf("by %s: %q, want %s", way, said, want)
		}
	}
}
