package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// Keep implements engine.Vault.
func (e *Engine) Keep(ctx context.Context, name, value string, life time.Duration) error {
	if err := e.begin(); err != nil {
		return fmt.Errorf("redis: keep: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	set := e.client.B().Set().Key(e.names.vault(name)).Value(value).PxMilliseconds(life.Milliseconds()).Build()
	if err := e.client.Do(ctx, set).Error(); err != nil {
		return fmt.Errorf("redis: keep: %w", failure(err, engine.ErrTimeout))
	}
	return nil
}

// Take implements engine.Vault.
func (e *Engine) Take(ctx context.Context, name string) (string, error) {
	if err := e.begin(); err != nil {
		return "", fmt.Errorf("redis: take: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	value, err := e.client.Do(ctx, e.client.B().Getdel().Key(e.names.vault(name)).Build()).ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("redis: take: %w", failure(err, engine.ErrUnavailable))
	}
	return value, nil
}
