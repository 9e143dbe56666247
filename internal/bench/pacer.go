package bench

import (
	"container/heap"
	"sync"
	"time"
)

// job is something that a client does at some time.
type job uint8

const (
	dial   job = iota
	rejoin     // ask once more to join
	part       // leave the room, or disconnect, after a stay
	stall
	resume
	cut
	again // publish once more, or not be kept from it
)

// due is a job and its time.
type due struct {
	at     int64
	client *client
	job    job
}

// latePublish is from when on a publication counts as late, in nanoseconds.
const latePublish = 10_000_000

// pacer does what is due in a worker, in a goroutine of its own. The worker's lock guards it.
type pacer struct {
	worker *worker
	jobs   jobs
	next   float64 // when the next publication is due
	every  float64 // nanoseconds between two; 0: none
	over   bool    // clients do not come back any more
	wake   chan struct{}
	quit   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

func newPacer(w *worker) *pacer {
	return &pacer{worker: w, wake: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (p *pacer) start() { p.done.Go(p.run) }

func (p *pacer) close() {
	p.once.Do(func() { close(p.quit) })
	p.done.Wait()
}

// add has a job done after so many nanoseconds. The worker is locked.
func (p *pacer) add(after int64, c *client, j job) {
	heap.Push(&p.jobs, due{p.worker.clock.now() + after, c, j})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// addStay has a client part after a stay of half to one and a half of what the options say. The worker is locked.
func (p *pacer) addStay(c *client) {
	p.add(int64(float64(p.worker.options.Stay)*(0.5+p.worker.random.Float64())), c, part)
}

// begin begins to publish, and plans what is to happen until an end. The worker is locked.
func (p *pacer) begin(now, length int64) {
	w := p.worker
	w.pubs.running = true
	if rate := w.share.rate(); rate > 0 {
		p.every = 1e9 / rate
		// The workers take turns.
		p.next = float64(now) + p.every*float64(w.share.Number)/float64(w.share.Workers)
	}
	warm := int64(w.options.Warmup)
	for i := range w.clients {
		c := &w.clients[i]
		if c.slow {
			p.add(warm+length/4, c, stall)
			p.add(warm+length*3/4, c, resume)
		}
		if w.scenario.storms {
			p.add(warm+length/4, c, cut)
		}
		if c.joined {
			w.takesPart(c)
		}
	}
	w.fill()
	w.out.flush(w)
}

// stop ends publishing; clients that are away come back, but nobody goes any more. The worker is locked.
func (p *pacer) stop() {
	p.every = 0
	p.worker.pubs.running = false
	kept := p.jobs[:0]
	for _, d := range p.jobs {
		if d.job == resume {
			d.at = 0
		}
		if d.job != part && d.job != stall && d.job != cut {
			kept = append(kept, d)
		}
	}
	p.jobs = kept
	heap.Init(&p.jobs)
}

// longestSleep is after how many nanoseconds the pacer looks around in any case.
const longestSleep = 50_000_000

func (p *pacer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(time.Duration(p.turn()))
	}
}

// turn does what is due, and returns for how long nothing is.
func (p *pacer) turn() int64 {
	w := p.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.now()
	for len(p.jobs) > 0 && p.jobs[0].at <= now {
		d := heap.Pop(&p.jobs).(due)
		p.do(d.client, d.job)
	}
	p.publishDue(now)
	if n := w.pubs.expire(now); n > 0 {
		w.counts.Expired += n
		w.fill()
	}
	w.pubs.sweep(now, func(q *request) {
		if w.scenario.alone {
			w.counts.Expired++
			w.askAgain(q.client)
		}
	})
	w.out.flush(w)
	next := now + longestSleep
	if len(p.jobs) > 0 {
		next = min(next, p.jobs[0].at)
	}
	if p.every > 0 {
		next = min(next, int64(p.next))
	}
	return max(next-w.clock.now(), 0)
}

// mostAtOnce is how many publications are made without anything else being done: a rate that this program cannot keep
// up with must not keep it from being told to stop.
const mostAtOnce = 512

// publishDue makes the publications that are due.
func (p *pacer) publishDue(now int64) {
	w := p.worker
	for n := 0; n < mostAtOnce && p.every > 0 && int64(p.next) <= now; n++ {
		at := int64(p.next)
		p.next += p.every
		if !p.publish(at) {
			w.counts.Unsent++
			continue
		}
		if now-at > latePublish {
			w.counts.Late++
		}
	}
}

// publish has somebody publish whose turn it is, and reports whether there was one.
func (p *pacer) publish(at int64) bool {
	w := p.worker
	if !w.scenario.alone {
		return w.publishNext(at)
	}
	for range w.clients {
		if c := &w.clients[w.busy.next(len(w.clients))]; c.joined && c.link != nil {
			w.ask(c, at)
			return true
		}
	}
	return false
}

// do does a job.
func (p *pacer) do(c *client, j job) {
	w := p.worker
	switch j {
	case dial:
		if !p.over {
			w.dialer.dial(c)
		}
	case rejoin:
		if c.link != nil && !c.joined {
			w.speak.join(c)
		}
	case part:
		p.part(c)
	case stall:
		c.stopped = true
	case resume:
		c.stopped = false
		if c.link != nil {
			c.link.socket.Resume()
		}
	case cut:
		if c.link == nil {
			return
		}
		c.cut, c.began, c.tries = true, w.clock.now(), 0
		c.link.closing = true
		c.link.socket.Abort(nil)
	case again:
		c.held = false
		w.askAgain(c)
		w.fill()
	}
}

// part has a client leave its room or disconnect, whichever its scenario is about.
func (p *pacer) part(c *client) {
	w := p.worker
	switch {
	case c.link == nil || !c.joined || c.leaving:
	case w.scenario.wanders:
		c.leaving = true
		w.speak.leave(c)
	default:
		w.exit(c)
		c.link.closing = true
		c.link.socket.Finish(w.speak.bye())
	}
}

// jobs is a heap of what is due, the first first.
type jobs []due

func (j jobs) Len() int           { return len(j) }
func (j jobs) Less(a, b int) bool { return j[a].at < j[b].at }
func (j jobs) Swap(a, b int)      { j[a], j[b] = j[b], j[a] }
func (j *jobs) Push(x any)        { *j = append(*j, x.(due)) }
func (j *jobs) Pop() any {
	last := len(*j) - 1
	x := (*j)[last]
	*j = (*j)[:last]
	return x
}
