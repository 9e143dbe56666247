// Package cluster tests what several nodes are together: real nodes and real clients over a real Redis server. The nodes
// are in this process, so that a test can call what embeds them; the tests of cmd/wireroom and test/faults run them in
// processes of their own.
package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// patience is how long anything may take that is expected to happen. Nothing is measured by it.
const patience = time.Minute

var secret = []byte("the secret of all nodes, long enough")

// node is a node, with the URL of its WebSocket.
type node struct {
	*wireroom.Server
	t    testing.TB
	http *httptest.Server
	url  string
}

// start starts a node whose engine is at a URL.
func start(t testing.TB, engineURL string, change ...func(*wireroom.Options)) *node {
	t.Helper()
	o := wireroom.Options{
		Engine: redis.New(redis.Options{URL: engineURL, Logger: slog.New(slog.DiscardHandler)}),
		Auth:   verifier(t), Access: "anyone", Secret: secret, Logger: slog.New(slog.DiscardHandler),
		Limits: wireroom.Limits{PublishWait: -1}, // a slow machine is not what these tests are about
	}
	for _, f := range change {
		f(&o)
	}
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Server: server, t: t, http: httptest.NewServer(server)}
	n.url = "ws" + strings.TrimPrefix(n.http.URL, "http") + "/ws"
	t.Cleanup(n.stop)
	return n
}

// stop ends the node.
func (n *node) stop() {
	_ = n.Close() // it may have ended
	n.http.Close()
}

// nodes starts some nodes over one server.
func nodes(t testing.TB, store *redistest.Server, count int) []*node {
	t.Helper()
	var all []*node
	for range count {
		all = append(all, start(t, store.URL()))
	}
	return all
}

func verifier(t testing.TB) *auth.Verifier {
	t.Helper()
	v, err := auth.NewVerifier(t.Context(), auth.Options{Keys: []auth.Key{{Algorithm: "HS256", Secret: secret}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// token returns a token of a user.
func token(t testing.TB, user string) string {
	t.Helper()
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	text, err := key.Sign(auth.Identity{User: user, Name: strings.ToUpper(user), TokenID: "token-" + user, Issued: time.Now(), Expires: time.Now().Add(time.Hour)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// person is a connected user.
type person struct {
	*client.Client
	t testing.TB
}

// connect connects a user to a node.
func (n *node) connect(user string) *person {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, n.url, client.Options{
		Token: token(n.t, user), Backoff: client.Backoff{Base: 10 * time.Millisecond, Max: 50 * time.Millisecond},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return &person{c, n.t}
}

// join joins a room, with presence.
func (p *person) join(room string, state any) *membership {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	r, err := p.Join(ctx, room, client.JoinOptions{Presence: true, State: state})
	if err != nil {
		p.t.Fatal(err)
	}
	return &membership{r, p.t}
}

// membership is a person in a room.
type membership struct {
	*client.Room
	t testing.TB
}

// next returns the next event that is no snapshot of who is there.
func (m *membership) next() client.Event {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	for {
		e, err := m.Next(ctx)
		if err != nil {
			m.t.Fatal(err)
		}
		if _, snapshot := e.(*protocol.Presence); !snapshot {
			return e
		}
	}
}

// sees wants a user to come or go next, with so many users being there then.
func (m *membership) sees(user string, left bool, count int) {
	m.t.Helper()
	e, ok := m.next().(*protocol.UserEvent)
	if !ok || e.User != user || e.Left != left || e.Count != count {
		m.t.Fatalf("got %+v, want %s, left %t, of %d", e, user, left, count)
	}
}

// present returns the users in a room as a node says, as "alice bob".
func (n *node) present(room string) string {
	n.t.Helper()
	p, err := n.Members(room, "", 0)
	if err != nil {
		n.t.Fatal(err)
	}
	var users []string
	for _, m := range p.Members {
		users = append(users, m.User)
	}
	if p.Count != len(users) {
		n.t.Fatalf("%d members, but the count is %d", len(users), p.Count)
	}
	return strings.Join(users, " ")
}

// ends waits until the server has ended the client for good.
func (p *person) ends() {
	p.t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		p.t.Fatalf("%s is still there: %+v", p.Welcome().User, p.Status())
	}
}

// ends waits until the client is not in the room any more, and does not come back to it.
func (m *membership) ends() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	for {
		_, err := m.Next(ctx)
		var kicked *client.KickedError
		switch {
		case err == nil:
		case errors.As(err, &kicked), ctx.Err() == nil:
			return
		default:
			m.t.Fatal("nobody is kept out")
		}
	}
}

// kicked waits until the client is kicked out of the room, for a reason: no other end is good.
func (m *membership) kicked(reason string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	for {
		_, err := m.Next(ctx)
		if err == nil {
			continue
		}
		var kicked *client.KickedError
		if !errors.As(err, &kicked) || kicked.Reason != reason {
			m.t.Fatalf("the room ends with %v, want a kick for %q", err, reason)
		}
		return
	}
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// ready asks a node whether it is ready, as its administrators do.
func (n *node) ready() (status int, text string) {
	n.t.Helper()
	w := httptest.NewRecorder()
	n.Readiness().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code, w.Body.String()
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
