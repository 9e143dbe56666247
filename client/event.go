package client

import "github.com/wireroom/wireroom/protocol"

// Event is what happened in a room, one of
//
//	*protocol.Message    a message
//	*protocol.UserEvent  the first connection of a user came, or the last one left; or who is there has another name
//	*protocol.Presence   who is there, in place of all that was told before
//	*protocol.State      a member changed its own data
//	*protocol.Gap        messages were missed for good: reload, then go on from its Position
//	*protocol.Kicked     the client was put out of the room; nothing follows
//
// A Presence comes after each join with JoinOptions.Presence, and wherever events of presence were missed. The reader
// owns an Event.
type Event = protocol.Push

// eventSize returns roughly what e costs in memory, in bytes.
func eventSize(e Event) int {
	const plain = 200
	switch e := e.(type) {
	case *protocol.Message:
		return e.Size()
	case *protocol.UserEvent:
		return plain + memberSize(&e.Member)
	case *protocol.State:
		return plain + len(e.User) + len(e.State)
	case *protocol.Presence:
		size := plain
		for i := range e.Members {
			size += plain + memberSize(&e.Members[i])
		}
		return size
	}
	return plain
}

// memberSize returns the length of the texts of m.
func memberSize(m *protocol.Member) int { return len(m.User) + len(m.Name) + len(m.State) }

// queue holds the events of a room that wait to be read. The bounds hold for whoever asks full before push.
type queue struct {
	events    []Event
	bytes     int
	most      int
	mostBytes int
}

// full reports whether the queue takes no more.
func (q *queue) full() bool { return len(q.events) >= q.most || q.bytes >= q.mostBytes }

// halfEmpty reports whether there is room again for a page of history.
func (q *queue) halfEmpty() bool {
	return len(q.events) <= q.most/2 && q.bytes <= q.mostBytes/2
}

// push appends an event.
func (q *queue) push(e Event) {
	q.events = append(q.events, e)
	q.bytes += eventSize(e)
}

// pop removes the oldest event, or returns nil when there is none.
func (q *queue) pop() Event {
	if len(q.events) == 0 {
		return nil
	}
	e := q.events[0]
	q.events[0] = nil
	q.events = q.events[1:]
	q.bytes -= eventSize(e)
	if len(q.events) == 0 {
		q.events = nil // the memory of a burst is not kept
	}
	return e
}
