package enginetest

import (
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// feed remembers what an engine feeds, as it was at that moment.
type feed struct {
	mu      sync.Mutex
	rooms   map[string][]protocol.Message
	changed chan struct{} // closed when something was fed, and replaced
}

func newFeed() *feed {
	return &feed{rooms: make(map[string][]protocol.Message), changed: make(chan struct{})}
}

// Deliver implements engine.Feed.
func (f *feed) Deliver(m *protocol.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms[m.Room] = append(f.rooms[m.Room], *m)
	close(f.changed)
	f.changed = make(chan struct{})
}

// Flush implements engine.Feed.
func (f *feed) Flush() {}

// Interrupted implements engine.Feed.
func (f *feed) Interrupted() {}

// of returns what was fed of a room until now, and a channel that is closed when there is more.
func (f *feed) of(room string) ([]protocol.Message, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fed := f.rooms[room]
	return fed[:len(fed):len(fed)], f.changed
}

// count returns how many messages of a room were fed until now.
func (f *feed) count(room string) int {
	messages, _ := f.of(room)
	return len(messages)
}

// wait waits for n messages of a room and returns all that were fed; it reports whether there were so many in time.
func (f *feed) wait(room string, n int) ([]protocol.Message, bool) {
	deadline := time.After(patience)
	for {
		messages, changed := f.of(room)
		if len(messages) >= n {
			return messages, true
		}
		select {
		case <-changed:
		case <-deadline:
			return messages, false
		}
	}
}
