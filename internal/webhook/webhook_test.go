package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/webhook"
	"github.com/wireroom/wireroom/protocol"
)

const secret = "a-secret-of-16-bytes-or-more"

// backend is a back end whose answers a test decides.
type backend struct {
	t      *testing.T
	server *httptest.Server
	answer func(n webhook.Notice, w http.ResponseWriter)
	seen   chan webhook.Notice // what was answered well
}

func newBackend(t *testing.T, answer func(n webhook.Notice, w http.ResponseWriter)) *backend {
	t.Helper()
	b := &backend{t: t, answer: answer, seen: make(chan webhook.Notice, 1000)}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	sent := r.Header.Get(webhook.TimestampHeader)
	seconds, bad := strconv.ParseInt(sent, 10, 64)
	if err != nil || bad != nil || r.Header.Get(webhook.SignatureHeader) != webhook.Sign(secret, sent, body) || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		b.t.Errorf("not signed: %v", r.Header)
	}
	var n webhook.Notice
	if err := json.Unmarshal(body, &n); err != nil || n.ID != r.Header.Get(webhook.IDHeader) || n.Node != "n1" || n.Time == 0 {
		b.t.Errorf("%s: %v", body, err)
	}
	b.answer(n, w)
}

// notes has what was told of go to seen.
func (b *backend) notes(n webhook.Notice, _ http.ResponseWriter) { b.seen <- n }

func (b *backend) next() webhook.Notice {
	b.t.Helper()
	select {
	case n := <-b.seen:
		return n
	case <-time.After(30 * time.Second):
		b.t.Fatal("the back end is told nothing")
	}
	return webhook.Notice{}
}

func newCaller(t *testing.T, change func(o *webhook.Options), hooks ...webhook.Hook) (*webhook.Caller, *metrics.Set) {
	t.Helper()
	o := webhook.Options{
		Hooks: hooks, Node: "n1", Logger: slog.New(slog.DiscardHandler), Metrics: new(metrics.Set), Backoff: time.Millisecond,
		Matches: func(pattern, room string) bool { return pattern == room },
	}
	if change != nil {
		change(&o)
	}
	c, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, o.Metrics
}

func decide(t *testing.T, c *webhook.Caller, n webhook.Notice) (verdicts []*webhook.Verdict, err error) {
	t.Helper()
	err = c.Decide(t.Context(), n, func(v *webhook.Verdict) error { verdicts = append(verdicts, v); return nil })
	return verdicts, err
}

func TestTheBackEndDecides(t *testing.T) {
	b := newBackend(t, func(n webhook.Notice, w http.ResponseWriter) {
		switch n.Room {
		case "no":
			fmt.Fprint(w, `{"allow":false,"code":"rate_limited","message":"later","retry_after":2}`)
		case "odd":
			fmt.Fprint(w, `{"allow":false,"code":"internal"}`)
		case "changed":
			fmt.Fprint(w, `{"data":[1],"event":"e"}`)
		}
	})
	c, set := newCaller(t, nil, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Publish}})
	if v, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "yes"}); err != nil || len(v) != 1 || v[0].Data != nil {
		t.Errorf("allowed: %v %v", v, err)
	}
	if v, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "changed"}); err != nil || string(v[0].Data) != "[1]" || *v[0].Event != "e" {
		t.Errorf("changed: %v %v", v, err)
	}
	var refused *protocol.Error
	if _, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "no"}); !errors.As(err, &refused) || refused.Code != protocol.CodeRateLimited || refused.Message != "later" || refused.RetryAfter != 2 {
		t.Errorf("refused: %v", err)
	}
	if _, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "odd"}); !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden {
		t.Errorf("refused with a code that is not the back end's to give: %v", err)
	}
	if v, err := decide(t, c, webhook.Notice{Event: webhook.Join, Room: "no"}); err != nil || v != nil {
		t.Errorf("asked about another event: %v %v", v, err)
	}
	if set.Value(metrics.WebhookAllowed) != 2 || set.Value(metrics.WebhookDenied) != 2 || set.Value(metrics.WebhookFailed) != 0 {
		t.Error("not counted")
	}
}

