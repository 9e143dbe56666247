package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Errors of a client. They come wrapped with what was being done; test with errors.Is.
var (
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("client closed")
	// ErrLeft says that the room was left.
	ErrLeft = errors.New("room left")
	// ErrJoined refuses a second Join of a room that the client is in already.
	ErrJoined = errors.New("room joined already")
	// ErrDisconnected says that there is no connection, for what cannot wait for the next one.
	ErrDisconnected = errors.New("not connected")
	// ErrOutboxFull refuses a publish for which the outbox has no place.
	ErrOutboxFull = errors.New("outbox full")
	// ErrGaveUp settles a publish that was not acknowledged within Options.RetryFor.
	ErrGaveUp = errors.New("gave up")
	// ErrUncertain comes beside another error when a request may have been carried out nevertheless.
	ErrUncertain = errors.New("outcome unknown")
	// ErrUnauthorized says that the server takes no token that the client has. A TokenFunc that returns it says that
	// there will be no other, which closes the client.
	ErrUnauthorized = errors.New("unauthorized")
)

// uncertain returns err with ErrUncertain beside it.
func uncertain(err error) error { return fmt.Errorf("%w (%w)", err, ErrUncertain) }

// CloseError is a connection that was closed with a WebSocket close code.
type CloseError struct {
	Code   protocol.CloseCode
	Reason string // the server's, without its retry
	Retry  time.Duration
	told   bool // Retry was given, even if it is zero
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("connection closed with %d", e.Code)
	}
	return fmt.Sprintf("connection closed with %d %s", e.Code, strconv.QuoteToGraphic(e.Reason))
}

// Unwrap returns ErrUnauthorized for the code 4401.
func (e *CloseError) Unwrap() error {
	if e.Code == protocol.CloseUnauthorized {
		return ErrUnauthorized
	}
	return nil
}

// longestRetry bounds what a server may ask a client to wait.
const longestRetry = 10 * time.Minute

// newCloseError returns the error of a close frame. A reason looks like `draining;retry=3.2`.
func newCloseError(code uint16, reason string) *CloseError {
	e := &CloseError{Code: protocol.CloseCode(code)}
	var kept []string
	for _, part := range strings.Split(reason, ";") {
		value, found := strings.CutPrefix(part, "retry=")
		if !found {
			kept = append(kept, part)
			continue
		}
		if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
			e.Retry, e.told = duration(seconds), true
		}
	}
	e.Reason = strings.Join(kept, ";")
	return e
}

// duration returns a number of seconds that a server told as a Duration, at most longestRetry.
func duration(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, longestRetry.Seconds()) * float64(time.Second))
}

// UpgradeError is an HTTP response to the handshake that is not an upgrade.
type UpgradeError struct {
	Status     int           // the HTTP status
	Body       string        // its text, cut at 512 bytes
	RetryAfter time.Duration // as the response told; 0 when it did not
}

// Error returns the status and the text of the response.
func (e *UpgradeError) Error() string {
	text := strings.TrimSpace(e.Body)
	if text == "" {
		return fmt.Sprintf("the server answered with HTTP status %d", e.Status)
	}
	return fmt.Sprintf("the server answered with HTTP status %d: %s", e.Status, strconv.QuoteToGraphic(text))
}

// Unwrap returns ErrUnauthorized for the status 401.
func (e *UpgradeError) Unwrap() error {
	if e.Status == 401 {
		return ErrUnauthorized
	}
	return nil
}

// GapError is what Messages yields for a Gap. The iteration may go on.
type GapError struct{ protocol.Gap }

// Error says in which room messages were missed and why.
func (e *GapError) Error() string {
	return fmt.Sprintf("room %q: messages were missed for good (%s)", e.Room, e.Reason)
}

// KickedError ends a room that the client was put out of.
type KickedError struct{ protocol.Kicked }

// Error says from which room, why, and for how long.
func (e *KickedError) Error() string {
	return fmt.Sprintf("room %q: kicked for %v s: %s", e.Room, e.For, strconv.QuoteToGraphic(e.Reason))
}
