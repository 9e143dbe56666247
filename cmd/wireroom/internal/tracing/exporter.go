package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Of the protocol (OTLP 1.x, OTLP/HTTP with JSON): the path for traces, and bounds of one request.
const (
	tracesPath    = "/v1/traces"
	exportTimeout = 10 * time.Second
	maxAnswer     = 4 << 10 // bytes
)

// exporter sends spans to a collector. It implements sdktrace.SpanExporter.
type exporter struct {
	url     string
	client  *http.Client
	logger  *slog.Logger
	failing atomic.Bool // it was said
}

func newExporter(endpoint string, logger *slog.Logger) *exporter {
	return &exporter{
		url: strings.TrimSuffix(endpoint, "/") + tracesPath, client: &http.Client{Timeout: exportTimeout}, logger: logger,
	}
}

// ExportSpans sends spans. What fails is said once, and not sent again.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	err := e.send(ctx, spans)
	switch {
	case err == nil:
		e.failing.Store(false)
	case !e.failing.Swap(true):
		e.logger.Warn("traces cannot be sent", "url", e.url, "error", err)
	}
	return nil // whoever asks would only say so each time
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(requestOf(spans))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // what was read will do
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s: %s", response.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}

// The messages of the protocol (opentelemetry/proto/collector/trace/v1), as JSON has them: names in lower camel case, ids
// in hexadecimal, integers of 64 bits as strings.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resourceJSON `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resourceJSON struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scopeJSON  `json:"scope"`
		Spans []spanJSON `json:"spans"`
	}
	scopeJSON struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	spanJSON struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Parent     string     `json:"parentSpanId,omitempty"`
		Flags      uint32     `json:"flags"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Links      []linkJSON `json:"links,omitempty"`
		Status     statusJSON `json:"status"`
	}
	linkJSON struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
	}
	statusJSON struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// requestOf returns the request that sends spans, all of one scope.
func requestOf(spans []sdktrace.ReadOnlySpan) exportRequest {
	first := spans[0]
	in := scopeSpans{Scope: scopeJSON{first.InstrumentationScope().Name, first.InstrumentationScope().Version}}
	for _, s := range spans {
		in.Spans = append(in.Spans, spanOf(s))
	}
	return exportRequest{[]resourceSpans{{resourceJSON{valuesOf(first.Resource().Attributes())}, []scopeSpans{in}}}}
}

// spanOf returns a span as the protocol has it.
func spanOf(s sdktrace.ReadOnlySpan) spanJSON {
	of := s.SpanContext()
	j := spanJSON{
		TraceID: of.TraceID().String(), SpanID: of.SpanID().String(), Flags: uint32(of.TraceFlags()), Name: s.Name(),
		Kind: kindOf(s.SpanKind()), Start: nanoseconds(s.StartTime()), End: nanoseconds(s.EndTime()), Attributes: valuesOf(s.Attributes()),
	}
	if s.Parent().SpanID().IsValid() {
		j.Parent = s.Parent().SpanID().String()
	}
	for _, l := range s.Links() {
		j.Links = append(j.Links, linkJSON{l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String()})
	}
	if s.Status().Code == codes.Error {
		j.Status = statusJSON{2, s.Status().Description} // STATUS_CODE_ERROR
	}
	return j
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// kindOf returns the number that the protocol has for a kind.
func kindOf(k trace.SpanKind) int {
	switch k {
	case trace.SpanKindServer:
		return 2
	case trace.SpanKindClient:
		return 3
	case trace.SpanKindProducer:
		return 4
	case trace.SpanKindConsumer:
		return 5
	}
	return 1
}

// valuesOf returns attributes as the protocol has them.
func valuesOf(attributes []attribute.KeyValue) []keyValue {
	values := make([]keyValue, len(attributes))
	for i, a := range attributes {
		value := map[string]any{"stringValue": a.Value.String()}
		switch a.Value.Type() {
		case attribute.INT64:
			value = map[string]any{"intValue": strconv.FormatInt(a.Value.AsInt64(), 10)}
		case attribute.BOOL:
			value = map[string]any{"boolValue": a.Value.AsBool()}
		case attribute.FLOAT64:
			value = map[string]any{"doubleValue": a.Value.AsFloat64()}
		}
		values[i] = keyValue{string(a.Key), value}
	}
	return values
}