func TestWhatHoldsWithoutAnAnswerIsConfigured(t *testing.T) {
	release := make(chan struct{})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect is followed") }))
	defer elsewhere.Close()
	failures := map[string]func(w http.ResponseWriter){
		"no answer":   func(http.ResponseWriter) { <-release },
		"an error":    func(w http.ResponseWriter) { w.WriteHeader(500) },
		"a redirect":  func(w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(307) },
		"nonsense":    func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
		"wrong types": func(w http.ResponseWriter) { fmt.Fprint(w, `{"allow":"yes"}`) },
		"too much":    func(w http.ResponseWriter) { fmt.Fprintf(w, `{"message":"%s"}`, strings.Repeat("x", 2<<20)) },
	}
	b := newBackend(t, func(n webhook.Notice, w http.ResponseWriter) { failures[n.Room](w) })
	defer close(release)
	for room := range failures {
		for _, allow := range []bool{true, false} {
			h := webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Join}, Allow: allow}
			if room == "no answer" {
				h.Timeout = 50 * time.Millisecond
			}
			c, set := newCaller(t, nil, h)
			_, err := decide(t, c, webhook.Notice{Event: webhook.Join, Room: room})
			var refused *protocol.Error
			if allow != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Code != protocol.CodeOverloaded) {
				t.Errorf("%s, allow %v: %v", room, allow, err)
			}
			if set.Value(metrics.WebhookFailed) != 1 {
				t.Errorf("%s is not counted", room)
			}
		}
	}
}

func TestHooksAreForTheirRoomsAndTypes(t *testing.T) {
	b := newBackend(t, nil)
	b.answer = b.notes
	c, _ := newCaller(
		t, nil,
		webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Join}, Rooms: []string{"mine"}},
		webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Call}, Types: []string{"sum", "mean"}},
	)
	for _, n := range []webhook.Notice{
		{Event: webhook.Join, Room: "other"},
		{Event: webhook.Call, Type: "other"},
		{Event: webhook.Join, Room: "mine"},
		{Event: webhook.Call, Type: "sum"},
	} {
		if _, err := decide(t, c, n); err != nil {
			t.Error(err)
		}
	}
	if first, second := b.next(), b.next(); first.Room != "mine" || second.Type != "sum" || len(b.seen) > 0 {
		t.Errorf("told %v, %v and %d more", first, second, len(b.seen))
	}
	if got := c.Types(); !slices.Equal(got, []string{"mean", "sum"}) || c.Has(webhook.Publish) || !c.Has(webhook.Call) {
		t.Errorf("types %v", got)
	}
}

func TestRoomsAreToldOfInOrderAlthoughCallsFail(t *testing.T) {
	var mu sync.Mutex
	tries := make(map[string]int)
	b := newBackend(t, nil)
	b.answer = func(n webhook.Notice, w http.ResponseWriter) {
		mu.Lock()
		defer mu.Unlock()
		if tries[n.ID]++; tries[n.ID] < 3 {
			w.WriteHeader(503)
			return
		}
		b.seen <- n
	}
	c, set := newCaller(t, nil, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.FirstMember, webhook.LastMember}})
	const rooms, each = 20, 6
	for i := range each {
		for room := range rooms {
			event := []webhook.Event{webhook.FirstMember, webhook.LastMember}[i%2]
			c.Inform(webhook.Notice{Event: event, Room: fmt.Sprint("room", room), Reason: fmt.Sprint(i)})
		}
	}
	got := make(map[string][]string)
	for range rooms * each {
		n := b.next()
		got[n.Room] = append(got[n.Room], n.Reason)
	}
	for room, order := range got {
		if !slices.IsSorted(order) || len(order) != each {
			t.Errorf("%s: %v", room, order)
		}
	}
	if n := set.Value(metrics.WebhookRetried); n != 2*rooms*each {
		t.Errorf("%d retries", n)
	}
}

func TestWhatWaitsOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "webhooks")
	b := newBackend(t, func(_ webhook.Notice, w http.ResponseWriter) { w.WriteHeader(500) })
	h := webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.LastMember}}
	in := func(o *webhook.Options) { o.Dir = dir }
	c, _ := newCaller(t, in, h)
	for i := range 3 {
		c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a", Reason: fmt.Sprint(i)})
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "webhooks.log")
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`+{"id":"torn","url":"`); err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	healthy := newBackend(t, nil)
	healthy.answer = healthy.notes
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(content), b.server.URL, healthy.server.URL)
	if err := os.WriteFile(name, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	h.URL = healthy.server.URL
	c, set := newCaller(t, in, h)
	for i := range 3 {
		if n := healthy.next(); n.Reason != fmt.Sprint(i) {
			t.Errorf("%d: %v", i, n)
		}
	}
	for set.Value(metrics.WebhookQueued) > 0 {
		time.Sleep(time.Millisecond)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	newCaller(t, in, h)
	if left, err := os.ReadFile(name); err != nil || len(left) != 0 {
		t.Errorf("what was told stays in the file: %s %v", left, err)
	}
}

func TestTooManyThatWaitAreDropped(t *testing.T) {
	b := newBackend(t, func(_ webhook.Notice, w http.ResponseWriter) { w.WriteHeader(500) })
	h := webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Disconnect}}
	c, set := newCaller(t, func(o *webhook.Options) { o.Waiting = 5 }, h)
	for i := range 8 {
		c.Inform(webhook.Notice{Event: webhook.Disconnect, Client: fmt.Sprint(i)})
	}
	if queued, dropped := set.Value(metrics.WebhookQueued), set.Value(metrics.WebhookDropped); queued != 5 || dropped != 3 {
		t.Errorf("%d wait, %d were dropped", queued, dropped)
	}
}

func TestManyCallsAtOnceAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}, 1000), make(chan struct{})
	b := newBackend(t, func(webhook.Notice, http.ResponseWriter) { arrived <- struct{}{}; <-release })
	c, _ := newCaller(t, nil, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Join}, Timeout: time.Minute})
	var calls sync.WaitGroup
	for range 256 {
		calls.Go(func() {
			_ = c.Decide(context.Background(), webhook.Notice{Event: webhook.Join, Room: "a"}, func(*webhook.Verdict) error { return nil })
		})
	}
	for range 256 {
		<-arrived
	}
	_, err := decide(t, c, webhook.Notice{Event: webhook.Join, Room: "a"})
	var refused *protocol.Error
	if !errors.As(err, &refused) || refused.Code != protocol.CodeOverloaded || len(arrived) != 0 {
		t.Errorf("one more call: %v, and %d arrived", err, len(arrived))
	}
	close(release)
	calls.Wait()
}

func TestEachHookSeesWhatThoseBeforeItChanged(t *testing.T) {
	first := newBackend(t, func(_ webhook.Notice, w http.ResponseWriter) {
		fmt.Fprint(w, `{"data":"changed","event":"other","user":"known","name":"Known"}`)
	})
	second := newBackend(t, nil)
	second.answer = second.notes
	events := []webhook.Event{webhook.Publish, webhook.Connect}
	c, _ := newCaller(t, nil, webhook.Hook{URL: first.server.URL, Secret: secret, Events: events}, webhook.Hook{URL: second.server.URL, Secret: secret, Events: events})
	if _, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "a", Bytes: []byte("original"), Subject: "event"}); err != nil {
		t.Fatal(err)
	}
	if n := second.next(); string(n.Data) != `"changed"` || n.Bytes != nil || n.Subject != "other" {
		t.Errorf("of a message the second is told %+v", n)
	}
	if _, err := decide(t, c, webhook.Notice{Event: webhook.Connect, User: "anon", Anonymous: true}); err != nil {
		t.Fatal(err)
	}
	if n := second.next(); n.User != "known" || n.Name != "Known" || n.Anonymous {
		t.Errorf("of a client the second is told %+v", n)
	}
}

func TestWhatABackEndChangesIsChecked(t *testing.T) {
	b := newBackend(t, func(n webhook.Notice, w http.ResponseWriter) { fmt.Fprint(w, n.Reason) })
	for answer, good := range map[string]bool{
		`{"data":null}`: true,
		`{"data":"` + strings.Repeat("x", 198) + `"}`: true,
		`{"data":"` + strings.Repeat("x", 199) + `"}`: false,
		`{"event":"` + strings.Repeat("x", 64) + `"}`: true,
		`{"event":"` + strings.Repeat("x", 65) + `"}`: false,
		`{"data":[[]]}`: true,
		`{"data":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`: false,
	} {
		c, _ := newCaller(t, func(o *webhook.Options) { o.MaxData = 200 }, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.Publish}})
		verdicts, err := decide(t, c, webhook.Notice{Event: webhook.Publish, Room: "a", Reason: answer})
		var refused *protocol.Error
		if good && err != nil || !good && (!errors.As(err, &refused) || refused.Code != protocol.CodeOverloaded) {
			t.Errorf("%s: %v", answer, err)
		}
		if answer == `{"data":null}` && verdicts[0].Data != nil {
			t.Error("null replaces the message")
		}
	}
}

func TestABackEndThatHangsKeepsNoOtherWaiting(t *testing.T) {
	release := make(chan struct{})
	hanging := newBackend(t, func(webhook.Notice, http.ResponseWriter) { <-release })
	defer close(release)
	other := newBackend(t, nil)
	other.answer = other.notes
	events := []webhook.Event{webhook.Disconnect}
	c, _ := newCaller(t, nil,
		webhook.Hook{URL: hanging.server.URL, Secret: secret, Events: events, Timeout: time.Minute}, webhook.Hook{URL: other.server.URL, Secret: secret, Events: events})
	for i := range 50 {
		c.Inform(webhook.Notice{Event: webhook.Disconnect, Client: fmt.Sprint(i)})
	}
	for range 50 {
		other.next()
	}
}

