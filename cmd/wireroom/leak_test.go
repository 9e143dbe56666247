package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
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
	seen    strings.Builder   // all that the server has said
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
	l.seen.WriteString(response.Status + "\n" + string(text) + "\n")
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
		l.seen.WriteString(response.Status + err.Error() + "\n")
		if response.Body != nil {
			text, _ := io.ReadAll(response.Body)
			l.seen.Write(text)
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
			l.seen.WriteString(err.Error() + "\n")
			break
		}
		l.seen.Write(append(text, '\n'))
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

// A whole run, with every way to present a token, good and bad, and the log as talkative as it can be: no token is in
// the log, in an error or in an answer.
func TestNoTokenIsEverShown(t *testing.T) {
	c := command(t, []string{"WIREROOM_SECRET=" + secret, "WIREROOM_TOKENS_COOKIE=session", "WIREROOM_ACCESS=signed-in"},
		"serve", "--listen", "127.0.0.1:0", "--log-level", "debug")
	server := start(t, c)
	socket := server.url()
	site := "http" + strings.TrimSuffix(strings.TrimPrefix(socket, "ws"), "/ws")
	l := &leaks{t: t, secrets: map[string]string{"the secret": secret}}
	good := auth.SigningKey{Algorithm: "HS256", Secret: []byte(secret)}
	forged := auth.SigningKey{Algorithm: "HS256", Secret: []byte("another secret of some length")}
	for kind, key := range map[string]auth.SigningKey{"alice": good, "forger": forged, "late": good} {
		lifetime := time.Hour
		if kind == "late" {
			lifetime = -time.Hour
		}
		token := l.token(kind, key, lifetime)
		want := kind == "alice"
		encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
		for way, o := range map[string]*websocket.DialOptions{
			"bearer":     {HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}},
			"cookie":     {HTTPHeader: http.Header{"Cookie": {"session=" + token}}},
			"browser":    {HTTPHeader: http.Header{"Cookie": {"session=" + token}, "Origin": {site}}},
			"protocol":   {Subprotocols: []string{"wireroom.v1", "auth." + token}},
			"in base64":  {Subprotocols: []string{"wireroom.v1", "auth.b64." + encoded}},
			"half of it": {Subprotocols: []string{"wireroom.v1", "auth.b64." + encoded + "!"}},
		} {
			if got := l.connect(socket, o); got != (want && way != "half of it") && way != "half of it" {
				t.Errorf("%s by %s: let in: %v", kind, way, got)
			}
		}
		if got := l.connect(socket+"?token="+token, nil, `{"type":"auth","token":"`+token+`","id":1}`, `{"type":"join","room":"`+token[:60]+`","id":2}`); got != want {
			t.Errorf("%s by the query: let in: %v", kind, got)
		}
		if got := l.connect(socket, nil, `{"type":"auth","token":"`+token+`","id":1}`); got != want {
			t.Errorf("%s by the first message: let in: %v", kind, got)
		}
		l.connect(socket, nil, `{"type":"auth","token":"`+token, `{"type":"auth","token":["`+token+`"],"id":1}`)
		l.connect(socket, nil, `{"type":"auth","token":"`+strings.Repeat(token, 60)+`","id":1}`)
		bearer := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
		l.do(http.MethodPost, site+"/send", `{"type":"publish","room":"a","data":1,"id":1}`, bearer)
		l.do(http.MethodPost, site+"/send?token="+token, `{"type":"nonsense","id":1}`, nil)
		l.do(http.MethodGet, site+"/poll?room=a&wait=0&token="+token, "", nil)
		l.do(http.MethodGet, site+"/absent?token="+token, "", nil)
		l.do(http.MethodGet, site+"/ws?token="+token, "", nil)
		if !want {
			l.do(http.MethodGet, site+"/sse?room=a&token="+token, "", nil)
			continue
		}
		var ticket struct{ Ticket string }
		if answer := l.do(http.MethodPost, site+"/api/tickets", "", bearer); json.Unmarshal([]byte(answer), &ticket) != nil || ticket.Ticket == "" {
			t.Fatalf("there is no ticket in %s", answer)
		}
		before := strings.ReplaceAll(l.seen.String(), ticket.Ticket, "") // the answer has it, and nothing else may
		l.seen.Reset()
		l.seen.WriteString(before)
		l.secret("a ticket", ticket.Ticket)
		for i, want := range []bool{true, false} {
			if got := l.connect(socket+"?ticket="+ticket.Ticket, nil); got != want {
				t.Errorf("by a ticket, time %d: let in: %v", i+1, got)
			}
		}
	}
	server.signal(syscall.SIGTERM)
	if status := server.status(); status != exitDone {
		t.Errorf("it ended with %d", status)
	}
	for line := range server.lines {
		l.seen.WriteString(line + "\n")
	}
	l.seen.WriteString(server.errors.String())
	for what, text := range l.secrets {
		if i := strings.Index(l.seen.String(), text); i >= 0 {
			t.Errorf("%s is shown: ...%s...", what, l.seen.String()[max(0, i-100):min(l.seen.Len(), i+50)])
		}
	}
}
