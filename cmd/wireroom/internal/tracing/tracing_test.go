package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/tracing"
	"github.com/wireroom/wireroom/protocol"
)

// span is what the tests look at of a span, as the protocol has it.
type span struct {
	TraceID           string `json:"traceId"`
	SpanID            string `json:"spanId"`
	ParentSpanID      string `json:"parentSpanId"`
	Name              string
	Kind              int
	StartTimeUnixNano string
	EndTimeUnixNano   string
	Attributes        []struct {
		Key   string
		Value map[string]any
	}
	Links  []struct{ TraceID, SpanID string }
	Status struct {
		Code    int
		Message string
	}
	node string
}

// says returns an attribute.
func (s *span) says(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			for _, v := range a.Value {
				return v
			}
		}
	}
	return nil
}

// collector is a collector of OTLP over HTTP.
type collector struct {
	*httptest.Server
	spans chan span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: make(chan span, 1000)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value map[string]any
					}
				}
				ScopeSpans []struct {
					Scope struct{ Name string }
					Spans []span
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", r.URL, err)
		}
		for _, of := range request.ResourceSpans {
			node := ""
			for _, a := range of.Resource.Attributes {
				if a.Key == "service.instance.id" {
					node, _ = a.Value["stringValue"].(string)
				}
			}
			for _, in := range of.ScopeSpans {
				for _, s := range in.Spans {
					s.node = node
					c.spans <- s
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// all returns the spans so far, by their names.
func (c *collector) all() map[string][]span {
	byName := make(map[string][]span)
	for {
		select {
		case s := <-c.spans:
			byName[s.Name] = append(byName[s.Name], s)
		default:
			return byName
		}
	}
}

func newTracing(t *testing.T, c *collector, node string, ratio float64) *tracing.Tracing {
	t.Helper()
	return tracing.New(tracing.Options{Endpoint: c.URL, Ratio: ratio, Node: node, Version: "v1", Logger: slog.New(slog.DiscardHandler)})
}

func closed(t *testing.T, all ...*tracing.Tracing) {
	t.Helper()
	for _, tr := range all {
		if err := tr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func message(room string, id uint64) *protocol.Message {
	return &protocol.Message{Room: room, ID: id, Data: []byte(`"hello"`), Position: protocol.Position{Epoch: 1, Offset: 7}}
}

func TestAMessageHasOneTraceOnAllNodes(t *testing.T) {
	c := newCollector(t)
	one, two := newTracing(t, c, "n1", 1), newTracing(t, c, "n2", 1)
	m := message("general", 0x1234_5678_9abc_def0)
	began := time.Now().Add(-time.Second)
	one.Published(context.Background(), m, began, nil)
	one.Delivered(m, began, 2)
	two.Delivered(m, began, 5)
	two.Delivered(message("other", m.ID), began, 1)
	closed(t, one, two)
	all := c.all()
	publish, deliveries := all["publish"], all["deliver"]
	if len(publish) != 1 || len(deliveries) != 3 {
		t.Fatalf("%+v", all)
	}
	root := publish[0]
	if root.node != "n1" || root.ParentSpanID != "" || root.Kind != 4 || root.says("messaging.destination.name") != "general" || root.Status.Code != 0 {
		t.Errorf("the publish: %+v", root)
	}
	if root.StartTimeUnixNano >= root.EndTimeUnixNano {
		t.Errorf("from %s to %s", root.StartTimeUnixNano, root.EndTimeUnixNano)
	}
	nodes := make(map[string]any)
	for _, d := range deliveries {
		if d.says("messaging.destination.name") == "other" {
			if d.TraceID == root.TraceID {
				t.Error("another room's message is in the trace")
			}
			continue
		}
		if d.TraceID != root.TraceID || d.ParentSpanID != root.SpanID || d.SpanID == root.SpanID || d.Kind != 5 {
			t.Errorf("a delivery: %+v of %+v", d, root)
		}
		nodes[d.node] = d.says("wireroom.members")
	}
	if nodes["n1"] != "2" || nodes["n2"] != "5" {
		t.Errorf("delivered on %v", nodes)
	}
}

func TestAllNodesTraceTheSameMessages(t *testing.T) {
	c := newCollector(t)
	one, two := newTracing(t, c, "n1", 0.25), newTracing(t, c, "n2", 0.25)
	const messages = 400
	for i := range uint64(messages) {
		m := message("a", (i+1)*0x9e37_79b9_7f4a_7c15)
		one.Published(context.Background(), m, time.Now(), nil)
		two.Delivered(m, time.Now(), 1)
	}
	closed(t, one, two)
	all := c.all()
	traces := func(spans []span) (ids []string) {
		for _, s := range spans {
			ids = append(ids, s.TraceID)
		}
		slices.Sort(ids)
		return ids
	}
	published, delivered := traces(all["publish"]), traces(all["deliver"])
	if n := len(published); !slices.Equal(published, delivered) || n < messages/8 || n > messages/2 {
		t.Errorf("%d publishes and %d deliveries are traced of %d", n, len(delivered), messages)
	}
}

func TestARequestAndItsMessagesLinkToEachOther(t *testing.T) {
	c := newCollector(t)
	tr := newTracing(t, c, "n1", 1)
	m := message("general", 42)
	h := tr.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/publish" {
			return
		}
		tr.Published(r.Context(), m, time.Now(), errors.New("no room"))
		w.WriteHeader(http.StatusInsufficientStorage)
	}), anybody)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/publish", nil)
	r.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/healthz", nil))
	closed(t, tr)
	all := c.all()
	requests := all["POST /api/publish"]
	if len(requests) != 1 || len(all["GET /healthz"]) != 0 {
		t.Fatalf("%+v", all)
	}
	request := requests[0]
	if request.TraceID != trace || request.ParentSpanID != parent || request.Kind != 2 || request.says("http.response.status_code") != "507" || request.Status.Code != 2 {
		t.Errorf("the request: %+v", request)
	}
	within, without := 0, 0
	for _, s := range all["publish"] {
		if s.Status.Code != 2 || s.Status.Message != "no room" || len(s.Links) != 1 {
			t.Fatalf("%+v", s)
		}
		switch {
		case s.TraceID == trace && s.ParentSpanID == request.SpanID:
			within++
		case s.Links[0].TraceID == trace && s.Links[0].SpanID == request.SpanID:
			without++
		}
	}
	if within != 1 || without != 1 {
		t.Errorf("%+v", all["publish"])
	}
}

func TestARequestIsTracedWhenItSaysSoThoughFewAre(t *testing.T) {
	c := newCollector(t)
	tr := newTracing(t, c, "n1", 0)
	h := tr.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tr.Published(r.Context(), message("a", 1), time.Now(), nil)
	}), anybody)
	for _, parent := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "", "nonsense"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/publish", nil)
		r.Header.Set("Traceparent", parent)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	closed(t, tr)
	if all := c.all(); len(all["POST /api/publish"]) != 1 || len(all["publish"]) != 1 {
		t.Errorf("%+v", all)
	}
}

