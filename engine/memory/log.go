package memory

import (
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// entry is a message of a log.
type entry struct {
	message *protocol.Message
	at      time.Duration // when it was stored; the wall clock may jump
}

// log keeps the newest messages of a room, without a hole.
type log struct {
	entries ring[entry]
	base    protocol.Position // of the last message that left it; offset 0 before the first
	bytes   int64
}

// append keeps m, whose position is the next one. It is for the caller to trim.
func (l *log) append(m *protocol.Message, now time.Duration) {
	l.entries.push(entry{message: m, at: now})
	l.bytes += int64(m.Size())
}

// drop lets the oldest message go and returns its size. There must be one.
func (l *log) drop() int64 {
	m := l.entries.pop().message
	l.base = m.Position
	size := int64(m.Size())
	l.bytes -= size
	return size
}

// trim lets go what passes a bound.
func (l *log) trim(keep engine.Retention, now time.Duration) {
	for l.entries.n > 0 {
		small := l.entries.n <= keep.Messages && (keep.Bytes == 0 || l.bytes <= keep.Bytes)
		if small && (keep.Age == 0 || now-l.entries.at(0).at <= keep.Age) {
			return
		}
		l.drop()
	}
}

// before returns the position that the i-th message was stored after.
func (l *log) before(i int) protocol.Position {
	if i == 0 {
		return l.base
	}
	return l.entries.at(i - 1).message.Position
}

// prove reports why p cannot be proven to be a position of the log with the given head, or nothing. A kept message,
// the base and the head prove themselves.
func (l *log) prove(p, head protocol.Position) protocol.Reason {
	switch {
	case p.Epoch != head.Epoch:
		return protocol.ReasonEpoch
	case p.Offset > head.Offset:
		return protocol.ReasonDiverged
	case p.Offset < l.base.Offset:
		return protocol.ReasonExpired
	case p != l.before(int(p.Offset-l.base.Offset)):
		return protocol.ReasonDiverged
	}
	return ""
}
