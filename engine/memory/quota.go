package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
)

// quota counts what is remembered to recognise duplicates, by owner and altogether: a live key is one, a producer in a
// room is one.
type quota struct {
	seed     maphash.Seed
	maxOwner int
	maxAll   int64
	all      atomic.Int64
	shards   [shards]quotaShard
}

type quotaShard struct {
	mu     sync.Mutex
	owners map[string]int
}

func (q *quota) init(maxOwner int, maxAll int64) {
	q.seed, q.maxOwner, q.maxAll = maphash.MakeSeed(), maxOwner, maxAll
	for i := range q.shards {
		q.shards[i].owners = make(map[string]int)
	}
}

// take counts one more of owner, or refuses with engine.ErrTooManyKeys.
func (q *quota) take(owner string) error {
	if q.all.Add(1) > q.maxAll {
		q.all.Add(-1)
		return engine.ErrTooManyKeys
	}
	s := q.shard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.owners[owner]
	if n >= q.maxOwner {
		q.all.Add(-1)
		return engine.ErrTooManyKeys
	}
	s.owners[owner] = n + 1
	return nil
}

// release takes one of owner back.
func (q *quota) release(owner string) {
	q.all.Add(-1)
	s := q.shard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[owner]--; s.owners[owner] == 0 {
		delete(s.owners, owner)
	}
}

// crowded reports whether owner, or all together, have more than half of what they may have.
func (q *quota) crowded(owner string) bool {
	if q.all.Load() > q.maxAll/2 {
		return true
	}
	s := q.shard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[owner] > q.maxOwner/2
}

func (q *quota) shard(owner string) *quotaShard {
	return &q.shards[maphash.String(q.seed, owner)%shards]
}
