package hub

import (
	"container/heap"
	"sync"
	"time"
)

// tickLoop does what is due now and then, until the hub is closed.
func (h *Hub) tickLoop() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-h.ctx.Done():
			return
		case now := <-ticker.C:
			second := n%int(time.Second/tickInterval) == 0
			h.tick(now, second)
			if second {
				h.comparePresence(n / int(time.Second/tickInterval))
			}
		}
	}
}

// tick ends graces and retries catch-ups; once a second it also sends summaries, closes idle rooms, and keeps the
// tails of quiet rooms within the node's bound.
func (h *Hub) tick(now time.Time, second bool) {
	h.endGraces(now)
	h.parts.forget()
	for _, m := range h.graces.takeWaiting() {
		h.CatchUp(m)
	}
	if second {
		h.kicks.expire(now)
		over := h.tailBytes.Load() > h.tailLimit*9/10
		for _, r := range h.all() {
			r.mu.Lock()
			r.presence.summary(r)
			if over {
				h.tailBytes.Add(-int64(r.shrink()))
			}
			r.mu.Unlock()
			r.closeIfIdle(now.Add(-linger))
		}
		h.compareHeads()
	}
	h.Flush()
}

// shrink drops half of the flushed entries of the tail and returns their bytes. The room is locked.
func (r *room) shrink() int {
	before := r.tail.bytes
	for r.tail.first < r.flusher.flushed && r.tail.bytes > before/2 {
		r.tail.drop()
	}
	return before - r.tail.bytes
}

func (h *Hub) endGraces(now time.Time) {
	for {
		g, ok := h.graces.due(now)
		if !ok {
			return
		}
		g.room.mu.Lock()
		g.room.presence.expire(g.room, g.user, now)
		g.room.mu.Unlock()
	}
}

// retryLater has the member catch up again with the next tick.
func (h *Hub) retryLater(m *Member) {
	h.graces.mu.Lock()
	defer h.graces.mu.Unlock()
	h.graces.waiting = append(h.graces.waiting, m)
}

// graces is what waits for the tick: users whose connection broke, by when they count as gone, and members whose
// catch-up waits for the engine.
type graces struct {
	mu      sync.Mutex
	heap    graceHeap
	waiting []*Member
}

type grace struct {
	at   time.Time
	room *room
	user string
}

func (g *graces) add(x grace) {
	g.mu.Lock()
	defer g.mu.Unlock()
	heap.Push(&g.heap, x)
}

// due takes one grace that is over.
func (g *graces) due(now time.Time) (grace, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.heap) == 0 || g.heap[0].at.After(now) {
		return grace{}, false
	}
	return heap.Pop(&g.heap).(grace), true
}

func (g *graces) takeWaiting() []*Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.waiting
	g.waiting = nil
	return waiting
}

// graceHeap implements heap.Interface, the earliest first.
type graceHeap []grace

func (g graceHeap) Len() int           { return len(g) }
func (g graceHeap) Less(i, j int) bool { return g[i].at.Before(g[j].at) }
func (g graceHeap) Swap(i, j int)      { g[i], g[j] = g[j], g[i] }
func (g *graceHeap) Push(x any)        { *g = append(*g, x.(grace)) }
func (g *graceHeap) Pop() any {
	last := len(*g) - 1
	x := (*g)[last]
	(*g)[last] = grace{}
	*g = (*g)[:last]
	return x
}
