package hub

import (
	"sync"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/protocol"
)

// batch is a run of entries that members get in one write.
type batch struct {
	from     uint64            // sequence of the first entry
	before   protocol.Position // of the newest stored message before it
	entries  []*entry
	presence bool   // some entries are only for members that asked for presence
	exclude  bool   // some entries are not for one client
	older    []bool // by entry: a newer one takes its place; nil where none does
}

// look notes what the batch's entries ask for.
func (b *batch) look() {
	for _, e := range b.entries {
		b.presence = b.presence || e.presence
		b.exclude = b.exclude || e.exclude != ""
	}
}

// conflate leaves out messages that a newer one of the same event follows, for rooms in which it takes their place.
func (b *batch) conflate() {
	if len(b.entries) < 2 {
		return
	}
	newer := make(map[string]bool)
	for i := len(b.entries) - 1; i >= 0; i-- {
		m, ok := b.entries[i].push.(*protocol.Message)
		if !ok || !b.entries[i].stored {
			continue
		}
		if newer[m.Event] && b.older == nil {
			b.older = make([]bool, len(b.entries))
		}
		if newer[m.Event] {
			b.older[i] = true
		}
		newer[m.Event] = true
	}
}

// to returns the sequence behind the last entry.
func (b *batch) to() uint64 { return b.from + uint64(len(b.entries)) }

// positionAt returns the position of the newest stored message before a sequence in [from, to].
func (b *batch) positionAt(seq uint64) protocol.Position {
	if seq <= b.from {
		return b.before
	}
	return b.entries[seq-b.from-1].upTo
}

// goesTo reports whether a member, which wants presence or not, gets the i-th entry.
func (b *batch) goesTo(m *Member, presence bool, i uint64) bool {
	return m.wants(b.entries[i], presence) && (b.older == nil || !b.older[i])
}

// appendFrames appends the entries from the member's cursor on that it gets, as frames.
func (b *batch) appendFrames(out []byte, m *Member, presence bool) []byte {
	framing := m.receiver.Framing()
	for i := max(m.cursor, b.from) - b.from; i < uint64(len(b.entries)); i++ {
		if b.goesTo(m, presence, i) {
			out = append(out, b.entries[i].frame(framing)...)
		}
	}
	return out
}

// frameCache holds what most members of a batch get: the same bytes. It is the conn.Cutter of what it returned last.
type frameCache struct {
	framing  Framing
	presence bool
	common   *scratch // nil while it holds nothing
	own      *scratch // for those that get something else

	// Of the delivery under way:
	batch   *batch
	member  *Member
	asked   bool   // the member gets presence
	reached uint64 // the next entry for the member, once it took what it was given
}

var frameCaches = sync.Pool{New: func() any { return new(frameCache) }}

// deliver hands m what it gets of b. Where that was Sent or Kept, it goes up to reached.
func (c *frameCache) deliver(b *batch, m *Member) conn.Outcome {
	c.batch, c.member, c.reached = b, m, b.to()
	return m.receiver.Deliver(conn.Frames{Bytes: c.frames(b, m), Cut: c}, &m.gone)
}

// Cut implements conn.Cutter.
func (c *frameCache) Cut(n int) []byte {
	b, m := c.batch, c.member
	framing := m.receiver.Framing()
	for i := max(m.cursor, b.from) - b.from; i < uint64(len(b.entries)); i++ {
		if !b.goesTo(m, c.asked, i) {
			continue
		}
		frame := b.entries[i].frame(framing)
		if n == 0 {
			c.reached = b.from + i
			return nil
		}
		if n < len(frame) {
			c.reached = b.from + i + 1
			return frame[n:]
		}
		n -= len(frame)
	}
	return nil
}

// frames returns what m gets of b, until the next call.
func (c *frameCache) frames(b *batch, m *Member) []byte {
	framing := m.receiver.Framing()
	if m.cursor != b.from || b.exclude {
		return c.one(b, m)
	}
	if !b.presence && len(b.entries) == 1 {
		return b.entries[0].frame(framing)
	}
	full := c.common != nil
	if !full {
		c.common = scratches.Get().(*scratch)
	}
	c.asked = m.presence.Load()
	if !full || c.framing != framing || b.presence && c.presence != c.asked {
		c.framing, c.presence = framing, c.asked
		c.common.bytes = b.appendFrames(c.common.bytes[:0], m, c.asked)
	}
	return c.common.bytes
}

// one returns what m alone gets of b.
func (c *frameCache) one(b *batch, m *Member) []byte {
	if c.own == nil {
		c.own = scratches.Get().(*scratch)
	}
	c.asked = m.presence.Load()
	c.own.bytes = b.appendFrames(c.own.bytes[:0], m, c.asked)
	return c.own.bytes
}

// release gives the cache back, and its memory.
func (c *frameCache) release() {
	if c.common != nil {
		scratches.Put(c.common)
	}
	if c.own != nil {
		scratches.Put(c.own)
	}
	*c = frameCache{}
	frameCaches.Put(c)
}
