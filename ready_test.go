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