func TestHooksWithOneURLHaveSecretsOfTheirOwn(t *testing.T) {
	signed := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, of := range []string{secret, "another secret of the two"} {
			if r.Header.Get(webhook.SignatureHeader) == webhook.Sign(of, r.Header.Get(webhook.TimestampHeader), body) {
				signed <- of
			}
		}
	}))
	defer server.Close()
	c, _ := newCaller(t, nil,
		webhook.Hook{URL: server.URL, Secret: secret, Events: []webhook.Event{webhook.FirstMember}},
		webhook.Hook{URL: server.URL, Secret: "another secret of the two", Events: []webhook.Event{webhook.LastMember}})
	c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	if got := <-signed; got != "another secret of the two" {
		t.Errorf("signed with %q", got)
	}
	c.Inform(webhook.Notice{Event: webhook.FirstMember, Room: "a"})
	if got := <-signed; got != secret {
		t.Errorf("signed with %q", got)
	}
}

// Two hooks are two, also where a back end has one URL and one secret for both: one that fails does not hold the other up.
func TestHooksWithOneURLAndOneSecretWaitForThemselves(t *testing.T) {
	dir := t.TempDir()
	var taken atomic.Bool
	b := newBackend(t, nil)
	b.answer = func(n webhook.Notice, w http.ResponseWriter) {
		if n.Event == webhook.FirstMember && !taken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		b.notes(n, w)
	}
	hooks := []webhook.Hook{
		{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.FirstMember}},
		{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.LastMember}},
	}
	keep := func(o *webhook.Options) { o.Dir = dir }
	c, set := newCaller(t, keep, hooks...)
	c.Inform(webhook.Notice{Event: webhook.FirstMember, Room: "a"})
	c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	if n := b.next(); n.Event != webhook.LastMember {
		t.Errorf("told of %s", n.Event)
	}
	for set.Value(metrics.WebhookDelivered) == 0 { // what is closed on the way is sent again
		time.Sleep(time.Millisecond)
	}
	if err := c.Close(); err != nil { // what the first waits with is its own afterwards, too
		t.Fatal(err)
	}
	again, _ := newCaller(t, keep, hooks...)
	again.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	if n := b.next(); n.Event != webhook.LastMember {
		t.Errorf("told of %s after a restart", n.Event)
	}
	taken.Store(true)
	if n := b.next(); n.Event != webhook.FirstMember {
		t.Errorf("told of %s at last", n.Event)
	}
}

func TestWhatIsLeftAtTheEndIsStillSent(t *testing.T) {
	fail := true
	b := newBackend(t, nil)
	b.answer = func(n webhook.Notice, w http.ResponseWriter) {
		if fail { // one call at a time: all are of one room
			fail = false
			w.WriteHeader(500)
			return
		}
		b.notes(n, w)
	}
	c, _ := newCaller(t, nil, webhook.Hook{URL: b.server.URL, Secret: secret, Events: []webhook.Event{webhook.LastMember}})
	for range 3 {
		c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	}
	if left := c.Drain(t.Context()); left != 0 || len(b.seen) != 3 {
		t.Errorf("%d are left, %d were told", left, len(b.seen))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	b.server.Close()
	c.Inform(webhook.Notice{Event: webhook.LastMember, Room: "a"})
	if left := c.Drain(over); left != 1 {
		t.Errorf("%d are left where nobody answers", left)
	}
}

func TestHooksThatAreWrongAreRefused(t *testing.T) {
	good := webhook.Hook{URL: "https://example.com/hook", Secret: secret, Events: []webhook.Event{webhook.Join}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(h *webhook.Hook){
		"no URL":       func(h *webhook.Hook) { h.URL = "example.com" },
		"a file":       func(h *webhook.Hook) { h.URL = "file:///etc/passwd" },
		"a password":   func(h *webhook.Hook) { h.URL = "https://me:secret@example.com" },
		"no events":    func(h *webhook.Hook) { h.Events = nil },
		"an odd event": func(h *webhook.Hook) { h.Events = []webhook.Event{"everything"} },
		"a short one":  func(h *webhook.Hook) { h.Secret = "short" },
		"no types":     func(h *webhook.Hook) { h.Events = []webhook.Event{webhook.Call} },
		"odd types":    func(h *webhook.Hook) { h.Events, h.Types = []webhook.Event{webhook.Call}, []string{"publish"} },
	} {
		bad := good
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// The signature is what others compute: Python's hmac did this one.
func TestSignsTimeAndBody(t *testing.T) {
	const want = "sha256=42520f9bd2039af863954496fff731c1123738e7be8ebcf232a958b79a3eea9d"
	if got := webhook.Sign(secret, "1700000000", []byte(`{"event":"join"}`)); got != want {
		t.Errorf("signed %s", got)
	}
	if webhook.Sign(secret, "1700000001", []byte(`{"event":"join"}`)) == want {
		t.Error("the time is not signed")
	}
}
