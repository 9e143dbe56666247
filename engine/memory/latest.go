package memory

import (
	"container/list"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// latest keeps the newest message per event of a room, at most engine.MaxLatest of them.
type latest struct {
	byEvent map[string]*list.Element
	order   list.List // of *protocol.Message, oldest first
	bytes   int64
}

func newLatest() *latest { return &latest{byEvent: make(map[string]*list.Element)} }

// put keeps m in the place of its event's last one, or of the event published to longest ago.
func (l *latest) put(m *protocol.Message) {
	at := l.byEvent[m.Event]
	if at == nil {
		if l.order.Len() == engine.MaxLatest {
			l.drop()
		}
		l.byEvent[m.Event] = l.order.PushBack(m)
		l.bytes += int64(m.Size())
		return
	}
	l.bytes += int64(m.Size() - at.Value.(*protocol.Message).Size())
	at.Value = m
	l.order.MoveToBack(at)
}

// drop lets the oldest one go.
func (l *latest) drop() {
	m := l.order.Remove(l.order.Front()).(*protocol.Message)
	delete(l.byEvent, m.Event)
	l.bytes -= int64(m.Size())
}

// after returns those with an offset above the given one, ascending. A nil latest has none.
func (l *latest) after(offset uint64) []*protocol.Message {
	if l == nil {
		return nil
	}
	messages := make([]*protocol.Message, 0, l.order.Len())
	for at := l.order.Front(); at != nil; at = at.Next() {
		if m := at.Value.(*protocol.Message); m.Position.Offset > offset {
			messages = append(messages, m)
		}
	}
	return messages
}
