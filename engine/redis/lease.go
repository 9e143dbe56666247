package redis

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
)

const (
	renewEvery   = engine.PresenceLease / 3
	renewAgain   = time.Second           // after it failed
	minLook      = 50 * time.Millisecond // between two looks at the leases
	afterAbsence = 2 * renewEvery        // that others have to be heard of again, when this node's own lease had ended
)

// lease is this node's, and what is known of the others'.
type lease struct {
	engine *Engine
	node   string
	feed   engine.Neighbours // nil: nobody wants to know

	mu    sync.Mutex
	alive map[string]bool // the other nodes
}

// init takes a name that nobody else has.
func (l *lease) init(e *Engine, feed engine.Feed) {
	l.engine, l.node = e, rand.Text()[:16]
	l.feed, _ = feed.(engine.Neighbours)
	l.alive = make(map[string]bool)
}

// Node implements engine.Presence.
func (e *Engine) Node() string { return e.lease.node }

// lives reports whether another node lives as far as is known.
func (l *lease) lives(node string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alive[node]
}

// others returns the other nodes that live, as far as is known.
func (l *lease) others() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.alive))
}

// run renews the lease until the engine is closed, and looks when the next lease of another node may end. What is left
// of this node's own then is the grace of its users, who are on their way to other nodes.
func (l *lease) run() {
	ctx := l.engine.ctx
	var w watch
	for ctx.Err() == nil {
		again, err := l.turn(ctx, &w)
		if err != nil && ctx.Err() == nil {
			l.engine.options.Logger.Warn("this node's lease cannot be renewed", "error", err)
		}
		wait(ctx, again)
	}
}

// watch is what a node keeps in mind between two looks at the leases.
type watch struct {
	renewed time.Time // its own
	patient time.Time // nobody is given up before
}

// turn looks at the leases, renews this node's where it is time, and returns after how long to look again. Where this node's
// own had ended before its time, the server may have forgotten all of them: the others are given the time to say so, too.
func (l *lease) turn(ctx context.Context, w *watch) (again time.Duration, err error) {
	began, span := time.Now(), time.Duration(0)
	if began.Sub(w.renewed) >= renewEvery {
		span = engine.PresenceLease
	}
	had, ends, err := l.renew(ctx, span)
	if err != nil {
		return renewAgain, err
	}
	if !had {
		w.patient = time.Now().Add(afterAbsence)
	}
	switch {
	case !had && span == 0:
		w.renewed = time.Time{}
		return 0, nil
	case !had && l.feed != nil:
		l.feed.Forgotten()
	}
	if span > 0 {
		w.renewed = began
	}
	return l.next(time.Now(), w, ends), nil
}

// next takes note of the leases, and returns how long to wait until they are looked at again.
func (l *lease) next(now time.Time, w *watch, ends map[string]time.Duration) time.Duration {
	wait := w.renewed.Add(renewEvery).Sub(now)
	for _, rest := range ends {
		wait = min(wait, rest)
	}
	l.mu.Lock()
	var gone []string
	for node := range l.alive {
		if _, lives := ends[node]; !lives && now.After(w.patient) {
			delete(l.alive, node)
			gone = append(gone, node)
		}
	}
	for node := range ends {
		l.alive[node] = true
	}
	l.mu.Unlock()
	if len(gone) > 0 {
		l.engine.work.Go(l.engine.reapAll)
	}
	for _, node := range gone {
		l.engine.options.Logger.Info("another node is gone", "node", node)
		if l.feed != nil {
			l.feed.NodeLeft(node)
		}
	}
	return max(wait, minLook)
}

// renew has this node's lease hold for a span, 0 to look only. It returns whether it held before, and how long those of
// the others still do.
func (l *lease) renew(ctx context.Context, span time.Duration) (had bool, ends map[string]time.Duration, err error) {
	e := l.engine
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	parts, err := e.do(ctx, e.scripts.lease, []string{e.names.nodes()}, l.node, milliseconds(span)).ToArray()
	if err != nil {
		return false, nil, failure(err, engine.ErrUnavailable)
	}
	if len(parts) != 2 {
		return false, nil, errScript
	}
	held, err := parts[0].ToInt64()
	if err != nil {
		return false, nil, errScript
	}
	words, err := parts[1].AsStrSlice()
	if err != nil {
		return false, nil, errScript
	}
	ends = make(map[string]time.Duration)
	for i := 0; i+1 < len(words); i += 2 {
		rest, err := strconv.ParseInt(words[i+1], 10, 64)
		if err != nil {
			return false, nil, errScript
		}
		if words[i] != l.node {
			ends[words[i]] = time.Duration(rest) * time.Millisecond
		}
	}
	return held == 1, ends, nil
}