// anybody may ask to be traced.
func anybody(*http.Request) bool { return true }

func TestWhoShowsNoKeyIsNotTracedBecauseHeSaysSo(t *testing.T) {
	c := newCollector(t)
	tr := newTracing(t, c, "n1", 0)
	h := tr.Handler(http.NotFoundHandler(), func(r *http.Request) bool { return r.Header.Get("Authorization") != "" })
	for _, key := range []string{"", "a key"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/publish", nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		r.Header.Set("Authorization", key)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	closed(t, tr)
	if all := c.all(); len(all["POST /api/publish"]) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestACollectorThatIsAwayTroublesNobody(t *testing.T) {
	said := make(chan string, 100)
	tr := tracing.New(tracing.Options{Endpoint: "http://127.0.0.1:1", Ratio: 1, Node: "n1", Logger: slog.New(counting{said})})
	for i := range uint64(10_000) {
		tr.Published(context.Background(), message("a", i+1), time.Now(), nil)
	}
	closed(t, tr)
	if len(said) != 1 {
		t.Errorf("said %d times", len(said))
	}
}

// counting is a handler of a log that passes its lines on.
type counting struct{ said chan string }

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(_ context.Context, r slog.Record) error {
	c.said <- r.Message
	return nil
}

func (c counting) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c counting) WithGroup(string) slog.Handler { return c }

// Without a Tracing requests pass through what there was before.
func TestNoTracingIsNoHandler(t *testing.T) {
	mux := http.NewServeMux()
	if got := (*tracing.Tracing)(nil).Handler(mux, anybody); got != http.Handler(mux) {
		t.Errorf("%T stands before the handler", got)
	}
}
