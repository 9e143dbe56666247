package session

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

func TestErrorsOfAnEngineHaveTheirCodes(t *testing.T) {
	for _, row := range []struct {
		err   error
		code  protocol.Code
		waits bool
	}{
		{engine.ErrUnavailable, protocol.CodeEngineUnavailable, false},
		{engine.ErrTimeout, protocol.CodeTimeout, false},
		{engine.ErrStorageFull, protocol.CodeStorageFull, false},
		{engine.ErrOutOfOrder, protocol.CodeOutOfOrder, false},
		{engine.ErrTooManyKeys, protocol.CodeRateLimited, true},
		{engine.ErrClosed, protocol.CodeDraining, false},
		{&protocol.Error{Code: protocol.CodeForbidden}, protocol.CodeForbidden, false},
		{errors.New("anything else"), protocol.CodeInternal, false},
	} {
		got := clientError(slog.New(slog.DiscardHandler), fmt.Errorf("while it was tried: %w", row.err))
		if got.Code != row.code || (got.RetryAfter > 0) != row.waits {
			t.Errorf("%v: %s, again after %v", row.err, got.Code, got.RetryAfter)
		}
	}
}
