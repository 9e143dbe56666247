package hub

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// The head of a room that had no message for a while is compared with the engine's: the loss of the last message of a
// burst is shown by nothing else. On a node with many rooms those that have been quiet for long are compared rarely.
const (
	quietBefore = 5      // seconds
	longQuiet   = 60     // seconds
	manyRooms   = 10_000 // a node
)

// quiet is since when a room has had no message; the room's lock guards it.
type quiet struct {
	head    protocol.Position // as of the last second
	seconds int
}

// due reports, once a second, whether the room's head is to be compared.
func (q *quiet) due(head protocol.Position, many bool) bool {
	if q.seconds++; head != q.head {
		q.head, q.seconds = head, 0
	}
	every := quietBefore
	if many && q.seconds > longQuiet {
		every = longQuiet
	}
	return q.seconds > 0 && q.seconds%every == 0
}

// again has the head be due with the next second, unless it moves: it could not be compared.
func (q *quiet) again() { q.seconds = max(0, q.seconds-1) }

// heads is the comparisons under way: at most one of quiet rooms, and one of all.
type heads struct {
	busy          atomic.Bool
	interruptions atomic.Int64 // that were not followed by a comparison of all rooms yet
}

// compareHeads compares, once a second, the heads of rooms that became quiet with those of an engine that may lose what
// it feeds. While an earlier comparison waits for the engine there is no other one.
func (h *Hub) compareHeads() {
	if h.inline || mutNoTail || !h.heads.busy.CompareAndSwap(false, true) {
		return
	}
	rooms := h.all()
	many := len(rooms) > manyRooms
	rooms = slices.DeleteFunc(rooms, func(r *room) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.early != nil || !r.quiet.due(r.tail.head, many)
	})
	h.background(func() {
		defer h.heads.busy.Store(false)
		if h.compare(rooms, false) != nil {
			for _, r := range rooms {
				r.mu.Lock()
				r.quiet.again()
				r.mu.Unlock()
			}
		}
	})
}

// Interrupted implements engine.Feed: it compares every room's head with the engine's, until the engine has answered.
func (h *Hub) Interrupted() {
	if l := h.listener.Load(); l != nil {
		(*l).Interrupted()
	}
	if mutNoVerify || h.heads.interruptions.Add(1) > 1 {
		return // the comparison under way begins anew
	}
	h.background(func() {
		for seen := h.heads.interruptions.Load(); h.ctx.Err() == nil; seen = h.heads.interruptions.Load() {
			if err := h.compareAll(); err != nil {
				h.warn("rooms wait to be compared with the engine", "error", err)
				h.sleep(repairDelay)
			} else if h.heads.interruptions.CompareAndSwap(seen, 0) {
				return
			}
		}
	})
}

// compareAll compares the heads of all rooms; of those that are being opened, once they are.
func (h *Hub) compareAll() error {
	var opened, opening []*room
	for _, r := range h.all() {
		select {
		case <-r.opened:
			opened = append(opened, r)
		default:
			opening = append(opening, r)
		}
	}
	err := h.compare(opened, true)
	for _, r := range opening {
		select {
		case <-r.opened:
		case <-h.ctx.Done():
			return h.ctx.Err()
		}
	}
	return errors.Join(err, h.compare(opening, true), h.compareVersions(append(opened, opening...)))
}

// compare compares the heads of rooms with the engine's and repairs the rooms of which messages are missing: with all,
// each that has not come to the engine's head; otherwise only those that also stood still meanwhile, since what they
// miss may be on its way.
func (h *Hub) compare(rooms []*room, all bool) error {
	var failed error
	for part := range slices.Chunk(rooms, engine.MaxHeads) {
		before, names := make([]protocol.Position, len(part)), make([]string, len(part))
		for i, r := range part {
			r.mu.Lock()
			before[i], names[i] = r.tail.head, r.name
			r.mu.Unlock()
		}
		heads, err := h.readHeads(names)
		failed = errors.Join(failed, err)
		for i, head := range heads {
			part[i].compareHead(head, before[i], all)
		}
	}
	return failed
}

// readHeads returns the engine's heads of rooms, zero where one cannot be read; with an error they are to be read again.
func (h *Hub) readHeads(names []string) ([]protocol.Position, error) {
	if many, ok := h.engine.(engine.Heads); ok {
		return many.Heads(h.ctx, names)
	}
	var failed error
	heads := make([]protocol.Position, len(names))
	for i, name := range names {
		page, err := h.engine.Read(h.ctx, name, engine.Query{})
		if err != nil {
			failed = err
			continue
		}
		heads[i] = page.Head
	}
	return heads, failed
}

// compareHead repairs the room if messages up to the engine's head are missing, or if the engine has lost some that the
// room had before it was asked.
func (r *room) compareHead(head, before protocol.Position, all bool) {
	r.mu.Lock()
	_, there := r.tail.after(head)
	there = there && (head.Epoch != before.Epoch || head.Offset >= before.Offset)
	if mutNoEpoch || mutNoCheck && head.Epoch == r.tail.head.Epoch {
		there = head.Offset <= r.tail.head.Offset
	}
	lost := r.early == nil && !r.dead && !head.IsZero() && !there && (all || r.tail.head == before)
	if lost {
		r.early = []*protocol.Message{}
	}
	r.mu.Unlock()
	if lost {
		r.hub.background(r.repair)
	}
}
