package enginetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var subscribeTests = []test{
	{name: "subscribe/FeedsOnlyWhatIsSubscribed", run: feedsOnlySubscribed},
	{name: "subscribe/FeedsNothingAfterUnsubscribe", run: feedsNothingAfterUnsubscribe},
	{name: "subscribe/FeedsEverythingStoredAfterIt", run: feedsEverythingAfterSubscribe},
	{name: "subscribe/LeavesTheLogAlone", run: subscribeLeavesTheLogAlone},
}

func feedsOnlySubscribed(f *fixture) {
	f.fill("room", 2, plenty) // before
	f.subscribe("room")
	positions := f.fill("room", 2, plenty)
	f.fill("other", 2, plenty)
	f.settle()
	fed := f.fed("room", 2)
	if len(fed) != 2 || fed[0].Position != positions[0] || fed[1].Position != positions[1] {
		f.Fatalf("fed %v, want %v", fed, positions)
	}
	if n := f.feed.count(f.name("other")); n > 0 {
		f.Fatalf("%d messages were fed of a room that is not subscribed", n)
	}
}

func feedsNothingAfterUnsubscribe(f *fixture) {
	f.engine.Unsubscribe(f.name("never"))
	f.subscribe("other")
	for i := range 3 {
		f.subscribe("room")
		f.fill("room", 1, plenty)
		f.fed("room", i+1)
		f.engine.Unsubscribe(f.name("room"))
		f.fill("room", 3, plenty)
		f.settle()
		if n := f.feed.count(f.name("room")); n != i+1 {
			f.Fatalf("%d messages were fed, want %d", n, i+1)
		}
	}
	f.fill("other", 1, plenty)
	f.fed("other", 1)
}

// Publishers go on while the room is subscribed to and unsubscribed from: what was started after Subscribe returned
// and before Unsubscribe was called is fed.
func feedsEverythingAfterSubscribe(f *fixture) {
	var end atomic.Bool
	var publishers sync.WaitGroup
	for range 2 {
		publishers.Go(func() {
			for i := 0; !end.Load(); i++ {
				p := f.publication("room", fmt.Sprint("noise", i))
				p.Retention = engine.Retention{Messages: 10}
				if _, err := f.start(p).wait(); err != nil {
					f.Errorf("publish: %v", err)
					return
				}
				if i%10 == 9 {
					time.Sleep(time.Millisecond) // a moment for the others
				}
			}
		})
	}
	defer publishers.Wait()
	defer end.Store(true)
	for i := range 20 {
		f.subscribe("room")
		marks := []protocol.Position{f.publish(f.publication("room", "mark")).Position, f.publish(f.publication("room", "mark")).Position}
		for _, mark := range marks {
			f.waitFed("room", mark)
		}
		f.engine.Unsubscribe(f.name("room"))
		if f.Failed() {
			f.Fatalf("in turn %d", i)
		}
	}
	end.Store(true)
	publishers.Wait()
	f.settle()
	fed, _ := f.feed.of(f.name("room"))
	for i := range fed[1:] {
		if fed[i+1].Position.Offset <= fed[i].Position.Offset {
			f.Fatalf("fed %v after %v", fed[i+1].Position, fed[i].Position)
		}
	}
}

// waitFed waits until the message at p has been fed; a later one may not come before it.
func (f *fixture) waitFed(room string, p protocol.Position) {
	f.Helper()
	for n := 1; ; n++ {
		fed := f.fed(room, n)
		n = len(fed)
		if fed[n-1].Position.Offset < p.Offset {
			continue
		}
		if !slices.ContainsFunc(fed, func(m protocol.Message) bool { return m.Position == p }) {
			f.Fatalf("%v was fed, but not %v", fed[n-1].Position, p)
		}
		return
	}
}

func subscribeLeavesTheLogAlone(f *fixture) {
	empty := f.head("room")
	f.subscribe("room")
	if f.head("room") != empty {
		f.Fatal("subscribing moved the head")
	}
	f.engine.Unsubscribe(f.name("room"))
	f.proven("room", empty, 0)
	f.fill("room", 2, plenty)
	f.subscribe("room")
	f.engine.Unsubscribe(f.name("room"))
	f.proven("room", empty, 2)
}
