package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Progress is told of a test while it runs, once a second.
type Progress func(phase string, s *Sample, c *Counts)

// The phases of a test.
const (
	PhaseConnect = "connect"
	PhaseRest    = "rest" // connected, and nothing is published
	PhaseWarmup  = "warm-up"
	PhaseMeasure = "measure"
	PhaseSettle  = "settle"
)

const (
	spareDescriptors = 200 // of a worker, for all but its connections
	restTime         = time.Second
	leastSample      = 0.5              // seconds
	connectPatience  = 30 * time.Second // without a client that finds its place
)

// Run runs a test. When ctx ends, it stops early and reports what it has. workerArgs are the arguments with which this
// program becomes a worker, that is, calls Serve.
func Run(ctx context.Context, o Options, workerArgs []string, progress Progress) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	t := &test{options: o, progress: progress, started: time.Now()}
	t.first = moment{at: t.started, server: usageOf(o.PIDs...)}
	t.last = t.first
	if err := t.hire(workerArgs); err != nil {
		return nil, errors.Join(err, t.dismiss())
	}
	report, err := t.run(ctx)
	return report, errors.Join(err, t.dismiss())
}

// test is a test that runs.
type test struct {
	options  Options
	progress Progress
	started  time.Time
	hands    []hand
	phase    string

	counts  Counts
	placed  int
	tester  usage // of all workers
	window  int   // of all workers
	times   times // of what is measured
	between times // since the last sample
	series  []Sample
	first   moment // before anything
	last    moment // of the last sample
	latest  moment
	peak    int64 // of the server's memory
}

// moment is when a sample was taken, and what had happened until then.
type moment struct {
	at     time.Time
	counts Counts
	server usage
	tester usage
}

// hire makes the workers.
func (t *test) hire(workerArgs []string) error {
	most := max(1, descriptors()-spareDescriptors)
	n := t.options.Processes
	orDefault(&n, (t.options.Connections+most-1)/most)
	t.options.Processes = n
	share := Share{Options: t.options, Epoch: t.started.UnixNano(), Workers: n}
	for i := range n {
		share.Number = i
		share.First = t.options.Connections * i / n
		share.Count = t.options.Connections*(i+1)/n - share.First
		t.window += share.window()
		if n == 1 {
			w, err := newWorker(share)
			if err != nil {
				return err
			}
			t.hands = append(t.hands, near{w})
			continue
		}
		f, err := newFar(workerArgs, share)
		if err != nil {
			return err
		}
		t.hands = append(t.hands, f)
	}
	return nil
}

// dismiss ends the workers, all at once.
func (t *test) dismiss() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*closeTimeout)
	defer cancel()
	errs := make(chan error, len(t.hands))
	for _, h := range t.hands {
		go func() { errs <- h.close(ctx) }()
	}
	var all error
	for range t.hands {
		all = errors.Join(all, <-errs)
	}
	return all
}

// tell gives all workers an order, and adds up what they answer.
func (t *test) tell(c command) (endings []*Ending, err error) {
	t.counts, t.placed, t.tester = Counts{}, 0, usage{}
	var timed, beside times
	for _, h := range t.hands {
		a, err := h.do(c)
		if err != nil {
			return nil, err
		}
		t.counts.add(&a.Counts)
		t.placed += a.Placed
		t.tester.CPU += a.Usage.CPU
		t.tester.Memory += a.Usage.Memory
		endings = append(endings, a.Ending)
		if err := errors.Join(timed.add(a.Times), beside.add(a.Beside)); err != nil {
			return nil, fmt.Errorf("a worker's histogram: %w", err)
		}
	}
	t.times.merge(&timed)
	timed.merge(&beside)
	t.sample(&timed)
	return endings, nil
}

// sample adds what happened since the last one to the series.
func (t *test) sample(timed *times) {
	now := moment{time.Now(), t.counts, usageOf(t.options.PIDs...), t.tester}
	t.latest = now
	t.peak = max(t.peak, now.server.Memory)
	past := now.at.Sub(t.last.at).Seconds()
	if past < leastSample { // the workers were told something
		t.between.merge(timed)
		return
	}
	timed.merge(&t.between)
	t.between = times{}
	s := Sample{
		Second: round(now.at.Sub(t.started).Seconds(), 3), Phase: t.phase, Open: t.counts.Open, Joined: t.counts.Joined,
		Published: round(float64(t.counts.Published-t.last.counts.Published)/past, 1),
		Delivered: round(float64(t.counts.Delivered-t.last.counts.Delivered)/past, 1),
		CPU:       round((now.server.CPU-t.last.server.CPU).Seconds()/past, 3), Memory: now.server.Memory,
	}
	for _, kind := range []int{timeDelivery, timeReply} {
		if h := timed[kind]; h != nil && h.TotalCount() > 0 {
			d := distribution(h, false)
			s.P50, s.P99, s.Max = d.P50, d.P99, d.Max
			break
		}
	}
	t.last = now
	t.series = append(t.series, s)
	if t.progress != nil {
		t.progress(t.phase, &s, &t.counts)
	}
}

