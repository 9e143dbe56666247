// Package sweep looks after the connections of a transport: one goroutine for all of them, no timer for each.
package sweep

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	slices   = 10  // parts of a table, each of which is swept once a period
	chunkLen = 512 // entries that are looked after in one go
	newsRest = 3   // times as long as it took to look after all entries because of news, there is a rest before the next time
	restMost = time.Second
)

// How a drain ends connections.
const (
	drainWaves  = 20                    // in so many parts
	drainSpread = 30 * time.Second      // over this time at the most
	drainRetry  = 5 * time.Second       // and asks each to come back within this
	lookAgain   = 10 * time.Millisecond // whether all are gone
)

// Entry is what a Table looks after.
type Entry interface {
	comparable
	// Place is where the table notes where the entry stands.
	Place() *Place
	// LookAfter does what is due; it is called at least once a period and must not block. clock is the table's.
	LookAfter(clock uint32, now time.Time)
	// Drain asks the client to come back, elsewhere, within most.
	Drain(most time.Duration)
}

// Place is where an entry stands in its table; the table's lock guards it. The zero value is of one that was not added
// yet.
type Place struct{ at int32 } // 1 for the first one in the table; -1: gone, for good

const gone = -1

// Table is the connections of a transport. Its methods may be called at once.
type Table[E Entry] struct {
	Period time.Duration // in which every entry is looked after once; 0 is a second. Set before Start
	// News returns what is closed as soon as every entry is to be looked after, another one each time: all are then, at once,
	// or after a rest, so that however much news there is this takes a quarter of one core at most. A rest is a second at the
	// most, which is less than that asks for where it takes long to look after all. Nil: there is none. Set before Start.
	News func() <-chan struct{}

	clock atomic.Uint32 // seconds since start, as of the last tick
	birth time.Time
	quit  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	entries []E
}

// Start begins to look after the table's entries; after is called each time when a part of them was looked after.
func (t *Table[E]) Start(after func()) {
	t.birth = time.Now()
	if t.Period <= 0 {
		t.Period = time.Second
	}
	t.clock.Store(1) // so that 0 means never
	t.quit, t.done = make(chan struct{}), make(chan struct{})
	var news <-chan struct{}
	if t.News != nil {
		news = t.News()
	}
	go t.run(after, news)
}

// Stop ends that, and returns when it has ended.
func (t *Table[E]) Stop() {
	close(t.quit)
	<-t.done
}

// Clock returns the seconds since Start, as of the last sweep; never 0.
func (t *Table[E]) Clock() uint32 { return t.clock.Load() }

// Add adds an entry; one that is gone already is left out.
func (t *Table[E]) Add(e E) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Place().at == gone {
		return
	}
	t.entries = append(t.entries, e)
	e.Place().at = int32(len(t.entries))
}

// Remove takes an entry out that is gone, whether it was added or not.
func (t *Table[E]) Remove(e E) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := e.Place().at
	e.Place().at = gone
	if at <= 0 {
		return
	}
	var none E
	last := len(t.entries) - 1
	if int(at-1) != last {
		t.entries[at-1] = t.entries[last]
		t.entries[at-1].Place().at = at
	}
	t.entries[last] = none
	t.entries = t.entries[:last]
}

// Len returns the number of entries.
func (t *Table[E]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

// All returns the entries.
func (t *Table[E]) All() []E {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]E(nil), t.entries...)
}

// run sweeps a part of the table with every tick, and all of it when there is news.
func (t *Table[E]) run(after func(), news <-chan struct{}) {
	defer close(t.done)
	ticker := time.NewTicker(t.Period / slices)
	defer ticker.Stop()
	var later <-chan struct{}
	var rested <-chan time.Time
	for slice := 0; ; {
		select {
		case <-t.quit:
			return
		case <-news:
			began := time.Now()
			news, later = nil, t.News() // before: what comes meanwhile is news again
			t.sweepAll(began)
			rested = time.After(min(newsRest*time.Since(began), restMost))
		case <-rested:
			news, rested = later, nil
		case now := <-ticker.C:
			t.clock.Store(uint32(now.Sub(t.birth)/time.Second) + 1)
			t.sweep(slice, now)
			slice = (slice + 1) % slices
		}
		after()
	}
}

// sweepAll looks after all entries that are there now, wherever they move meanwhile.
func (t *Table[E]) sweepAll(now time.Time) {
	clock := t.clock.Load()
	for _, e := range t.All() {
		e.LookAfter(clock, now)
	}
}

// sweep looks after one part. An entry that moves within the table meanwhile is looked after a period later.
func (t *Table[E]) sweep(slice int, now time.Time) {
	var chunk [chunkLen]E
	clock := t.clock.Load()
	for done := 0; ; done += len(chunk) {
		n := t.chunk(slice, done, chunk[:])
		for _, e := range chunk[:n] {
			e.LookAfter(clock, now)
		}
		if n < len(chunk) {
			return
		}
	}
}

// chunk copies entries of a part, from its skip-th on, and returns how many.
func (t *Table[E]) chunk(slice, skip int, chunk []E) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.entries)
	from, end := slice*n/slices+skip, (slice+1)*n/slices
	if from >= end {
		return 0
	}
	return copy(chunk, t.entries[from:end])
}

// Drain asks the entries to come back elsewhere, in waves over half of the time that ctx leaves, 30 seconds at the
// most. arriving counts what may yet become an entry: who comes late is asked after the waves, and nobody else waits for it. Drain
// returns when all are gone and none can come, or the cause when ctx has ended.
func (t *Table[E]) Drain(ctx context.Context, arriving *atomic.Int32) error {
	spread := drainSpread
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(max(time.Until(deadline)/2, 0), drainSpread)
	}
	if mutCloseAll {
		spread = 0
	}
	all := t.All()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for wave := range drainWaves {
		from := (wave*len(all) + drainWaves - 1) / drainWaves
		to := ((wave+1)*len(all) + drainWaves - 1) / drainWaves
		for _, e := range all[from:to] {
			e.Drain(min(spread, drainRetry))
		}
		if to == len(all) {
			break
		}
		if !Sleep(ctx, spread/drainWaves) {
			return context.Cause(ctx)
		}
	}
	return t.drainLate(ctx, arriving, all)
}

// drainLate asks those who have come since, and waits until all are gone. told are those who were asked.
func (t *Table[E]) drainLate(ctx context.Context, arriving *atomic.Int32, told []E) error {
	asked := make(map[E]bool, len(told))
	for _, e := range told {
		asked[e] = true
	}
	for none := false; !none; {
		none = arriving.Load() == 0 // first: whoever is not counted any more is in the table
		for _, e := range t.All() {
			if !asked[e] {
				asked[e] = true
				e.Drain(drainRetry)
			}
		}
		if !none && !Sleep(ctx, lookAgain) {
			return context.Cause(ctx)
		}
	}
	for t.Len() > 0 {
		if !Sleep(ctx, lookAgain) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Sleep waits, and reports whether ctx is still alive.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Spread returns d in whole seconds of a table's clock, up to 10 % more or less, so that those who came together are
// not due together.
func Spread(d time.Duration) uint32 {
	return uint32(max(1, d.Seconds()*(0.9+0.2*rand.Float64())))
}

// Retry returns a time of at most most, and at least a tenth of it, after which a client is asked to come back.
func Retry(most time.Duration) time.Duration {
	return time.Duration(float64(most) * (0.1 + 0.9*rand.Float64()))
}
