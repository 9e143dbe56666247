package redis

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// refusals are what a server says when it has done nothing, by the first word of its error.
var refusals = map[string]error{
	"OOM":         engine.ErrStorageFull,
	"LOADING":     engine.ErrUnavailable,
	"READONLY":    engine.ErrUnavailable,
	"MASTERDOWN":  engine.ErrUnavailable,
	"CLUSTERDOWN": engine.ErrUnavailable,
	"TRYAGAIN":    engine.ErrUnavailable,
	"MOVED":       engine.ErrUnavailable,
	"ASK":         engine.ErrUnavailable,
	"MISCONF":     engine.ErrUnavailable,
	"NOREPLICAS":  engine.ErrUnavailable,
	"BUSY":        engine.ErrUnavailable,
	"NOSCRIPT":    engine.ErrUnavailable,
	"NOAUTH":      engine.ErrUnavailable,
	"WRONGPASS":   engine.ErrUnavailable,
	"NOPERM":      engine.ErrUnavailable,
}

// failure returns err as one of the engine's: of a call that changes nothing, or that was refused before it did,
// engine.ErrUnavailable. unknown is for what may have been done.
func failure(err, unknown error) error {
	if reply, ok := rueidis.IsRedisErr(err); ok {
		word, _, _ := strings.Cut(reply.Error(), " ")
		if refusal := refusals[word]; refusal != nil {
			return fmt.Errorf("%w: %w", refusal, err)
		}
		return err
	}
	var dial *net.OpError
	notSent := errors.As(err, &dial) && dial.Op == "dial" ||
		errors.Is(err, rueidis.ErrNoAddr) || errors.Is(err, rueidis.ErrClosing)
	if notSent {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", unknown, err)
}
