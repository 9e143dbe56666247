package wireroom_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine/memory"
)

// failingEngine is an engine that has failed for good.
type failingEngine struct {
	*memory.Engine
	failure error
}

func (e *failingEngine) Health() error { return e.failure }

func TestIsNotReadyWithAnEngineThatHasFailed(t *testing.T) {
	e := &failingEngine{Engine: memory.New(memory.Options{})}
	server, err := wireroom.New(context.Background(), wireroom.Options{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	ask := func(handler http.Handler) (int, string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return answer.Code, answer.Body.String()
	}
	if code, _ := ask(server); code != http.StatusOK {
		t.Fatalf("a sound engine: %d", code)
	}
	e.failure = errors.New("sync failed: input/output error")
	if code, body := ask(server); code != http.StatusServiceUnavailable || body != "the engine stores nothing\n" {
		t.Errorf("a failed engine: %d %q, want 503 and nothing of what it says", code, body)
	}
	if code, body := ask(server.Readiness()); code != http.StatusServiceUnavailable || !strings.Contains(body, "input/output error") {
		t.Errorf("a failed engine, for administrators: %d %q, want 503 and the reason", code, body)
	}
}

// What an engine says may name hosts and files: it is for keys that look at everything, on the admin listener.
func TestANodeSaysWhatItsEngineSaysToThoseWhoRunIt(t *testing.T) {
	const publisher, operator = "a publisher's key of a test", "an operator's key of a test"
	e := &failingEngine{memory.New(memory.Options{}), errors.New("dial 10.0.0.7:6379: refused")}
	server, err := wireroom.New(context.Background(), wireroom.Options{Engine: e, APIKeys: []wireroom.APIKey{
		{Name: "publisher", Secret: publisher, Scopes: []wireroom.Scope{wireroom.ScopePublish, wireroom.ScopeKick}},
		{Name: "operator", Secret: operator, Scopes: []wireroom.Scope{wireroom.ScopeConnections}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	const words = `"why":"the engine stores nothing"`
	const all = `"why":"the engine stores nothing: dial 10.0.0.7:6379: refused"`
	for _, row := range []struct {
		handler   http.Handler
		key, path string
		want      string
	}{
		{server, publisher, "/api/node", words},
		{server, operator, "/api/node", words},
		{server.Admin(), publisher, "/api/node", words},
		{server.Admin(), operator, "/api/node", all},
		{server.Admin(), operator, "/api/nodes", all},
	} {
		r := httptest.NewRequest(http.MethodGet, row.path, nil)
		r.Header.Set("Authorization", "Bearer "+row.key)
		r.RemoteAddr = "127.0.0.1:1"
		answer := httptest.NewRecorder()
		row.handler.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), row.want) {
			t.Errorf("%s with %s: %d %s, want %s", row.path, row.key, answer.Code, answer.Body, row.want)
		}
	}
}
