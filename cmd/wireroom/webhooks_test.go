package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/internal/webhook"
	"github.com/wireroom/wireroom/protocol"
)

// webhookSecret signs in the tests.
const webhookSecret = "a-secret-of-the-tests"

// backEnd starts one of the examples, and returns it with its URL.
func backEnd(t *testing.T, program string, arguments ...string) (*process, string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("install %s: an example is written for it", program)
	}
	c := command(t, []string{"WEBHOOK_SECRET=" + webhookSecret, "PYTHONDONTWRITEBYTECODE=1"}, arguments...)
	c.Path, c.Args[0] = path, program
	p := start(t, c)
	return p, p.line()
}

// example returns the path of an example's file.
func example(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "examples"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// serveHooked starts a server with a back end for everything.
func serveHooked(t *testing.T, url, more string) (*process, string) {
	t.Helper()
	c := command(t, nil, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--no-dashboard")
	writeFile(t, filepath.Join(c.Dir, "wireroom.yaml"), fmt.Sprintf(`
webhooks:
  - url: %s
    events: [connect, join, publish, call, disconnect, first_member, last_member]
    secret: %s
    types: [sum]
    headers: [Cookie]
%s`, url, webhookSecret, more))
	p := start(t, c)
	return p, p.url()
}

// connects connects a client, with a cookie or without.
func connects(t *testing.T, url, cookie string) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := client.Options{NoInbox: true}
	if cookie != "" {
		o.HTTPHeader = http.Header{"Cookie": {cookie}}
	}
	c, err := client.Dial(ctx, url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTheExamplesOfBackEndsWork(t *testing.T) {
	for name, words := range map[string][]string{
		"python": {"python3", example(t, "webhook-python", "backend.py"), "0"},
		"node":   {"node", example(t, "webhook-node", "backend.mjs"), "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(words[1])
			if lines := strings.Count(string(source), "\n"); err != nil || lines >= 50 {
				t.Errorf("%d lines, %v", lines, err)
			}
			back, hook := backEnd(t, words[0], words[1:]...)
			_, url := serveHooked(t, hook, "")
			refusesStrangers(t, hook)
			ann, bob := connects(t, url, "session=ann"), connects(t, url, "")
			if w := ann.Welcome(); w.User != "ann" {
				t.Errorf("the cookie's user is %q", w.User)
			}
			var refused *protocol.Error
			if _, err := bob.Join(t.Context(), "staff/a"); !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden || refused.Message != "staff only" {
				t.Errorf("a stranger joins: %v", err)
			}
			room, err := ann.Join(t.Context(), "staff/a")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ann.Publish(t.Context(), "staff/a", "darn it"); err != nil {
				t.Fatal(err)
			}
			message, err := room.Next(t.Context())
			if m, ok := message.(*protocol.Message); err != nil || !ok || string(m.Data) != `"**** it"` {
				t.Errorf("received %+v, %v", message, err)
			}
			if sum, err := ann.Request(t.Context(), "sum", []int{1, 2, 39}); err != nil || string(sum) != `{"sum":42}` && string(sum) != `{"sum": 42}` {
				t.Errorf("called: %s %v", sum, err)
			}
			ann.Close()
			told := []string{back.after("first_member"), back.after("last_member")}
			if told[0] != "staff/a" || told[1] != "staff/a" {
				t.Errorf("informed of %q", told)
			}
		})
	}
}

// refusesStrangers checks that a back end takes nothing that the server did not sign, nor what it signed long ago.
func refusesStrangers(t *testing.T, hook string) {
	t.Helper()
	const body = `{"event":"connect"}`
	now, before := fmt.Sprint(time.Now().Unix()), fmt.Sprint(time.Now().Add(-10*time.Minute).Unix())
	for _, row := range []struct {
		name, sent, signature string
		want                  int
	}{
		{"nothing", now, "", http.StatusUnauthorized},
		{"too little", now, "sha256=00", http.StatusUnauthorized},
		{"something", now, "sha256=" + strings.Repeat("0", 64), http.StatusUnauthorized},
		{"the secret, ten minutes ago", before, webhook.Sign(webhookSecret, before, []byte(body)), http.StatusUnauthorized},
		{"the secret", now, webhook.Sign(webhookSecret, now, []byte(body)), http.StatusOK},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hook, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(webhook.TimestampHeader, row.sent)
		r.Header.Set(webhook.SignatureHeader, row.signature)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != row.want {
			t.Errorf("signed with %s: %s", row.name, response.Status)
		}
	}
}

func TestWhatHoldsWhileThereIsNoBackEnd(t *testing.T) {
	nobody := "http://" + freeAddress(t) + "/"
	_, url := serveHooked(t, nobody, "    on_failure: allow\n")
	c := connects(t, url, "")
	if _, err := c.Join(t.Context(), "general"); err != nil {
		t.Errorf("allowed: %v", err)
	}
	p, url := serveHooked(t, nobody, "    on_failure: deny\n")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // the client tries again until it is told to stop
		p.says("a webhook did not decide")
		cancel()
	}()
	if c, err := client.Dial(ctx, url, client.Options{}); err == nil {
		t.Error("let in")
		c.Close()
	}
}

func TestTheSettingsOfWebhooksAreRight(t *testing.T) {
	for _, block := range blocksOf(t, "webhooks.md", "yaml") {
		c := command(t, nil, "config", "check", "own.yaml")
		writeFile(t, filepath.Join(c.Dir, "own.yaml"), block)
		writeFile(t, filepath.Join(c.Dir, "webhook.secret"), webhookSecret)
		if got := finish(t, c); got.status != exitDone {
			t.Errorf("%s\n%+v", block, got)
		}
	}
	for text, want := range map[string]string{
		"webhooks:\n- {url: 'http://a/', events: [join], secret: short}":                                 "the secret has 5 bytes",
		"webhooks:\n- {url: 'http://a/', events: [jion], secret: a-secret-of-the-tests}":                 `"jion" is no event, did you mean "join"?`,
		"webhooks:\n- {url: a, events: [join], secret: a-secret-of-the-tests}":                           "no URL of a back end",
		"webhooks:\n- {url: 'http://a/', events: [join], secret_file: absent}":                           "absent",
		"webhooks:\n- {url: 'http://a/', events: [join], rooms: ['***'], secret: a-secret-of-the-tests}": `"***"`,
		"api:\n  keys:\n  - {name: a, key: a-secret-of-the-tests, scopes: [publsh]}":                     `"publsh" is no scope, did you mean "publish"?`,
		"api:\n  keys:\n  - {name: a, scopes: [publish]}":                                                "neither a key nor a key_file",
		"api:\n  keys:\n  - {name: admin, key: a-secret-of-the-tests, scopes: [publish]}":                "another one has this name",
		"traces: {endpoint: 'collector:4318'}":                                                           "no URL of a collector",
		"traces: {ratio: 2}":                                                                             "2 is not between 0 and 1",
		"admin: {key: short}":                                                                            "the key has 5 bytes",
	} {
		c := command(t, nil, "config", "check", "own.yaml")
		writeFile(t, filepath.Join(c.Dir, "own.yaml"), text)
		if got := finish(t, c); got.status != exitConfig || !strings.Contains(got.err, want) {
			t.Errorf("%s\nis %+v, want %q", text, got, want)
		}
	}
}

// The document's example of what is sent has what is sent.
func TestTheDocumentShowsWhatIsSent(t *testing.T) {
	var notice map[string]any
	if err := json.Unmarshal([]byte(blocksOf(t, "webhooks.md", "json")[0]), &notice); err != nil {
		t.Fatal(err)
	}
	seen := make(chan map[string]any, 1)
	back := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var told map[string]any
		if json.NewDecoder(r.Body).Decode(&told) == nil && told["event"] == "publish" {
			seen <- told
		}
	})}
	listener := listen(t)
	go func() { _ = back.Serve(listener) }()
	t.Cleanup(func() { _ = back.Close() })
	_, url := serveHooked(t, "http://"+listener.Addr().String()+"/", "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Options{Name: "Alice"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Publish(ctx, "general", map[string]string{"text": "hello"}, client.PublishOptions{Event: "note"}); err != nil {
		t.Fatal(err)
	}
	told := <-seen
	delete(told, "anonymous") // the document's user has a token
	for key := range notice {
		if told[key] == nil {
			t.Errorf("%s is not sent", key)
		}
		delete(told, key)
	}
	if len(told) > 0 {
		t.Errorf("also sent: %v", told)
	}
}

