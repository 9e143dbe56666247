// Package tracing shows requests to the HTTP API, and messages on their way through the nodes, as traces of OpenTelemetry.
//
// The trace of a message follows from the message alone: its id is made of the message's 64 random bits and the room's
// name, and so is the id of the span of its publish. So every node says of a message what it did with it in the same
// trace, and all of them choose the same messages, though nothing about traces travels between them.
package tracing

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/wireroom/wireroom/protocol"
)

// scope is whose spans they are.
const scope = "github.com/wireroom/wireroom"

// Options are the settings of a Tracing.
type Options struct {
	Endpoint string       // URL of a collector of OTLP over HTTP, without the path; required
	Ratio    float64      // of the messages, and of the requests that do not say whether they want it, that are traced
	Node     string       // the name of this node
	Version  string       // of the program
	Logger   *slog.Logger // required
}

// Tracing makes spans and sends them to a collector. Its methods may be called at once, and do not wait for anything;
// spans that are too many to be sent are dropped.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	bound    uint64 // messages whose bits, halved, are below it are traced
}

// New returns a Tracing. Close ends it.
func New(o Options) *Tracing {
	of := resource.NewSchemaless(
		attribute.String("service.name", "wireroom"), attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.Node),
	)
	t := &Tracing{bound: boundOf(o.Ratio)}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(newExporter(o.Endpoint, o.Logger)), sdktrace.WithResource(of), sdktrace.WithIDGenerator(generator{}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Ratio))),
	)
	t.tracer = t.provider.Tracer(scope, trace.WithInstrumentationVersion(o.Version))
	return t
}

// Close sends what was not sent yet.
func (t *Tracing) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// boundOf returns what the bits of a message, halved, are compared with; as sdktrace.TraceIDRatioBased does with the
// lower half of a trace's id.
func boundOf(ratio float64) uint64 {
	return uint64(min(max(ratio, 0), 1) * math.MaxInt64)
}

// traces reports whether a message is traced: on every node with the same ratio, or on none.
func (t *Tracing) traces(m *protocol.Message) bool { return m.ID != 0 && m.ID>>1 < t.bound }

// contextOf returns the context of the span of a message's publish.
func contextOf(m *protocol.Message) trace.SpanContext {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(m.Room)) // it never fails
	var id trace.TraceID
	var span trace.SpanID
	binary.BigEndian.PutUint64(id[:8], hash.Sum64())
	binary.BigEndian.PutUint64(id[8:], m.ID)
	binary.BigEndian.PutUint64(span[:], m.ID)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

// attributesOf returns what is said of a message.
func attributesOf(m *protocol.Message) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "wireroom"), attribute.String("messaging.destination.name", m.Room),
		attribute.String("wireroom.position", m.Position.String()), attribute.String("wireroom.event", m.Event),
		attribute.Int("messaging.message.body.size", len(m.Data)+len(m.Bytes)),
	}
}

// Published implements wireroom.Tracer: a span in the trace of the message, and in that of the request that it was
// published by, if that is traced. Each links to the other.
func (t *Tracing) Published(ctx context.Context, m *protocol.Message, began time.Time, err error) {
	request := trace.SpanContextFromContext(ctx)
	traced := t.traces(m)
	if request.IsSampled() {
		options := []trace.SpanStartOption{trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindProducer)}
		if traced {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: contextOf(m)}))
		}
		t.span(ctx, "publish", m, err, options...)
	}
	if !traced {
		return
	}
	options := []trace.SpanStartOption{trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindProducer), trace.WithNewRoot()}
	if request.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: request}))
	}
	t.span(withIDs(context.Background(), contextOf(m)), "publish", m, err, options...)
}

// Delivered implements wireroom.Tracer.
func (t *Tracing) Delivered(m *protocol.Message, began time.Time, members int) {
	if !t.traces(m) {
		return
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), contextOf(m))
	t.span(
		ctx, "deliver", m, nil, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Int("wireroom.members", members)),
	)
}

// span makes a span that ends now.
func (t *Tracing) span(ctx context.Context, name string, m *protocol.Message, err error, options ...trace.SpanStartOption) {
	_, span := t.tracer.Start(ctx, name, options...)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attributesOf(m)...)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
}

// api is what the paths of requests begin with that are traced.
const api = "/api/"

// Handler returns a handler that makes a span of each request of the HTTP API to another one, in the trace that the
// request names (W3C Trace Context), if it is one that may: whoever else asks to be traced is not heeded. A nil Tracing
// returns next.
func (t *Tracing) Handler(next http.Handler, may func(*http.Request) bool) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, api) {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if may(r) {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := t.tracer.Start(ctx, r.Method+" "+r.URL.Path, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		noted := &noted{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(noted, r.WithContext(ctx))
		span.SetAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path),
			attribute.Int("http.response.status_code", noted.status),
		)
		if noted.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, fmt.Sprintf("status %d", noted.status))
		}
	})
}

// noted notes the status of an answer.
type noted struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController see the writer.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }
