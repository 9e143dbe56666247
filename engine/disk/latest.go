package disk

import (
	"container/list"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// latest says where the newest message of each event of a room is. The messages stand in latestSpace.
type latest struct {
	byEvent map[string]*list.Element
	order   list.List // of newest, oldest first
}

// newest is where the newest message of an event is.
type newest struct {
	event  string
	offset uint64
	size   uint64
}

// readLatestOf returns what the store has of a room.
func readLatestOf(src pebble.Reader, r *room) (*latest, error) {
	l := &latest{byEvent: make(map[string]*list.Element)}
	err := eachLatest(src, r.name, &r.state, 0, func(m *protocol.Message) {
		l.byEvent[m.Event] = l.order.PushBack(newest{event: m.Event, offset: m.Position.Offset, size: uint64(m.Size())})
	})
	return l, err
}

// take takes an event out and returns where its message was; ok is false when it has none.
func (l *latest) take(event string) (n newest, ok bool) {
	at := l.byEvent[event]
	if at == nil {
		return newest{}, false
	}
	delete(l.byEvent, event)
	return l.order.Remove(at).(newest), true
}

// oldest returns the event published to longest ago. There must be one.
func (l *latest) oldest() string { return l.order.Front().Value.(newest).event }

// loadLatest reads what the store has of r's newest messages per event, unless it is known.
func (c *committer) loadLatest(r *room) (err error) {
	if r.latest != nil {
		return nil
	}
	if r.latest, err = readLatestOf(c.store.db, r); err == nil {
		c.rooms.weigh(r, len(r.latest.byEvent))
	} else {
		r.latest = nil
	}
	return err
}

// putLatest keeps m, which is r's newest, in the place of its event's last one, or of the event published to longest
// ago. r.latest was loaded.
func (c *committer) putLatest(t *turn, r *room, m *protocol.Message) {
	last, replaced := r.latest.take(m.Event)
	if !replaced && len(r.latest.byEvent) == engine.MaxLatest {
		last, replaced = r.latest.take(r.latest.oldest())
	}
	if replaced {
		c.key = offsetKey(c.key[:0], latestSpace, r.name, last.offset)
		t.delete(c.key)
		r.latestBytes -= last.size
	} else {
		c.rooms.weigh(r, 1)
	}
	size := uint64(m.Size())
	r.latest.byEvent[m.Event] = r.latest.order.PushBack(newest{event: m.Event, offset: m.Position.Offset, size: size})
	r.latestBytes += size
	c.key = offsetKey(c.key[:0], latestSpace, r.name, m.Position.Offset)
	c.value = appendMessage(c.value, c.key, m, t.now, r.total)
	t.set(c.key, c.value)
}

// dropLatest lets r's newest messages per event go.
func (c *committer) dropLatest(t *turn, r *room) {
	if r.latestBytes > 0 {
		prefix := roomPrefix(nil, latestSpace, r.name)
		t.deleteRange(prefix, after(prefix))
		r.latestBytes = 0
	}
	if r.latest != nil {
		c.rooms.weigh(r, -len(r.latest.byEvent))
		r.latest = nil
	}
}
