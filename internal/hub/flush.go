package hub

import (
	"runtime"
	"sync"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

const (
	chunkMembers = 256  // copied under one hold of the room's lock
	sharedFlush  = 2000 // members from which on a flush is shared out
)

// flusher is the state of a room's delivery to its live members; the room's lock guards it. There is one flush of a
// room at a time; a publisher that comes meanwhile only appends.
type flusher struct {
	asked    bool // the room waits in the hub's dirty list, or for its flush interval
	active   bool
	holes    int               // nil members, closed when the flush ends
	position protocol.Position // of the newest stored message before the first entry not flushed yet
	flushed  uint64            // sequence of the first entry not flushed yet
	batch    batch             // what is being delivered
	ahead    []ahead           // live members whose cursor was behind flushed from the start
}

// ahead is where a member stood that went live while entries before its cursor were still to be flushed.
type ahead struct {
	member   *Member
	position protocol.Position // of the newest stored message before its cursor
}

// goLive notes that m stands at the end of the tail and is delivered to by the flusher. The room is locked.
func (r *room) goLive(m *Member) {
	m.cursor, m.lag = r.tail.next, nil
	if f := &r.flusher; f.flushed != r.tail.next {
		f.ahead = append(f.ahead, ahead{m, r.tail.head})
	}
}

// ask sees to it that the room is flushed. The room is locked.
func (f *flusher) ask(r *room) {
	if f.asked {
		return
	}
	f.asked = true
	if r.rule().FlushInterval > 0 {
		time.AfterFunc(r.rule().FlushInterval, r.flush)
		return
	}
	r.hub.dirty.add(r)
}

// flush delivers what was appended to the live members, in as few writes as it takes.
func (r *room) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.flusher
	f.asked = false
	if f.active {
		return
	}
	f.active = true
	for f.flushed != r.tail.next {
		if f.flushed < r.tail.first {
			r.leaveBehind()
			continue
		}
		b := &f.batch
		*b = batch{from: f.flushed, before: f.position, entries: r.tail.run(b.entries[:0], f.flushed)}
		b.look()
		if r.latest() {
			b.conflate()
			r.replaced(b)
		}
		began := r.hub.flushing()
		r.deliver(b)
		r.trace(b, began)
		f.flushed = b.to()
		f.position = b.positionAt(f.flushed)
		clear(b.entries)
	}
	f.active, f.ahead = false, nil
	if f.holes > 0 {
		r.closeHoles()
	}
}

// deliver hands b to the live members. The room is locked, but not while anything is written.
func (r *room) deliver(b *batch) {
	n := len(r.members)
	r.mu.Unlock()
	defer r.mu.Lock()
	if n > sharedFlush {
		r.share(b, n)
		return
	}
	var next chunkIndex
	r.deliverChunks(b, &next)
}

// share hands b to n live members from several goroutines.
func (r *room) share(b *batch, n int) {
	var helpers sync.WaitGroup
	var next chunkIndex
	for range min(runtime.GOMAXPROCS(0)-1, n/(sharedFlush/2)) {
		helpers.Go(func() { r.deliverChunks(b, &next) })
	}
	r.deliverChunks(b, &next)
	helpers.Wait()
}

// chunkIndex is where the next chunk of members begins; the room's lock guards it.
type chunkIndex int

// deliverChunks writes b to chunks of members until there are none left.
func (r *room) deliverChunks(b *batch, next *chunkIndex) {
	var chunk [chunkMembers]*Member
	cache := frameCaches.Get().(*frameCache)
	defer cache.release()
	for {
		n, more := r.takeChunk(b, next, &chunk)
		blocked, sent := 0, uint64(0)
		for _, m := range chunk[:n] {
			outcome := cache.deliver(b, m)
			if outcome == conn.Sent || outcome == conn.Kept {
				sent += cache.reached - b.from
				m.cursor = cache.reached
			}
			if outcome == conn.Blocked || outcome == conn.Kept && m.cursor != b.to() {
				chunk[blocked] = m
				blocked++
			}
		}
		r.hub.metrics.Add(metrics.Deliveries, int64(sent))
		r.fallBehind(b, chunk[:blocked])
		if !more {
			return
		}
	}
}

// takeChunk copies the next live members that b is for.
func (r *room) takeChunk(b *batch, next *chunkIndex, chunk *[chunkMembers]*Member) (n int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := int(*next)
	for ; i < len(r.members) && n < len(chunk); i++ {
		m := r.members[i]
		if m == nil || m.lag != nil || m.cursor >= b.to() {
			continue
		}
		chunk[n] = m
		n++
	}
	*next = chunkIndex(i)
	return n, i < len(r.members)
}

// fallBehind gives a lag to members whose socket took less than b. The socket may have drained in between without anybody
// to tell, so each is asked once more.
func (r *room) fallBehind(b *batch, members []*Member) {
	if len(members) == 0 {
		return
	}
	r.hub.metrics.Add(metrics.FellBehind, int64(len(members)))
	now := time.Now().UnixMilli()
	r.mu.Lock()
	for _, m := range members {
		if !m.gone.Load() {
			at := b.positionAt(m.cursor)
			m.lag = &lag{position: at, inTail: !r.latest(), since: now, from: at}
		}
	}
	r.mu.Unlock()
	for _, m := range members {
		if m.receiver.Ready() {
			r.hub.CatchUp(m)
		}
	}
}

// leaveBehind makes every live member catch up from the log: the tail lost entries before they were flushed. The room
// is locked.
func (r *room) leaveBehind() {
	f := &r.flusher
	positions := make(map[*Member]protocol.Position)
	for _, a := range f.ahead {
		positions[a.member] = a.position
	}
	var late []*Member
	now := time.Now().UnixMilli()
	for _, m := range r.members {
		if m == nil || m.lag != nil || m.cursor >= r.tail.first {
			continue
		}
		m.lag = &lag{position: f.position, passed: true, since: now, from: f.position}
		if m.cursor > f.flushed {
			m.lag.position, m.lag.from = positions[m], positions[m]
		}
		late = append(late, m)
	}
	f.flushed, f.position = r.tail.first, r.tail.base
	if len(late) == 0 {
		return
	}
	r.hub.background(func() {
		for _, m := range late {
			r.hub.CatchUp(m)
		}
	})
}

// closeHoles moves the members together after a flush. The room is locked.
func (r *room) closeHoles() {
	kept := r.members[:0]
	for _, m := range r.members {
		if m != nil {
			m.index = int32(len(kept))
			kept = append(kept, m)
		}
	}
	clear(r.members[len(kept):])
	r.members = kept
	r.flusher.holes = 0
}
