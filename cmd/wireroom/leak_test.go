package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom/auth"
)

// leaks collects what must not be seen anywhere, and where it was looked for.
type leaks struct {
	t       *testing.T
	secrets map[string]string // by what they are
	whose   map[string]string // those that whoever they are for is told, and nobody else

	mu   sync.Mutex
	seen strings.Builder // all that the server has said to clients
	told strings.Builder // and to others: back ends, collectors, administrators, its log
}

func newLeaks(t *testing.T) *leaks {
	return &leaks{t: t, secrets: make(map[string]string), whose: make(map[string]string)}
}

// see takes what a client was told.
func (l *leaks) see(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen.WriteString(text + "\n")
}

// tell takes what somebody else was told.
func (l *leaks) tell(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told.WriteString(text + "\n")
}

// others starts what the server tells of its clients: it takes all that it is told, and wants to hear so many words.
func (l *leaks) others() (url string, heard func(words ...string)) {
	more := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what came will do
		l.tell(fmt.Sprint(r.URL, r.Header, string(body)))
		select {
		case more <- struct{}{}:
		default:
		}
	}))
	l.t.Cleanup(server.Close)
	return server.URL, func(words ...string) {
		l.t.Helper()
		late := time.After(patience)
		for _, word := range words {
			for !l.wasTold(word) {
				select {
				case <-more:
				case <-late:
					l.t.Fatalf("nobody is told of %s", word)
				}
			}
		}
	}
}

func (l *leaks) wasTold(word string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.told.String(), word)
}

// check fails for each secret that is where it must not be.
func (l *leaks) check() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	within := func(what, secret, text string) {
		if i := strings.Index(text, secret); i >= 0 {
			l.t.Errorf("%s is shown: ...%s...", what, text[max(0, i-100):min(len(text), i+50)])
		}
	}
	for what, secret := range l.secrets {
		within(what, secret, l.seen.String())
		within(what, secret, l.told.String())
	}
	for what, secret := range l.whose {
		within(what, secret, l.told.String())
	}
}

// token returns a token of a user that is a secret from now on.
func (l *leaks) token(user string, key auth.SigningKey, lifetime time.Duration) string {
	l.t.Helper()
	signed, err := key.Sign(auth.Identity{User: user, Expires: time.Now().Add(lifetime)}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.secret("the token of "+user, signed)
	return signed
}

func (l *leaks) secret(what, text string) {
	l.secrets[what] = text
	if parts := strings.Split(text, "."); len(parts) == 3 {
		l.secrets["the signature of "+what] = parts[2]
		l.secrets[what+" in base64"] = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
}

// do sends a request; the answer is kept.
func (l *leaks) do(method, url, body string, headers map[string]string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		l.t.Fatal(err)
	}
	l.see(response.Status + "\n" + string(text))
	return string(text)
}

// connect connects by WebSocket and reads until the server has nothing more to say, or closes; it sends frames before.
func (l *leaks) connect(url string, o *websocket.DialOptions, frames ...string) (welcomed bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	c, response, err := websocket.Dial(ctx, url, o)
	if err != nil {
		if response == nil {
			l.t.Fatal(err)
		}
		l.see(response.Status + err.Error())
		if response.Body != nil {
			text, _ := io.ReadAll(response.Body)
			l.see(string(text))
		}
		return false
	}
	defer func() { _ = c.CloseNow() }()
	for _, frame := range append(frames, `{"type":"ping"}`) {
		if c.Write(ctx, websocket.MessageText, []byte(frame)) != nil {
			break // it was closed: reading tells why
		}
	}
	replies, entering := 0, false // an ok to auth is followed by a welcome
	for replies < len(frames)+1 || entering && !welcomed {
		_, text, err := c.Read(ctx)
		if err != nil {
			l.see(err.Error())
			break
		}
		l.see(string(text))
		switch said := string(text); {
		case strings.HasPrefix(said, `{"type":"welcome"`):
			welcomed = true
		case !strings.HasPrefix(said, `{"type":"auth_required"`):
			replies++
			entering = entering || strings.HasPrefix(said, `{"type":"ok"`) && strings.Contains(said, `"of":"auth"`)
		}
	}
	return welcomed
}

// socketIO opens a connection of Engine.IO and connects to the main namespace with what is presented; let in is whether
// that worked.
func (l *leaks) socketIO(url string, headers http.Header, presented string) (letIn bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: headers})
	if err != nil {
		l.see(err.Error())
		return false
	}
	defer func() { _ = c.CloseNow() }()
	_ = c.Write(ctx, websocket.MessageText, []byte("40"+presented)) // reading tells why not
	for {
		_, text, err := c.Read(ctx)
		if err != nil {
			l.see(err.Error())
			return false
		}
		l.see(string(text))
		var open struct{ Sid string }
		if handshake, ok := strings.CutPrefix(string(text), "0"); ok && json.Unmarshal([]byte(handshake), &open) == nil {
			l.whose["an id of Engine.IO "+open.Sid] = open.Sid
		}
		if letIn = strings.HasPrefix(string(text), "40"); letIn || strings.HasPrefix(string(text), "44") {
			return letIn
		}
	}
}

