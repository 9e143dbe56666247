package redis

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

const (
	// presentLife is how long the server keeps what a node has said of a room after it heard of it last: what is left of
	// nodes that died without anybody noticing goes with it.
	presentLife = 24 * time.Hour
	// presentEvery is how often a node says that what it has said still holds.
	presentEvery = presentLife / 4
)

// rolls is the rooms of which this node has said that somebody is there.
type rolls struct {
	engine *Engine
	every  time.Duration

	mu    sync.Mutex
	rooms map[string]struct{}
}

func (r *rolls) init(e *Engine) {
	r.engine, r.every, r.rooms = e, presentEvery, make(map[string]struct{})
}

// note notes whether somebody is in a room on this node, as the server knows.
func (r *rolls) note(room string, occupied bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if occupied {
		r.rooms[room] = struct{}{}
	} else {
		delete(r.rooms, room)
	}
}

// run keeps alive what this node has said, until the engine is closed.
func (r *rolls) run() {
	ctx, every := r.engine.ctx, r.every
	for ctx.Err() == nil {
		wait(ctx, every)
		every = r.every
		if err := r.touch(ctx); err != nil && ctx.Err() == nil {
			r.engine.options.Logger.Warn("what this node says of who is here waits to be said again", "error", err)
			every = min(every, lookEvery)
		}
	}
}

// touch has the server keep what this node has said of all rooms. Where some of it is not there any more, all is said again.
func (r *rolls) touch(ctx context.Context) error {
	r.mu.Lock()
	rooms := slices.Collect(maps.Keys(r.rooms))
	r.mu.Unlock()
	forgotten := false
	for part := range slices.Chunk(rooms, engine.MaxHeads) {
		kept, err := r.touchSome(ctx, part)
		if err != nil {
			return err
		}
		forgotten = forgotten || !kept
	}
	if feed := r.engine.lease.feed; forgotten && feed != nil {
		feed.Forgotten()
	}
	return nil
}

// touchSome has the server keep what this node has said of some rooms, and reports whether it was all there.
func (r *rolls) touchSome(ctx context.Context, rooms []string) (kept bool, err error) {
	e := r.engine
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	var commands rueidis.Commands
	for _, room := range rooms {
		for _, key := range []string{e.names.present(room), e.names.presentOn(room, e.lease.node)} {
			commands = append(commands, e.client.B().Pexpire().Key(key).Milliseconds(presentLife.Milliseconds()).Build())
		}
	}
	kept = true
	for i, answer := range e.client.DoMulti(ctx, commands...) {
		there, err := answer.AsBool()
		if err != nil {
			return kept, failure(err, engine.ErrUnavailable)
		}
		if room := rooms[i/2]; !there && r.has(room) {
			kept = false
		}
	}
	return kept, nil
}

// has reports whether somebody is in a room on this node, as far as the server was told.
func (r *rolls) has(room string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.rooms[room]
	return ok
}
