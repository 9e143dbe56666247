package sse

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/protocol"
)

// failureEvent is the name of the event of an error: one named error is the browser's own.
const failureEvent = "failure"

// comment is a line that says nothing, and keeps a connection alive.
const comment = ":\n\n"

// setHeader says what a stream is, to browsers and to what stands in between.
func setHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // a proxy that compresses may wait for more
	h.Set("X-Accel-Buffering", "no")                 // nginx, and who follows it
}

// appendEvent appends the envelope of p as an event, but for the empty line at its end, before which an id may stand.
func appendEvent(b []byte, p protocol.Push) []byte {
	name := p.Type()
	if name == protocol.TypeError {
		name = failureEvent
	}
	b = append(b, "event: "...)
	b = append(b, name...)
	b = append(b, '\n')
	start := len(b)
	b = append(b, "data: "...)
	json := len(b)
	b = protocol.AppendPush(b, p)
	return endData(b, start, json)
}

// endData ends the lines of data that begin at start with JSON at json. An application's JSON may have line ends
// between its parts: there each line is one of its own.
func endData(b []byte, start, json int) []byte {
	if bytes.IndexByte(b[json:], '\n') < 0 && bytes.IndexByte(b[json:], '\r') < 0 {
		return append(b, '\n')
	}
	text := bytes.Clone(b[json:])
	b = b[:start]
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		b = append(b, "data: "...)
		b = append(b, line...)
		b = append(b, '\n')
	}
	return b
}

// appendID appends the line that says where the client stands.
func appendID(b []byte, vector *stateless.Vector) []byte {
	b = append(b, "id: "...)
	b = vector.Append(b)
	return append(b, '\n')
}

// appendRetry appends the line that says after how long a browser comes back.
func appendRetry(b []byte, retry time.Duration) []byte {
	b = append(b, "retry: "...)
	b = strconv.AppendInt(b, max(1, retry.Milliseconds()), 10)
	return append(b, '\n')
}
