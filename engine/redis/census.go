package redis

import (
	"context"
	"fmt"

	"github.com/wireroom/wireroom/engine"
)

// maxReaped is how many users of a dead node are forgotten by one script.
const maxReaped = "1000"

// CountUsers implements engine.Census. In a cluster, one server counts.
func (e *Engine) CountUsers(ctx context.Context, came, left []string, whole bool) (all, here int, err error) {
	if err := e.begin(); err != nil {
		return 0, 0, fmt.Errorf("redis: count users: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	arguments := []string{e.lease.node, flag(whole)}
	for _, user := range came {
		arguments = append(arguments, "+", user)
	}
	for _, user := range left {
		arguments = append(arguments, "-", user)
	}
	counts, err := e.do(ctx, e.scripts.census, e.names.users(e.lease.node), arguments...).AsIntSlice()
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("redis: count users: %w", failure(err, engine.ErrTimeout))
	case len(counts) == 0:
		return 0, 0, fmt.Errorf("redis: count users: %w: this node's lease has ended", engine.ErrUnavailable)
	case len(counts) != 2:
		return 0, 0, fmt.Errorf("redis: count users: %w", errScript)
	}
	return int(counts[0]), int(counts[1]), nil
}

// reapAll reaps, or says why it cannot.
func (e *Engine) reapAll() {
	if err := e.reap(e.ctx); err != nil && e.ctx.Err() == nil {
		e.options.Logger.Warn("users of nodes that are gone are still counted", "error", err)
	}
}

// reap has the users of nodes forgotten that do not live any more. Other nodes may do so at once, and such a node may come
// back meanwhile: the script looks again.
func (e *Engine) reap(ctx context.Context) error {
	listCtx, cancel := e.bounded(ctx)
	defer cancel()
	nodes, err := e.client.Do(listCtx, e.client.B().Smembers().Key(e.names.users("")[2]).Build()).AsStrSlice()
	if err != nil {
		return failure(err, engine.ErrUnavailable)
	}
	_, ends, err := e.lease.renew(listCtx, 0)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if _, lives := ends[node]; lives || node == e.lease.node {
			continue
		}
		for left := int64(1); left > 0; {
			ctx, cancel := e.bounded(ctx)
			left, err = e.do(ctx, e.scripts.reap, e.names.users(node), node, maxReaped).ToInt64()
			cancel()
			if err != nil {
				return failure(err, engine.ErrTimeout)
			}
		}
	}
	return nil
}
