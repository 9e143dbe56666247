package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/test/redistest"
)

// sent is a span that a collector got, and the node that sent it.
type sent struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string
	node         string
}

// collect starts a collector of OTLP over HTTP.
func collect(t *testing.T) (url string, spans <-chan sent) {
	t.Helper()
	all := make(chan sent, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var request struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct{ Spans []sent }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
			return
		}
		for _, of := range request.ResourceSpans {
			for _, s := range of.ScopeSpans[0].Spans {
				for _, a := range of.Resource.Attributes {
					if a.Key == "service.instance.id" {
						s.node = a.Value.StringValue
					}
				}
				all <- s
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

// await returns the spans by name, as soon as there are so many of each.
func await(t *testing.T, spans <-chan sent, wanted map[string]int) map[string][]sent {
	t.Helper()
	byName := make(map[string][]sent)
	late := time.After(patience)
	for name, n := range wanted {
		for len(byName[name]) < n {
			select {
			case s := <-spans:
				byName[s.Name] = append(byName[s.Name], s)
			case <-late:
				t.Fatalf("the collector got %+v", byName)
			}
		}
	}
	return byName
}

// One message, published by a request to one node and delivered on two, is one trace, which the request's links to.
func TestAMessageIsTracedThroughAllNodes(t *testing.T) {
	store := redistest.Start(t)
	collector, spans := collect(t)
	node := func(name string) (*process, string) {
		c := command(t, []string{"WIREROOM_ADMIN_KEY=a-key-of-administrators"}, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
			"--engine", store.URL(), "--node", name, "--traces-endpoint", collector, "--traces-ratio", "1", "--no-dashboard")
		p := start(t, c)
		return p, p.url()
	}
	one, first := node("n1")
	_, second := node("n2")
	alice, bob := joinNode(t, first, "general"), joinNode(t, second, "general")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, one.after("admin ")+"api/publish", strings.NewReader(`{"room":"general","data":1}`))
	if err != nil {
		t.Fatal(err)
	}
	const trace = "0af7651916cd43dd8448eb211c80319c"
	r.Header.Set("Authorization", "Bearer a-key-of-administrators")
	r.Header.Set("Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	for _, m := range []*member{alice, bob} {
		if _, err := m.room.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	byName := await(t, spans, map[string]int{"publish": 2, "deliver": 2, "POST /api/publish": 1})
	request := byName["POST /api/publish"][0]
	if request.TraceID != trace || request.node != "n1" {
		t.Errorf("the request: %+v", request)
	}
	var root sent
	for _, s := range byName["publish"] {
		switch {
		case s.TraceID == trace && s.ParentSpanID == request.SpanID:
		case s.ParentSpanID == "":
			root = s
		default:
			t.Errorf("a publish: %+v", s)
		}
	}
	nodes := make(map[string]bool)
	for _, s := range byName["deliver"] {
		nodes[s.node] = true
		if s.TraceID != root.TraceID || s.ParentSpanID != root.SpanID {
			t.Errorf("a delivery: %+v of %+v", s, root)
		}
	}
	if !nodes["n1"] || !nodes["n2"] {
		t.Errorf("delivered on %v", nodes)
	}
}