// Without --data nothing keeps what a back end is to be told of a server's end.
func TestTheEventsOfAServersEndAreSentBeforeItIsGone(t *testing.T) {
	told := make(chan string, 100)
	var refused atomic.Bool
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct{ Event string }
		_ = json.NewDecoder(r.Body).Decode(&event) // what is no event is none of those wanted
		if event.Event == "disconnect" && !refused.Swap(true) {
			w.WriteHeader(http.StatusInternalServerError) // it is sent again
			return
		}
		told <- event.Event
	}))
	defer back.Close()
	p, url := serveHooked(t, back.URL+"/", "")
	connects(t, url, "")
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != exitDone {
		t.Errorf("it ends with %d", status)
	}
	for {
		select {
		case event := <-told:
			if event == "disconnect" {
				return
			}
		default:
			t.Fatal("the back end is not told of the last disconnect")
		}
	}
}

// With --data a back end that was away is told by the next server what the one before could not tell, as the same event.
func TestWhatABackEndMissedIsSentAfterARestart(t *testing.T) {
	var well atomic.Bool
	missed, told := make(chan webhook.Notice, 100), make(chan webhook.Notice, 100)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n webhook.Notice
		_ = json.NewDecoder(r.Body).Decode(&n) // what is no event is none of those wanted
		switch {
		case !well.Load():
			w.WriteHeader(http.StatusInternalServerError)
			if n.Event == webhook.Disconnect {
				missed <- n
			}
		case n.Event == webhook.Disconnect:
			told <- n
		}
	}))
	defer back.Close()
	settings := fmt.Sprintf("    on_failure: allow\ndata: %s\n", filepath.Join(t.TempDir(), "data"))
	p, url := serveHooked(t, back.URL+"/", settings)
	c := connects(t, url, "")
	who := c.Welcome().Client
	c.Close()
	first := <-missed
	p.signal(syscall.SIGKILL)
	p.status()
	well.Store(true)
	serveHooked(t, back.URL+"/", settings)
	if n := <-told; n.ID != first.ID || n.Client != who {
		t.Errorf("told of %+v, want %+v of %s", n, first, who)
	}
}
