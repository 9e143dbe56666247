package session

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/wireroom/wireroom/protocol"
)

// work is what a session has under way outside of the goroutine that reads its connection; nil while there is
// nothing. Session.mu guards it.
type work struct {
	jobs     []func() // in order; a worker runs them
	running  bool     // there is a worker
	waiting  int      // of jobs, the requests
	inFlight int      // publishes that the engine has not answered
	calls    int      // that the client has not answered
	paused   bool     // the connection is not read
}

// full reports whether the connection must not be read.
func (w *work) full() bool {
	return !mutInbound && (w.waiting >= w.most() || w.inFlight >= maxInFlight)
}

// most returns how many requests may wait.
func (w *work) most() int {
	if w.calls > 0 {
		return maxBehind
	}
	return maxWaiting
}

// later runs f after what is under way, on a worker.
func (s *Session) later(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enqueue(f)
}

// Then runs f after the requests that came before: at once if none of them waits, otherwise on their worker. f must not
// block.
func (s *Session) Then(f func()) {
	s.mu.Lock()
	wait := s.work != nil && s.work.running
	if wait {
		s.enqueue(f)
	}
	s.mu.Unlock()
	if !wait {
		f()
	}
}

// enqueue adds a job, for a worker that it starts if there is none. The session is locked.
func (s *Session) enqueue(f func()) {
	w := s.worked()
	w.jobs = append(w.jobs, f)
	if !w.running {
		w.running = true
		if s.started {
			s.node.work.start(s.runJobs)
		}
	}
}

// Start begins the work that Open left, when the connection carries bytes. Requests that came meanwhile wait.
func (s *Session) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	if s.work != nil && s.work.running {
		s.node.work.start(s.runJobs)
	}
}

// worked returns the session's work. The session is locked.
func (s *Session) worked() *work {
	if s.work == nil {
		s.work = new(work)
	}
	return s.work
}

// settle forgets the work when there is none, and reports whether the connection is to be read again. The session is
// locked.
func (s *Session) settle() (resume bool) {
	w := s.work
	resume = w.paused && w.waiting <= w.most()/2 && w.inFlight <= maxInFlight/2
	if resume {
		w.paused = false
	}
	if !w.running && !w.paused && w.inFlight == 0 && w.calls == 0 && len(w.jobs) == 0 {
		s.work = nil
	}
	return resume
}

// runJobs is the worker: it runs jobs until there are none.
func (s *Session) runJobs() {
	for {
		s.mu.Lock()
		w := s.work
		if len(w.jobs) == 0 {
			w.running = false
			resume := s.settle()
			s.mu.Unlock()
			if resume {
				s.outlet.Resume()
			}
			return
		}
		job := w.jobs[0]
		w.jobs[0] = nil
		w.jobs = w.jobs[1:]
		s.mu.Unlock()
		s.guard(job)
		s.node.Hub.Flush()
	}
}

// enqueueRequest has a worker handle a copy of r.
func (s *Session) enqueueRequest(r *protocol.Request) {
	r = clone(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worked().waiting++
	s.enqueue(func() {
		s.handle(r)
		s.requestDone()
	})
}

func (s *Session) requestDone() {
	s.mu.Lock()
	s.work.waiting--
	resume := s.settle()
	s.mu.Unlock()
	if resume {
		s.outlet.Resume()
	}
}

// begin counts a publish that the engine answers later, and end its answer.
func (s *Session) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worked().inFlight++
}

func (s *Session) end() {
	s.mu.Lock()
	s.work.inFlight--
	resume := s.settle()
	s.mu.Unlock()
	if resume {
		s.outlet.Resume()
	}
}

// Calling counts n calls more, or less, that wait for an answer of the client: what they wait for comes behind all that the
// client said before, so that more of that is taken meanwhile.
func (s *Session) Calling(n int) {
	s.mu.Lock()
	s.worked().calls += n
	resume := s.settle()
	s.mu.Unlock()
	if resume {
		s.outlet.Resume()
	}
}

// MayRead reports whether the connection may be read on; if not, Resume follows.
func (s *Session) MayRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.work == nil || !s.work.full() {
		return true
	}
	s.work.paused = true
	return false
}

// Paused reports whether the connection is not read, because too much waits: nothing that the client says is seen meanwhile.
func (s *Session) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.work != nil && s.work.paused
}

// busy reports whether requests have to wait behind others.
func (s *Session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.work != nil && s.work.running
}

// clone returns a copy of r that borrows nothing.
func clone(r *protocol.Request) *protocol.Request {
	c := *r
	for _, field := range []*[]byte{
		&c.Type, &c.ID, &c.Room, &c.Data, &c.Event, &c.Key, &c.Producer, &c.Since, &c.Before,
		&c.Next, &c.State, &c.Token, &c.Name, &c.TS, &c.Bytes, &c.Raw, &c.Args,
	} {
		*field = bytes.Clone(*field)
	}
	c.Attachments = slices.Clone(c.Attachments)
	for i := range c.Attachments {
		c.Attachments[i] = bytes.Clone(c.Attachments[i])
	}
	return &c
}

// workers are the goroutines of a node's sessions.
type workers struct {
	mu    sync.Mutex
	group sync.WaitGroup
	over  bool // no more are started
}

func (w *workers) start(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.group.Go(f)
	}
}

// stop returns when all have ended, or ctx has.
func (w *workers) stop(ctx context.Context) error {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the work of sessions has not ended: %w", context.Cause(ctx))
	}
}
