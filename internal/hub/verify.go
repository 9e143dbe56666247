package hub

import (
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// quietBefore is after how many seconds without a message a room's head is compared with the engine's: the loss of the
// last message of a burst is shown by nothing else.
const quietBefore = 5

// quiet is since when a room has had no message; the room's lock guards it.
type quiet struct {
	head    protocol.Position // as of the last second
	seconds int
}

// due reports, once a second, whether the room's head is to be compared.
func (q *quiet) due(head protocol.Position) bool {
	if q.seconds++; head != q.head {
		q.head, q.seconds = head, 0
	}
	return q.seconds > 0 && q.seconds%quietBefore == 0
}

// heads is the one comparison of quiet rooms that is under way.
type heads struct{ busy atomic.Bool }

// compareHeads compares, once a second, the heads of rooms that became quiet with those of an engine that may lose what
// it feeds. While an earlier comparison waits for the engine there is no other one.
func (h *Hub) compareHeads() {
	if h.inline || !h.heads.busy.CompareAndSwap(false, true) {
		return
	}
	var due []*room
	for _, r := range h.all() {
		r.mu.Lock()
		if r.early == nil && r.quiet.due(r.tail.head) {
			due = append(due, r)
		}
		r.mu.Unlock()
	}
	h.background(func() {
		defer h.heads.busy.Store(false)
		for _, r := range due {
			if h.ctx.Err() != nil {
				return
			}
			r.compareHead()
		}
	})
}

// compareHead repairs the room if the engine has another head than a tail that stood still meanwhile.
func (r *room) compareHead() {
	r.mu.Lock()
	head := r.tail.head
	r.mu.Unlock()
	page, err := r.hub.engine.Read(r.hub.ctx, r.name, engine.Query{})
	if err != nil {
		return // the engine cannot be asked; it is asked again when the room has been quiet for as long again
	}
	r.mu.Lock()
	lost := r.early == nil && r.tail.head == head && page.Head != head
	if lost {
		r.early = []*protocol.Message{}
	}
	r.mu.Unlock()
	if lost {
		r.hub.background(r.repair)
	}
}

// verify compares the tail's head with the engine's and repairs the difference.
func (r *room) verify() {
	select {
	case <-r.opened:
	case <-r.hub.ctx.Done():
		return
	}
	r.mu.Lock()
	busy := r.early != nil || r.openErr != nil
	if !busy {
		r.early = []*protocol.Message{}
	}
	r.mu.Unlock()
	if !busy {
		r.repair()
	}
}
