package redis

import (
	"sync"
	"time"
)

// quota bounds the keys that this node has stored and that are still alive: of an owner, and of all. The server lets a
// key go after the window; here it is counted for as long.
type quota struct {
	window time.Duration
	owner  int // keys of one owner
	node   int // keys of all

	mu    sync.Mutex
	taken map[string]int
	all   int
	queue []taken // oldest first
}

type taken struct {
	owner string
	until time.Time
}

func (q *quota) init(owner, node int, window time.Duration) {
	q.owner, q.node, q.window = owner, node, window
	q.taken = make(map[string]int)
}

// take counts one more key of an owner, unless there are too many.
func (q *quota) take(owner string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(time.Now())
	if q.taken[owner] >= q.owner || q.all >= q.node {
		return false
	}
	q.taken[owner]++
	q.all++
	return true
}

// keep has a key that was taken counted until its window is over; drop does not count it: it was none.
func (q *quota) keep(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, taken{owner, time.Now().Add(q.window)})
}

func (q *quota) drop(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.release(owner)
}

// release counts one less. The quota is locked.
func (q *quota) release(owner string) {
	q.all--
	if q.taken[owner]--; q.taken[owner] <= 0 {
		delete(q.taken, owner)
	}
}

// expire lets go what is over. The quota is locked.
func (q *quota) expire(now time.Time) {
	n := 0
	for n < len(q.queue) && now.After(q.queue[n].until) {
		q.release(q.queue[n].owner)
		n++
	}
	if n > 0 {
		clear(q.queue[:n])
		q.queue = q.queue[n:] // append moves what is left when there is no room behind it
	}
}
