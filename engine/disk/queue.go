package disk

import (
	"errors"
	"sync"

	"github.com/wireroom/wireroom/engine"
)

// request is something for the committer to do: a publication, or work that writes to the batch of its turn.
type request struct {
	publication *engine.Publication
	work        func(*committer, *turn) error
	done        func(engine.Receipt, error)
	size        int64
}

// queue holds the requests that wait for the committer, in their order.
type queue struct {
	max int64

	mu      sync.Mutex
	filled  sync.Cond // on mu
	waiting []request
	spare   []request // memory to use again
	bytes   int64     // of the requests that are not answered
	closed  error     // what push returns, once it is set
}

func (q *queue) init(max int64) {
	q.max = max
	q.filled.L = &q.mu
}

// push adds a request, or returns why it cannot be taken. It does not wait.
func (q *queue) push(r request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case q.bytes > 0 && q.bytes+r.size > q.max:
		return engine.ErrOverloaded
	}
	q.bytes += r.size
	q.waiting = append(q.waiting, r)
	if len(q.waiting) == 1 {
		q.filled.Signal()
	}
	return nil
}

// take waits for requests and returns all that there are: none when the queue is closed and empty. They are the
// caller's until its next call.
func (q *queue) take() []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && q.closed == nil {
		q.filled.Wait()
	}
	taken := q.waiting
	clear(q.spare) // what it held was answered
	q.waiting, q.spare = q.spare[:0], taken
	return taken
}

// answered tells that requests of so many bytes were answered.
func (q *queue) answered(bytes int64) {
	q.mu.Lock()
	q.bytes -= bytes
	q.mu.Unlock()
}

// close lets no more requests in: push returns err from now on. A later call counts, but after engine.ErrClosed.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !errors.Is(q.closed, engine.ErrClosed) {
		q.closed = err
	}
	q.filled.Broadcast()
}