// socketIOByPolls does the same over requests.
func (l *leaks) socketIOByPolls(url string, headers map[string]string, presented string) {
	l.t.Helper()
	var open struct{ Sid string }
	answer := strings.TrimPrefix(l.do(http.MethodGet, url, "", headers), "0")
	if json.Unmarshal([]byte(answer), &open) != nil || open.Sid == "" {
		return // refused
	}
	l.whose["an id of Engine.IO "+open.Sid] = open.Sid
	url += "&sid=" + open.Sid
	l.do(http.MethodPost, url, "40"+presented, map[string]string{"Content-Type": "text/plain"})
	l.do(http.MethodGet, url, "", nil)
	l.do(http.MethodPost, url, "1", map[string]string{"Content-Type": "text/plain"}) // goodbye
	l.do(http.MethodGet, url+"x", "", nil)
}

// leaky is a server with all that tells others of its clients.
type leaky struct {
	*leaks
	server               *process
	socket, site, admins string
	heard                func(words ...string)
}

const adminKey = "the key of the administrators"

func startLeaky(t *testing.T) *leaky {
	t.Helper()
	l := &leaky{leaks: newLeaks(t)}
	url, heard := l.others()
	c := command(t, []string{
		"WIREROOM_SECRET=" + secret, "WIREROOM_TOKENS_COOKIE=session", "WIREROOM_ACCESS=signed-in", "WIREROOM_ADMIN_KEY=" + adminKey,
	}, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "debug",
		"--traces-endpoint", url+"/traces", "--traces-ratio", "1")
	writeFile(t, filepath.Join(c.Dir, "wireroom.yaml"), fmt.Sprintf(`
webhooks:
  - url: %s/hook
    events: [connect, join, publish, call, disconnect, first_member, last_member]
    secret: %s
    types: [sum]
`, url, webhookSecret))
	l.server, l.heard = start(t, c), heard
	l.socket = l.server.url()
	l.admins = l.server.after("admin ")
	l.site = "http" + strings.TrimSuffix(strings.TrimPrefix(l.socket, "ws"), "/ws")
	l.secrets["the secret"], l.secrets["the key"], l.secrets["the webhook's secret"] = secret, adminKey, webhookSecret
	return l
}

// A whole run, with every way to present a token, good and bad, and the log as talkative as it can be: no token is in
// the log, in an error or in an answer, and in nothing that back ends, collectors and administrators are told.
func TestNoTokenIsEverShown(t *testing.T) {
	l := startLeaky(t)
	good := auth.SigningKey{Algorithm: "HS256", Secret: []byte(secret)}
	forged := auth.SigningKey{Algorithm: "HS256", Secret: []byte("another secret of some length")}
	for user, key := range map[string]auth.SigningKey{"alice": good, "forger": forged, "late": good} {
		lifetime := time.Hour
		if user == "late" {
			lifetime = -time.Hour
		}
		token := l.token(user, key, lifetime)
		l.presentBySocket(user, token)
		l.presentByHTTP(user, token)
		l.presentBySocketIO(user, token)
		if user == "alice" {
			l.presentByTicket(token)
		}
		l.lookAsAdministrator(token)
	}
	l.heard("/hook", `"connect"`, `"join"`, `"publish"`, `"disconnect"`, "/traces", "alice")
	l.server.signal(syscall.SIGTERM)
	if status := l.server.status(); status != exitDone {
		t.Errorf("it ended with %d", status)
	}
	for line := range l.server.lines {
		l.tell(line)
	}
	l.tell(l.server.errors.String())
	if !l.wasTold("wireroom_publishes_total") {
		t.Error("nothing is known of what was to be seen")
	}
	l.check()
}