// follow samples once a second until enough says so or ctx ends; it reports whether enough did.
func (t *test) follow(ctx context.Context, phase string, enough func() bool) (bool, error) {
	t.phase = phase
	for !enough() {
		if !sleep(ctx, t.nextSecond()) {
			return false, nil
		}
		if _, err := t.tell(command{Order: orderCount}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// nextSecond returns how long it is to the next sample.
func (t *test) nextSecond() time.Duration {
	past := time.Since(t.last.at)
	if past >= time.Second {
		return time.Millisecond
	}
	return time.Second - past
}

// during samples for so long; the phase is over with the first sample after that.
func (t *test) during(ctx context.Context, phase string, d time.Duration) (bool, error) {
	end := time.Now().Add(d - 10*time.Millisecond)
	return t.follow(ctx, phase, func() bool { return !time.Now().Before(end) })
}

func (t *test) run(ctx context.Context) (*Report, error) {
	t.phase = PhaseConnect
	if _, err := t.tell(command{Order: orderConnect}); err != nil {
		return nil, err
	}
	measured, interrupted, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	endings, err := t.settle(ctx)
	if err != nil {
		return nil, err
	}
	r := t.report(&measured)
	r.Interrupted = interrupted
	r.count(&t.counts, missing(endings), unanswered(endings), &t.options)
	return r, nil
}

// measurement is what it is made of.
type measurement struct {
	connected moment // and nothing was published yet
	from, to  moment // it was measured
}

// load connects, and publishes. It returns early when ctx ends.
func (t *test) load(ctx context.Context) (m measurement, interrupted bool, err error) {
	ok, err := t.connect(ctx)
	if err != nil || !ok {
		return m, true, err
	}
	if ok, err = t.during(ctx, PhaseRest, restTime); err != nil || !ok {
		return m, true, err
	}
	m.connected = t.latest
	if _, err = t.tell(command{Order: orderStart, Length: int64(t.options.Duration)}); err != nil {
		return m, false, err
	}
	if t.options.Warmup > 0 {
		if ok, err = t.during(ctx, PhaseWarmup, t.options.Warmup); err != nil || !ok {
			return m, true, err
		}
	}
	if _, err = t.tell(command{Order: orderMeasure}); err != nil {
		return m, false, err
	}
	m.from = t.latest
	ok, err = t.during(ctx, PhaseMeasure, t.options.Duration)
	if err == nil {
		_, err = t.tell(command{Order: orderEnough})
	}
	m.to = t.latest
	return m, !ok, err
}

// connect waits until every client is where it is to be, or has given up.
func (t *test) connect(ctx context.Context) (bool, error) {
	best, when := 0, time.Now()
	ok, err := t.follow(ctx, PhaseConnect, func() bool {
		if t.placed > best {
			best, when = t.placed, time.Now()
		}
		return t.placed >= t.options.Connections || time.Since(when) > connectPatience
	})
	if err == nil && ok && t.counts.Joined == 0 {
		return false, fmt.Errorf("none of %d clients could connect and join: %v", t.options.Connections, t.counts.Errors)
	}
	return ok, err
}

// settle ends publishing and waits for what is still to come: until nothing has come for a while.
func (t *test) settle(ctx context.Context) ([]*Ending, error) {
	t.phase = PhaseSettle
	if _, err := t.tell(command{Order: orderStop}); err != nil {
		return nil, err
	}
	patience := t.options.Settle
	if ctx.Err() != nil {
		patience = min(patience, 2*time.Second)
	}
	end := time.Now().Add(patience)
	still := 0
	for before := int64(-1); still < 3 && time.Now().Before(end); {
		time.Sleep(patience / 20)
		if _, err := t.tell(command{Order: orderCount}); err != nil {
			return nil, err
		}
		came := t.counts.Delivered + t.counts.Replies + t.counts.Refused
		if still++; came != before || t.counts.Joined < t.counts.Open {
			still = 0
		}
		before = came
	}
	return t.tell(command{Order: orderEnd})
}
