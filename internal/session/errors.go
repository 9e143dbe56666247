package session

import (
	"errors"
	"log/slog"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// clientErrors is what a client gets for the errors of the layers below; of an error that is several of them, the first.
// An unknown outcome comes before all reasons for it, which say that nothing was stored.
var clientErrors = []struct {
	is      error
	code    protocol.Code
	message string
}{
	{engine.ErrTimeout, protocol.CodeTimeout, "the outcome is unknown; send again with the same key or seq"},
	{engine.ErrUnavailable, protocol.CodeEngineUnavailable, "the engine cannot be reached; nothing was stored"},
	{engine.ErrStorageFull, protocol.CodeStorageFull, "the storage is full; nothing was stored"},
	{engine.ErrOutOfOrder, protocol.CodeOutOfOrder, "seq does not follow the producer's last one; nothing was stored"},
	{engine.ErrTooManyKeys, protocol.CodeRateLimited, "too many live keys; nothing was stored"},
	{engine.ErrClosed, protocol.CodeDraining, "the server is stopping"},
	{hub.ErrClosed, protocol.CodeDraining, "the server is stopping"},
	{hub.ErrKicked, protocol.CodeForbidden, "put out of this room for some time"},
	{hub.ErrPresenceDisabled, protocol.CodePresenceDisabled, "presence is disabled in this room"},
}

// overloadRetry is after how long a client may send again what the engine had no room for.
const overloadRetry = time.Second

// keysWait is how long a client waits that has too many live keys, in seconds: they expire one after the other, as they
// came, within engine.KeyWindow.
const keysWait = 5

// clientError returns what a client sees of err; what it must not see is logged.
func clientError(logger *slog.Logger, err error) *protocol.Error {
	var own *protocol.Error
	if errors.As(err, &own) {
		return own
	}
	for _, e := range clientErrors {
		if errors.Is(err, e.is) {
			told := &protocol.Error{Code: e.code, Message: e.message}
			if e.code == protocol.CodeRateLimited {
				told.RetryAfter = keysWait
			}
			return told
		}
	}
	if errors.Is(err, engine.ErrOverloaded) {
		return overloadedFor(overloadRetry)
	}
	logger.Error("a request failed", "error", err)
	return protocol.ErrInternal
}

func authError(logger *slog.Logger, err error) *protocol.Error {
	switch {
	case errors.Is(err, auth.ErrExpired):
		return &protocol.Error{Code: protocol.CodeTokenExpired, Message: "the token has expired"}
	case errors.Is(err, auth.ErrInvalid):
		return &protocol.Error{Code: protocol.CodeUnauthorized, Message: "the token is invalid"}
	case errors.Is(err, auth.ErrUnavailable):
		return &protocol.Error{Code: protocol.CodeEngineUnavailable, Message: "tokens cannot be checked now"}
	}
	return clientError(logger, err)
}

func fail(code protocol.Code, field, message string) *protocol.Error {
	return &protocol.Error{Code: code, Field: field, Message: message}
}

// ErrExposed is what a client gets that sends a token where others could read it.
var ErrExposed = &protocol.Error{
	Code: protocol.CodeForbidden, Field: "token", Message: "tokens are taken over TLS only: connect to wss:// or https://",
}
