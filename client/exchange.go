package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Bounds of an HTTP response, in bytes.
const (
	mostHeader = 64 << 10
	mostBody   = 512 // of a refusal's text
)

// exchange sends a request and reads the head of the response, whose status must be want; rest is what came behind it.
// When ctx ends it closes conn.
func exchange(ctx context.Context, conn net.Conn, q *http.Request, want int) (r *http.Response, rest []byte, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if !stop() && err != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}()
	if err := q.Write(conn); err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewReader(io.LimitReader(conn, mostHeader))
	r, err = http.ReadResponse(buffered, q)
	if err != nil {
		return nil, nil, fmt.Errorf("the HTTP response: %w", err)
	}
	if r.StatusCode != want {
		return nil, nil, refusal(r)
	}
	rest, _ = buffered.Peek(buffered.Buffered())
	return r, rest, nil
}

// refusal returns the error of a response that is not what was asked for.
func refusal(r *http.Response) *UpgradeError {
	text, _ := io.ReadAll(io.LimitReader(r.Body, mostBody))
	e := &UpgradeError{Status: r.StatusCode, Body: string(text)}
	after := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(after, 64); err == nil {
		e.RetryAfter = duration(seconds)
	} else if at, err := http.ParseTime(after); err == nil {
		e.RetryAfter = duration(time.Until(at).Seconds())
	}
	return e
}
