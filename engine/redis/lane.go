package redis

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

const (
	maxBatch = 256    // publishes of one pipeline
	maxQueue = 65_536 // publishes that wait in a lane
)

// lane sends the publishes of some rooms, in order: while a pipeline is under way, those that come are gathered for the
// next one.
type lane struct {
	engine *Engine
	wake   chan struct{}

	mu    sync.Mutex
	queue []*job
}

func (l *lane) init(e *Engine) {
	l.engine = e
	l.wake = make(chan struct{}, 1)
}

// lane returns the lane of a room.
func (e *Engine) lane(room string) *lane {
	return &e.lanes[maphash.String(e.seed, room)%lanes]
}

// add queues j, unless too many wait.
func (l *lane) add(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= maxQueue {
		return false
	}
	l.queue = append(l.queue, j)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what is to be sent next.
func (l *lane) take() []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.queue), maxBatch)
	batch := make([]*job, n)
	copy(batch, l.queue)
	clear(l.queue[:n])
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return batch
}

// run sends until the engine is closed, which waits for what it has taken on.
func (l *lane) run() {
	for {
		select {
		case <-l.wake:
		case <-l.engine.ctx.Done():
			return
		}
		for batch := l.take(); len(batch) > 0; batch = l.take() {
			l.send(l.timely(batch))
		}
	}
}

// timely refuses the jobs that have waited too long: they were not sent.
func (l *lane) timely(batch []*job) []*job {
	now := time.Now()
	kept := batch[:0]
	for _, j := range batch {
		if now.After(j.deadline) {
			j.done(engine.Receipt{}, fmt.Errorf("%w: the messages before were not answered", engine.ErrUnavailable))
			continue
		}
		kept = append(kept, j)
	}
	return kept
}

// send sends a batch and answers it.
func (l *lane) send(batch []*job) {
	if len(batch) == 0 {
		return
	}
	e := l.engine
	ctx, cancel := e.bounded(context.Background())
	defer cancel()
	results := l.pipeline(ctx, batch)
	unknown, late := unknownScripts(batch, results)
	var again []*job
	for i, j := range batch {
		if unknown && !late[i] && unknownScript(results[i].Error()) {
			again = append(again, j)
			continue
		}
		e.finish(j, results[i])
	}
	if !unknown {
		return
	}
	// A server that was restarted does not know the scripts, and has done none of this.
	if err := e.scripts.load(ctx, e.client); err != nil {
		e.options.Logger.Warn("the server does not take the scripts", "error", err)
	}
	if len(again) == 0 {
		return
	}
	results = l.pipeline(ctx, again)
	for i, j := range again {
		e.finish(j, results[i])
	}
}

// unknownScripts reports whether the server did not know a script, and which jobs come too late to be sent again: another
// node has given it the script meanwhile, and a later message of their room may be stored. They are refused.
func unknownScripts(batch []*job, results []rueidis.RedisResult) (unknown bool, late []bool) {
	for _, r := range results {
		unknown = unknown || unknownScript(r.Error())
	}
	if !unknown {
		return false, nil
	}
	late = make([]bool, len(batch))
	overtaken := make(map[string]bool) // by room
	for i := len(batch) - 1; i >= 0; i-- {
		room := batch[i].publication.Message.Room
		if unknownScript(results[i].Error()) {
			late[i] = overtaken[room]
		} else {
			overtaken[room] = true
		}
	}
	return true, late
}

// pipeline sends the commands of a batch at once.
func (l *lane) pipeline(ctx context.Context, batch []*job) []rueidis.RedisResult {
	commands := make([]rueidis.Completed, len(batch))
	for i, j := range batch {
		if j.keyed { // it is sent again
			l.engine.quota.drop(j.publication.Owner)
		}
		commands[i] = l.engine.command(j)
	}
	return l.engine.client.DoMulti(ctx, commands...)
}
