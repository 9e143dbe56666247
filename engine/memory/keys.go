package memory

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// keys remembers the publishes with an idempotency key for engine.KeyWindow each, whatever becomes of the log.
type keys struct {
	seed   maphash.Seed
	quota  *quota
	shards [shards]keyShard
}

// keyShard is a part of the keys; those of one owner are in one.
type keyShard struct {
	mu    sync.Mutex
	live  map[scope]*keyRecord
	queue ring[*keyRecord] // of live, oldest first
}

// scope is where a key is unique.
type scope struct{ owner, room, key string }

type keyRecord struct {
	scope   scope
	receipt engine.Receipt
	stored  time.Duration
}

func (k *keys) init(q *quota) {
	k.seed, k.quota = maphash.MakeSeed(), q
	for i := range k.shards {
		k.shards[i].live = make(map[scope]*keyRecord)
	}
}

// once returns receipt when at's key is new, and remembers it; otherwise what the first publish with it got.
func (k *keys) once(at scope, receipt engine.Receipt, now time.Duration) (engine.Receipt, error) {
	s := &k.shards[maphash.String(k.seed, at.owner)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now, k.quota)
	if first, ok := s.known(at); ok {
		return first, nil
	}
	if err := k.quota.take(at.owner); err != nil {
		return engine.Receipt{}, err
	}
	record := &keyRecord{scope: at, receipt: receipt, stored: now}
	s.live[at] = record
	s.queue.push(record)
	return receipt, nil
}

// known returns what the first publish with at's key got, if there was one.
func (k *keys) known(at scope, now time.Duration) (receipt engine.Receipt, ok bool) {
	s := &k.shards[maphash.String(k.seed, at.owner)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now, k.quota)
	return s.known(at)
}

// known is keys.known for the keys of a shard, which is locked.
func (s *keyShard) known(at scope) (receipt engine.Receipt, ok bool) {
	record := s.live[at]
	if record == nil {
		return receipt, false
	}
	receipt = record.receipt
	receipt.Duplicate = true
	return receipt, true
}

// expire lets go the keys whose window is over.
func (k *keys) expire(now time.Duration) {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		s.expire(now, k.quota)
		s.mu.Unlock()
	}
}

// shrink gives back memory that is no longer needed.
func (k *keys) shrink() {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		s.queue.shrink()
		if len(s.live) == 0 {
			s.live = make(map[scope]*keyRecord) // a map never shrinks by itself
		}
		s.mu.Unlock()
	}
}

// expire lets go the shard's keys whose window is over. The shard's lock is held.
func (s *keyShard) expire(now time.Duration, q *quota) {
	for s.queue.n > 0 && now-(*s.queue.at(0)).stored > engine.KeyWindow {
		known := s.queue.pop()
		delete(s.live, known.scope)
		q.release(known.scope.owner)
	}
}
