package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/wireroom/wireroom/internal/conn"
)

// Share is one worker's part of a test. It travels to workers in processes of their own.
type Share struct {
	Options Options
	Epoch   int64 // when the test's clock begins, Unix nanoseconds
	Number  int   // of the worker, from 0
	Workers int
	First   int // number of the first connection
	Count   int // of connections
}

// rate returns how many publications a second are this worker's.
func (s *Share) rate() float64 {
	return s.Options.Rate * float64(s.Count) / float64(s.Options.Connections)
}

// window returns how many outstanding publications are this worker's; at least one, where there are any.
func (s *Share) window() int {
	w := s.Options.Window
	if w == 0 {
		return 0
	}
	return max(1, w*(s.Number+1)/s.Workers-w*s.Number/s.Workers)
}

// worker is one event loop with the clients of a Share. Its methods may be called at once. Its lock is taken before a
// connection's.
type worker struct {
	share    Share
	options  *Options
	scenario scenario
	speak    dialect
	clock    clock
	poller   *conn.Poller
	dialer   *dialer
	pacer    *pacer
	random   *rand.Rand // guarded by mu
	own      usage      // of the process, before

	mu      sync.Mutex
	clients []client
	rooms   []room
	places  []place // by client; nil unless they come back to where they were
	busy    busy
	pubs    pubs
	out     outbox
	counts  Counts
	times   timing
	now     int64 // of the bytes that are being received
}

// newWorker returns a worker whose clients do nothing yet.
func newWorker(s Share) (*worker, error) {
	w := makeWorker(s)
	w.speak = newDialect(w)
	var err error
	if w.dialer, err = newDialer(w); err != nil {
		return nil, err
	}
	if w.poller, err = conn.New(conn.Options{Loops: 1, TurnEnd: w.turnEnd, MaxKept: maxKept}); err != nil {
		return nil, err
	}
	w.pacer.start()
	return w, nil
}

// makeWorker returns a worker that speaks to nobody and in which nothing happens by itself.
func makeWorker(s Share) *worker {
	w := &worker{share: s, options: &s.Options, clock: newClock(s.Epoch), times: newTiming(), own: usageOf(os.Getpid())}
	w.scenario, _ = scenarioNamed(s.Options.Scenario)
	w.random = rand.New(rand.NewPCG(uint64(s.Epoch), uint64(s.Number)))
	w.clients = make([]client, s.Count)
	w.rooms = make([]room, s.Options.Rooms)
	if w.scenario.storms {
		w.places = make([]place, s.Count)
	}
	for i := range w.clients {
		w.clients[i] = client{worker: w, number: int32(i), room: int32((s.First + i) % s.Options.Rooms), awaited: never}
		w.clients[i].slow = w.stalls(i)
	}
	w.pubs.init(&w.share)
	w.pacer = newPacer(w)
	return w
}

// stalls reports whether a client is one of those that stop reading for a while.
func (w *worker) stalls(i int) bool {
	share := w.options.Stalled
	return int(float64(i+1)*share) > int(float64(i)*share)
}

// close ends everything.
func (w *worker) close(ctx context.Context) error {
	w.pacer.close()
	w.dialer.close()
	return errors.Join(w.speak.close(ctx), w.poller.Close(ctx))
}

// turnEnd is called when everything that had come was received: the window is filled up again, and what was published
// meanwhile goes out.
func (w *worker) turnEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fill()
	w.out.flush(w)
}

// wake notes when bytes were received. The worker is locked.
func (w *worker) wake(n int) {
	w.now = w.clock.now()
	w.counts.BytesIn += int64(n)
}
