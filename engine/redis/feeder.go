package redis

import (
	"maps"
	"slices"
	"sync"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// maxFed bounds what has come from the servers and is not handed over yet, in bytes. What comes beyond it is dropped,
// and the feed is told.
const maxFed = 64 << 20

// feeder hands over what the servers published. A client's callback only queues: it must not wait.
type feeder struct {
	engine *Engine
	feed   engine.Feed
	wake   chan struct{}

	mu    sync.Mutex
	queue []fed
	bytes int
	lost  bool
	rooms map[string]*subscription // by name
}

// subscription is a room's from Subscribe to Unsubscribe. What was published before the server has confirmed it, or for
// one before, is not fed.
type subscription struct{ confirmed bool }

// fed is what a server published.
type fed struct {
	room string
	text string
	to   *subscription
}

func (f *feeder) init(e *Engine, feed engine.Feed) {
	f.engine, f.feed = e, feed
	f.wake = make(chan struct{}, 1)
	f.rooms = make(map[string]*subscription)
}

// push queues a message. It is a client's callback.
func (f *feeder) push(m rueidis.PubSubMessage) {
	room, ok := f.engine.names.roomOf(m.Channel)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	to := f.rooms[room]
	if to == nil || !to.confirmed {
		return
	}
	if f.bytes += len(m.Message); f.bytes > maxFed {
		f.bytes -= len(m.Message)
		f.lost = true
	} else {
		f.queue = append(f.queue, fed{room, m.Message, to})
	}
	f.stir()
}

// confirm notes that a server feeds a channel from now on. It is a client's callback.
func (f *feeder) confirm(channel string) {
	room, _ := f.engine.names.roomOf(channel)
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.rooms[room]; s != nil {
		s.confirmed = true
	}
}

// interrupted notes that messages may have been lost.
func (f *feeder) interrupted() {
	f.mu.Lock()
	f.lost = true
	f.mu.Unlock()
	f.stir()
}

func (f *feeder) stir() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// add begins a subscription.
func (f *feeder) add(room string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms[room] = new(subscription)
}

// remove ends one.
func (f *feeder) remove(room string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rooms, room)
}

// wants reports whether a room is subscribed.
func (f *feeder) wants(room string) bool { return f.current(room) != nil }

func (f *feeder) current(room string) *subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rooms[room]
}

// wanted returns the rooms that are subscribed.
func (f *feeder) wanted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.rooms))
}

// run hands over until the engine is closed.
func (f *feeder) run() {
	for {
		select {
		case <-f.wake:
		case <-f.engine.ctx.Done():
			return
		}
		f.mu.Lock()
		queue, lost := f.queue, f.lost
		f.queue, f.bytes, f.lost = nil, 0, false
		f.mu.Unlock()
		for _, m := range queue {
			f.deliver(m)
		}
		if len(queue) > 0 {
			f.feed.Flush()
		}
		if lost {
			f.feed.Interrupted()
		}
	}
}

// deliver hands one message over, if its room is still subscribed.
func (f *feeder) deliver(m fed) {
	if f.engine.ctx.Err() != nil || f.current(m.room) != m.to {
		return
	}
	if err := f.read(m.room, m.text); err != nil {
		f.engine.options.Logger.Warn("what another node published cannot be read", "room", m.room, "error", err)
	}
}

// read hands over what was published in a room.
func (f *feeder) read(room, text string) error {
	switch {
	case room == recordsRoom:
		return f.readRecord(text)
	case isNote(text):
		return f.readNote(room, text)
	}
	message, err := decodeMessage(room, text)
	if err != nil {
		return err
	}
	f.feed.Deliver(message)
	return nil
}
