package hub

import (
	"bytes"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of a tail.
const (
	maxTailEntries = 1024
	maxTailBytes   = 1 << 20
	minTailEntries = 8 // a tail's first allocation
)

// entry is what a room's tail holds: a stored message, an ephemeral one, a presence or a state event, a gap. It is
// immutable but for its frames, which are made once on first need, outside of the room's lock.
type entry struct {
	push     protocol.Push
	upTo     protocol.Position // of the newest stored message up to this entry
	stored   bool              // upTo is this entry's own position
	presence bool              // only for members that asked for presence
	exclude  string            // the client that does not get it
	bytes    int               // what the entry costs, roughly
	frames   atomic.Pointer[framed]
	begun    atomic.Bool // first is somebody's
	first    framed      // most rooms have one framing
}

// framed is an entry in one framing.
type framed struct {
	framing Framing
	bytes   []byte
	next    *framed
}

// frame returns the entry in framing f.
func (e *entry) frame(f Framing) []byte {
	for {
		head := e.frames.Load()
		for n := head; n != nil; n = n.next {
			if n.framing == f {
				return n.bytes
			}
		}
		n := &e.first
		if !e.begun.CompareAndSwap(false, true) {
			n = new(framed)
		}
		*n = framed{framing: f, bytes: encode(f, e.push), next: head}
		if e.frames.CompareAndSwap(head, n) {
			return n.bytes
		}
	}
}

// encode returns p in framing f, in memory of its size: frames stay as long as their entries.
func encode(f Framing, p protocol.Push) []byte {
	b := scratches.Get().(*scratch)
	defer scratches.Put(b)
	b.bytes = f.AppendFrame(b.bytes[:0], p)
	return bytes.Clone(b.bytes)
}

// scratch is memory for frames while they are made or sent.
type scratch struct{ bytes []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// tail is the newest part of a room as this node saw it: a ring of entries, numbered by a sequence of this node.
// The room's lock guards it.
type tail struct {
	ring  []*entry          // its length is a power of two
	first uint64            // sequence of the oldest entry held
	next  uint64            // sequence that the next entry gets
	base  protocol.Position // of the newest stored message before first
	head  protocol.Position // of the newest stored message
	bytes int
}

// at returns the entry with a sequence in [first, next).
func (t *tail) at(seq uint64) *entry { return t.ring[seq&uint64(len(t.ring)-1)] }

// append adds e, which gets the sequence next, and drops what passes the bounds. It returns by how much bytes rose.
func (t *tail) append(e *entry) int {
	before := t.bytes
	if e.stored {
		t.head = e.upTo
	} else {
		e.upTo = t.head
	}
	if n := int(t.next - t.first); n == len(t.ring) {
		t.grow(n)
	}
	t.ring[t.next&uint64(len(t.ring)-1)] = e
	t.next++
	t.bytes += e.bytes
	for t.next-t.first > 1 && (t.next-t.first > maxTailEntries || t.bytes > maxTailBytes) {
		t.drop()
	}
	return t.bytes - before
}

// grow makes room for at least one entry more than n; a full ring of the largest size loses its oldest entry.
func (t *tail) grow(n int) {
	if n == maxTailEntries {
		t.drop()
		return
	}
	ring := make([]*entry, max(minTailEntries, 2*n))
	for seq := t.first; seq < t.next; seq++ {
		ring[seq&uint64(len(ring)-1)] = t.at(seq)
	}
	t.ring = ring
}

// drop forgets the oldest entry.
func (t *tail) drop() {
	e := t.at(t.first)
	t.ring[t.first&uint64(len(t.ring)-1)] = nil
	t.first++
	t.base = e.upTo
	t.bytes -= e.bytes
}

// reset forgets all entries; the log goes on after head.
func (t *tail) reset(head protocol.Position) {
	*t = tail{first: t.next, next: t.next, base: head, head: head}
}

// after returns the sequence of the first entry after the stored message at p, if the tail proves p.
func (t *tail) after(p protocol.Position) (seq uint64, proven bool) {
	if p == t.head {
		return t.lastStored() + 1, true
	}
	if p == t.base {
		return t.first, true
	}
	if p.Epoch != t.head.Epoch || p.Offset < t.base.Offset || p.Offset > t.head.Offset {
		return 0, false
	}
	n := int(t.next - t.first)
	i := sort.Search(n, func(i int) bool { return t.at(t.first+uint64(i)).upTo.Offset >= p.Offset })
	if i == n || t.at(t.first+uint64(i)).upTo != p {
		return 0, false
	}
	return t.first + uint64(i) + 1, true
}

// stored returns how many stored messages the tail holds from seq on, and whether all of them are within what the room
// keeps: the tail may reach further back than the log. now is in Unix milliseconds.
func (t *tail) stored(seq uint64, keep engine.Retention, now int64) (n int, kept bool) {
	var size int64
	kept = true
	for ; seq < t.next; seq++ {
		m, ok := t.at(seq).push.(*protocol.Message)
		if !ok || !t.at(seq).stored {
			continue
		}
		n++
		size += int64(m.Size())
		kept = kept && (keep.Age == 0 || now-m.Time <= keep.Age.Milliseconds())
	}
	return n, kept && n <= keep.Messages && (keep.Bytes == 0 || size <= keep.Bytes)
}

// lastStored returns the sequence of the newest stored entry, or first - 1 when the tail holds none.
func (t *tail) lastStored() uint64 {
	seq := t.next
	for seq > t.first && !t.at(seq-1).stored {
		seq--
	}
	return seq - 1
}

// contradicts reports whether the tail knows another message at p's offset.
func (t *tail) contradicts(p protocol.Position) bool {
	if p.Epoch != t.head.Epoch && !mutNoEpoch {
		return true
	}
	if p.Offset < t.base.Offset || p.Offset > t.head.Offset || mutNoEpoch || mutNoCheck {
		return false
	}
	_, proven := t.after(p)
	return !proven
}

// run appends the entries from seq on that a single write carries: at most maxRunBytes, at least one.
func (t *tail) run(entries []*entry, seq uint64) []*entry {
	size, end := 0, seq
	for end < t.next {
		size += t.at(end).bytes
		if end > seq && size > maxRunBytes {
			break
		}
		end++
	}
	for ; seq < end; seq++ {
		entries = append(entries, t.at(seq))
	}
	return entries
}
