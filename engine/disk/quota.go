package disk

import (
	"sync"

	"github.com/wireroom/wireroom/engine"
)

// quota counts what is remembered to recognise duplicates, by owner and altogether: a live key is one, a producer in a
// room is one. Keys are given back when their window is over.
type quota struct {
	maxOwner, maxAll int

	mu     sync.Mutex
	all    int
	owners map[string]*quotaOwner
	keys   []quotaKey // live, oldest first
	gone   int        // of keys, at the front
}

// quotaOwner is one owner's count.
type quotaOwner struct {
	name string
	n    int
}

// quotaKey is a live key.
type quotaKey struct {
	at    int64 // engine time
	owner *quotaOwner
}

func (q *quota) init(maxOwner, maxAll int) {
	q.maxOwner, q.maxAll, q.owners = maxOwner, maxAll, make(map[string]*quotaOwner)
}

// takeKey counts a key of owner, or refuses with engine.ErrTooManyKeys. The times of calls do not fall.
func (q *quota) takeKey(owner string, now int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	o, err := q.take(owner, now)
	if err == nil {
		q.keys = append(q.keys, quotaKey{at: now, owner: o})
	}
	return err
}

// takeProducer counts a producer of owner, or refuses with engine.ErrTooManyKeys.
func (q *quota) takeProducer(owner string, now int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, err := q.take(owner, now)
	return err
}

// take counts one more of owner. The lock is held.
func (q *quota) take(owner string, now int64) (*quotaOwner, error) {
	q.expire(now)
	o := q.owners[owner]
	if q.all >= q.maxAll || o != nil && o.n >= q.maxOwner {
		return nil, engine.ErrTooManyKeys
	}
	return q.add(owner), nil
}

// add counts one more of owner, whatever the bounds. The lock is held.
func (q *quota) add(owner string) *quotaOwner {
	o := q.owners[owner]
	if o == nil {
		o = &quotaOwner{name: owner}
		q.owners[owner] = o
	}
	o.n++
	q.all++
	return o
}

// releaseProducer takes a producer of owner back.
func (q *quota) releaseProducer(owner string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o := q.owners[owner]; o != nil {
		q.release(o)
	}
}

// release takes one of o back. The lock is held.
func (q *quota) release(o *quotaOwner) {
	q.all--
	if o.n--; o.n == 0 {
		delete(q.owners, o.name)
	}
}

// expire takes back the keys whose window is over. The lock is held.
func (q *quota) expire(now int64) {
	for q.gone < len(q.keys) && expired(q.keys[q.gone].at, now) {
		q.release(q.keys[q.gone].owner)
		q.keys[q.gone] = quotaKey{}
		q.gone++
	}
	if q.gone > len(q.keys)/2 { // which is rare enough to cost nothing
		q.keys = append([]quotaKey(nil), q.keys[q.gone:]...)
		q.gone = 0
	}
}

// expired reports whether the window of a key stored at a time is over, in engine time.
func expired(at, now int64) bool { return now-at > engine.KeyWindow.Milliseconds() }

// crowded reports whether owner, or all together, have more than half of what they may have.
func (q *quota) crowded(owner string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.owners[owner]
	return q.all > q.maxAll/2 || o != nil && o.n > q.maxOwner/2
}
