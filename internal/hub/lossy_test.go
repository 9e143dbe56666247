package hub

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/protocol"
)

// lossy is an engine over the memory engine that answers and feeds late and from goroutines of its own, fails at
// times, and loses some of what it should feed without a word. What it acknowledged is in the log, and it feeds in the
// log's order, as an engine has to.
type lossy struct {
	loss  float64 // of the feed
	fails float64 // of the calls
	delay time.Duration

	feed engine.Feed
	work sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	inner  *memory.Engine
	rooms  map[string]*lateRoom
	held   bool // nothing is fed for now
	lost   int
	failed int
	reads  int
	now    int   // of the reads are under way
	most   int   // of them were at once
	asked  []int // of how many rooms the heads were asked for, each time
}

// oneByOne is an engine without its traits.
type oneByOne struct{ engine.Engine }

// lateRoom is what is to be fed of a room.
type lateRoom struct {
	subscribed bool
	late       []*protocol.Message
	feeding    bool
}

func newLossy(seed uint64, loss, fails float64) *lossy {
	return &lossy{
		loss: loss, fails: fails, delay: 20 * time.Millisecond,
		random: rand.New(rand.NewPCG(seed, 1)), inner: memory.New(memory.Options{}), rooms: make(map[string]*lateRoom),
	}
}

func (e *lossy) Open(ctx context.Context, feed engine.Feed) error {
	e.feed = feed
	return e.inner.Open(ctx, e)
}

func (e *lossy) Close(ctx context.Context) error {
	e.work.Wait()
	return e.inner.Close(ctx)
}

// Publish fixes the order at once and answers later. A failure is one of both kinds: nothing was stored, or the
// answer was lost.
func (e *lossy) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	failure := e.failure()
	if errors.Is(failure, engine.ErrUnavailable) {
		e.work.Go(func() { done(engine.Receipt{}, failure) })
		return
	}
	wait := e.wait()
	e.log().Publish(ctx, p, func(r engine.Receipt, err error) {
		if failure != nil {
			r, err = engine.Receipt{}, failure
		}
		e.work.Go(func() {
			time.Sleep(wait)
			done(r, err)
		})
	})
}

func (e *lossy) Subscribe(ctx context.Context, room string) error {
	if err := pause(ctx, e.wait()); err != nil {
		return err
	}
	if err := e.failure(); err != nil {
		return err
	}
	e.mu.Lock()
	if e.rooms[room] == nil {
		e.rooms[room] = new(lateRoom)
	}
	e.rooms[room].subscribed = true
	e.mu.Unlock()
	return e.log().Subscribe(ctx, room)
}

func (e *lossy) Unsubscribe(room string) {
	e.log().Unsubscribe(room)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rooms[room].subscribed = false
}

// Read answers late: what it says may be old when it arrives.
func (e *lossy) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	e.mu.Lock()
	e.reads++
	e.now++
	e.most = max(e.most, e.now)
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.now--
	}()
	if err := pause(ctx, e.wait()); err != nil {
		return engine.Page{}, err
	}
	page, err := e.log().Read(ctx, room, q)
	if err := pause(ctx, e.wait()); err != nil {
		return engine.Page{}, err
	}
	if failure := e.failure(); failure != nil {
		return engine.Page{}, failure
	}
	return page, err
}

// Heads implements the trait engine.Heads, as late as Read.
func (e *lossy) Heads(ctx context.Context, rooms []string) ([]protocol.Position, error) {
	e.mu.Lock()
	e.asked = append(e.asked, len(rooms))
	e.mu.Unlock()
	if err := pause(ctx, e.wait()); err != nil {
		return nil, err
	}
	if failure := e.failure(); failure != nil {
		return nil, failure
	}
	return e.log().Heads(ctx, rooms)
}

// Deliver implements engine.Feed for the memory engine: it is called in the log's order.
func (e *lossy) Deliver(m *protocol.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.random.Float64() < e.loss {
		e.lost++
		return
	}
	r := e.rooms[m.Room]
	r.late = append(r.late, m)
	if !r.feeding {
		r.feeding = true
		e.work.Go(func() { e.feedLate(r) })
	}
}

// Flush and Interrupted implement engine.Feed; the memory engine has no use for them.
func (*lossy) Flush()       {}
func (*lossy) Interrupted() {}

// feedLate feeds a room in batches until nothing is left.
func (e *lossy) feedLate(r *lateRoom) {
	for {
		time.Sleep(e.wait())
		e.mu.Lock()
		if e.held {
			e.mu.Unlock()
			continue
		}
		batch := r.late
		r.late, r.feeding = nil, len(batch) > 0
		e.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, m := range batch {
			e.feed.Deliver(m)
		}
		e.feed.Flush()
	}
}

// failOver replaces the log by an empty one, as a replica that knows nothing does, and says that something happened.
func (e *lossy) failOver(ctx context.Context) error {
	fresh := memory.New(memory.Options{})
	if err := fresh.Open(ctx, e); err != nil {
		return err
	}
	e.mu.Lock()
	old := e.inner
	e.inner = fresh
	var subscribed []string
	for name, r := range e.rooms {
		if r.subscribed {
			subscribed = append(subscribed, name)
		}
	}
	e.mu.Unlock()
	for _, room := range subscribed {
		if err := fresh.Subscribe(ctx, room); err != nil {
			return err
		}
	}
	if err := old.Close(ctx); err != nil {
		return err
	}
	e.feed.Interrupted()
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *lossy) log() *memory.Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inner
}

func (e *lossy) wait() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Duration(e.random.Int64N(int64(e.delay)))
}

// failure returns nil most of the time.
func (e *lossy) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.random.Float64() >= e.fails {
		return nil
	}
	e.failed++
	if e.random.IntN(2) == 0 {
		return engine.ErrUnavailable
	}
	return engine.ErrTimeout
}

// hold stops the feed, or lets it go on with what it has.
func (e *lossy) hold(held bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = held
}

// fail sets which share of the calls fails.
func (e *lossy) fail(part float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = part
}

// lose sets which part of the feed is lost.
func (e *lossy) lose(part float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loss = part
}
