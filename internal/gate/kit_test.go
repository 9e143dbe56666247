package gate

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// tokens knows the token "good" of the user "alice".
type tokens struct{}

func (tokens) Authenticate(_ context.Context, token string) (*auth.Identity, error) {
	if token == "good" {
		return &auth.Identity{User: "alice"}, nil
	}
	return nil, auth.ErrInvalid
}

// newGate returns a gate whose users need a token, or are anonymous.
func newGate(t *testing.T, s Settings) *Gate {
	t.Helper()
	rules, err := rule.NewSet(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	h, err := hub.New(t.Context(), hub.Options{Engine: memory.New(memory.Options{}), Rules: rules, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	node := session.NewNode(session.Options{
		Hub: h, Logger: logger, Tokens: tokens{}, Anonymous: auth.NewAnonymous([]byte("a secret of sixteen bytes")),
	}, "memory")
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return New(Options{Node: node, Logger: logger, Metrics: new(metrics.Set), Policy: newPolicy(t, s)})
}

func newPolicy(t *testing.T, s Settings) *Policy {
	t.Helper()
	p, err := NewPolicy(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// request returns a request to a URL from an address, with headers such as "Origin: null".
func request(target, from string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr = from
	if strings.HasPrefix(target, "https:") {
		r.TLS = new(tls.ConnectionState)
	} else {
		r.TLS = nil
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// quiet is a way out for sessions of which nothing is asked.
type quiet struct{ session.Stream }

func (quiet) Reply(*protocol.Reply)                           {}
func (quiet) Push(protocol.Push)                              {}
func (quiet) Close(protocol.CloseCode, string, time.Duration) {}
func (quiet) Resume()                                         {}