// presentBySocket presents a token in all ways in which a WebSocket does.
func (l *leaky) presentBySocket(user, token string) {
	l.t.Helper()
	want := user == "alice"
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	for way, o := range map[string]*websocket.DialOptions{
		"bearer":     {HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}},
		"cookie":     {HTTPHeader: http.Header{"Cookie": {"session=" + token}}},
		"browser":    {HTTPHeader: http.Header{"Cookie": {"session=" + token}, "Origin": {l.site}}},
		"protocol":   {Subprotocols: []string{"wireroom.v1", "auth." + token}},
		"in base64":  {Subprotocols: []string{"wireroom.v1", "auth.b64." + encoded}},
		"half of it": {Subprotocols: []string{"wireroom.v1", "auth.b64." + encoded + "!"}},
	} {
		if got := l.connect(l.socket, o); got != (want && way != "half of it") && way != "half of it" {
			l.t.Errorf("%s by %s: let in: %v", user, way, got)
		}
	}
	if got := l.connect(l.socket+"?token="+token, nil, `{"type":"auth","token":"`+token+`","id":1}`, `{"type":"join","room":"`+token[:60]+`","id":2}`); got != want {
		l.t.Errorf("%s by the query: let in: %v", user, got)
	}
	if got := l.connect(l.socket, nil, `{"type":"auth","token":"`+token+`","id":1}`); got != want {
		l.t.Errorf("%s by the first message: let in: %v", user, got)
	}
	l.connect(l.socket, nil, `{"type":"auth","token":"`+token, `{"type":"auth","token":["`+token+`"],"id":1}`)
	l.connect(l.socket, nil, `{"type":"auth","token":"`+strings.Repeat(token, 60)+`","id":1}`)
}

// presentByHTTP presents a token in all ways in which requests do.
func (l *leaky) presentByHTTP(user, token string) {
	l.t.Helper()
	bearer := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
	l.do(http.MethodPost, l.site+"/send", `{"type":"publish","room":"a","data":1,"id":1}`, bearer)
	l.do(http.MethodPost, l.site+"/send?token="+token, `{"type":"nonsense","id":1}`, nil)
	l.do(http.MethodPost, l.site+"/send?token="+token, `{"type":"sum","data":[1],"id":1}`, map[string]string{"Content-Type": "application/json"})
	l.do(http.MethodGet, l.site+"/poll?room=a&wait=0&token="+token, "", nil)
	l.do(http.MethodGet, l.site+"/absent?token="+token, "", nil)
	l.do(http.MethodGet, l.site+"/ws?token="+token, "", nil)
	l.do(http.MethodPost, l.site+"/api/publish?token="+token, `{"room":"a","data":1}`, bearer)
	if user != "alice" {
		l.do(http.MethodGet, l.site+"/sse?room=a&token="+token, "", nil)
	}
}

// presentBySocketIO presents a token in all ways in which clients of Socket.IO do.
func (l *leaky) presentBySocketIO(user, token string) {
	l.t.Helper()
	address := l.socket[:len(l.socket)-len("/ws")] + "/socket.io/?EIO=4&transport=websocket"
	bearer := "Bearer " + token
	for way, got := range map[string]bool{
		"what it presents": l.socketIO(address, nil, `{"token":"`+token+`"}`),
		"the query":        l.socketIO(address+"&token="+token, nil, ""),
		"a header":         l.socketIO(address, http.Header{"Authorization": {bearer}}, `{"token":"`+token+`"}`),
	} {
		if got != (user == "alice") {
			l.t.Errorf("%s by %s of Socket.IO: let in: %v", user, way, got)
		}
	}
	polls := l.site + "/socket.io/?EIO=4&transport=polling"
	l.socketIOByPolls(polls, nil, `{"token":"`+token+`"}`)
	l.socketIOByPolls(polls+"&token="+token, nil, "")
	l.socketIOByPolls(polls, map[string]string{"Authorization": bearer}, `{"token":["`+token+`"]}`)
	l.do(http.MethodGet, l.site+"/socket.io/?EIO=4&transport=none&token="+token, "", nil)
}

// presentByTicket takes a ticket for a token, and presents that, twice.
func (l *leaky) presentByTicket(token string) {
	l.t.Helper()
	var ticket struct{ Ticket string }
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.site+"/api/tickets", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r) // which has it, and nothing else may
	if err != nil {
		l.t.Fatal(err)
	}
	defer answer.Body.Close()
	if json.NewDecoder(answer.Body).Decode(&ticket) != nil || ticket.Ticket == "" {
		l.t.Fatalf("there is no ticket: %s", answer.Status)
	}
	l.secret("a ticket", ticket.Ticket)
	for i, want := range []bool{true, false} {
		if got := l.connect(l.socket+"?ticket="+ticket.Ticket, nil); got != want {
			l.t.Errorf("by a ticket, time %d: let in: %v", i+1, got)
		}
	}
}

// lookAsAdministrator looks at all that administrators see, also as somebody who is none.
func (l *leaky) lookAsAdministrator(token string) {
	l.t.Helper()
	for _, path := range []string{"metrics", "readyz", "api/node", "api/rooms", "api/connections", "api/why?user=alice&room=a", "api/presence?room=a"} {
		for _, key := range []string{adminKey, token} {
			l.tell(path + " " + l.do(http.MethodGet, l.admins+path, "", map[string]string{"Authorization": "Bearer " + key}))
		}
		l.tell(path + " " + l.do(http.MethodGet, l.admins+path+"?token="+token, "", nil))
	}
}
