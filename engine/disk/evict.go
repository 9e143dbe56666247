package disk

import (
	"container/heap"

	"github.com/cockroachdb/pebble/v2"
)

// Where Options.MaxBytes is set, rooms lose their messages from crowdedAt on, until no more than evictTo is left, in
// sixteenths.
const (
	crowdedAt = 15
	evictTo   = 14
)

// candidate is a room that could lose its messages.
type candidate struct {
	room  string
	used  int64
	bytes int64
}

// candidates is a heap of rooms, the one used last at the top.
type candidates []candidate

func (h candidates) Len() int           { return len(h) }
func (h candidates) Less(i, j int) bool { return h[i].used > h[j].used }
func (h candidates) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *candidates) Push(x any)        { *h = append(*h, x.(candidate)) }
func (h *candidates) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// checkCrowded asks for a sweep when too much is kept.
func (c *committer) checkCrowded() {
	if c.options.MaxBytes > 0 && c.journal.bytes > c.options.MaxBytes/16*crowdedAt {
		select {
		case c.crowded <- struct{}{}:
		default:
		}
	}
}

// evict lets the rooms lose their messages that were published to longest ago, when too much is kept.
func (s *sweeper) evict(src pebble.Reader, _ int64) error {
	most := s.options.MaxBytes
	if most <= 0 {
		return nil
	}
	var over int64
	err := s.ask(func(c *committer, _ *turn) error {
		if c.journal.bytes > most/16*crowdedAt {
			over = c.journal.bytes - most/16*evictTo
		}
		return nil
	})
	if err != nil || over <= 0 {
		return err
	}
	oldest, err := oldestRooms(src, over)
	if err != nil {
		return err
	}
	used := make(map[string]int64, len(oldest))
	names := make([]string, len(oldest))
	for i, o := range oldest {
		used[o.room], names[i] = o.used, o.room
	}
	return s.askEach(names, func(c *committer, t *turn, room string) error {
		r, err := c.hold(room)
		if err == nil && r.used == used[room] {
			c.cut(t, r, r.head, r.total)
		}
		return err
	})
}

// oldestRooms returns the rooms used longest ago whose messages are of so many bytes together.
func oldestRooms(src pebble.Reader, bytes int64) (candidates, error) {
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: []byte{roomSpace}, UpperBound: []byte{roomSpace + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = iter.Close() }() // what went wrong is in iter.Error
	var oldest candidates
	var sum int64
	for valid := iter.First(); valid; valid = iter.Next() {
		record, err := iter.ValueAndErr()
		if err != nil {
			return nil, err
		}
		room, _, _ := cutText(iter.Key()[1:])
		r, err := decodeState(iter.Key(), record)
		if err != nil || r.empty() {
			continue // a damaged one has nothing to be counted
		}
		kept := int64(r.total - r.floorTotal)
		heap.Push(&oldest, candidate{room: room, used: r.used, bytes: kept})
		for sum += kept; sum-oldest[0].bytes >= bytes; {
			sum -= heap.Pop(&oldest).(candidate).bytes
		}
	}
	return oldest, iter.Error()
}
