package redis

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// Secret implements engine.Secrets.
func (e *Engine) Secret(ctx context.Context) ([]byte, error) {
	if err := e.begin(); err != nil {
		return nil, fmt.Errorf("redis: secret: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	key, secret := e.names.secret(), rand.Text()
	made := e.client.Do(ctx, e.client.B().Set().Key(key).Value(secret).Nx().Get().Build())
	switch kept, err := made.ToString(); {
	case rueidis.IsRedisNil(err): // there was none
		return []byte(secret), nil
	case err != nil:
		return nil, fmt.Errorf("redis: secret: %w", failure(err, engine.ErrUnavailable))
	default:
		return []byte(kept), nil
	}
}
