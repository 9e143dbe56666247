package tracing

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/trace"
)

// idsKey is under which a context has the ids of the next span.
type idsKey struct{}

// withIDs returns a context in which the next span without a parent gets the ids of another one.
func withIDs(ctx context.Context, of trace.SpanContext) context.Context {
	return context.WithValue(ctx, idsKey{}, of)
}

// generator makes ids: those that a context asks for, otherwise random ones. It implements sdktrace.IDGenerator.
type generator struct{}

// NewIDs returns ids for a span without a parent.
func (generator) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	if of, ok := ctx.Value(idsKey{}).(trace.SpanContext); ok {
		return of.TraceID(), of.SpanID()
	}
	_, _ = rand.Read(id[:]) // it never fails
	_, _ = rand.Read(span[:])
	return id, span
}

// NewSpanID returns an id for a span with a parent.
func (generator) NewSpanID(context.Context, trace.TraceID) (span trace.SpanID) {
	_, _ = rand.Read(span[:]) // it never fails
	return span
}
