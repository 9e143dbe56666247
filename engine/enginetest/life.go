package enginetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var lifeTests = []test{
	{name: "life/ClosedAnswersErrClosed", run: closedAnswers},
	{name: "life/FeedsNothingOnceClosed", run: feedsNothingOnceClosed},
	{name: "life/RoomOutlivesItsLastPublish", run: roomOutlivesItsLastPublish, virtual: true},
	{name: "life/RoomOutlivesItsHistory", run: roomOutlivesItsHistory, virtual: true},
	{name: "life/NoRoomHasAnEpochTwice", run: noRoomHasAnEpochTwice, virtual: true},
	{name: "life/TimeNeverFalls", run: timeNeverFalls},
}

func (f *fixture) close() {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f.engine.Close(ctx); err != nil {
		f.Fatalf("close: %v", err)
	}
}

func closedAnswers(f *fixture) {
	ctx := context.Background()
	f.subscribe("room")
	f.fill("room", 1, plenty)
	f.close()
	ephemeral := f.publication("room", "x")
	ephemeral.Ephemeral = true
	for _, p := range []*engine.Publication{f.publication("room", "x"), f.publication("new", "x"), ephemeral} {
		if r, err := f.start(p).wait(); !errors.Is(err, engine.ErrClosed) {
			f.Errorf("publish: %+v, %v", r, err)
		}
	}
	if err := f.engine.Subscribe(ctx, f.name("room")); !errors.Is(err, engine.ErrClosed) {
		f.Errorf("subscribe: %v", err)
	}
	if _, err := f.engine.Read(ctx, f.name("room"), engine.Query{}); !errors.Is(err, engine.ErrClosed) {
		f.Errorf("read: %v", err)
	}
	f.engine.Unsubscribe(f.name("room"))
	if records, ok := f.engine.(engine.Records); ok {
		err := records.PutRecord(ctx, engine.Record{Kind: f.name("kick"), Expires: time.Now().Add(time.Hour)})
		if _, err2 := records.ListRecords(ctx); !errors.Is(err, engine.ErrClosed) || !errors.Is(err2, engine.ErrClosed) {
			f.Errorf("records: %v, %v", err, err2)
		}
	}
}

func feedsNothingOnceClosed(f *fixture) {
	f.subscribe("room")
	var closed atomic.Bool
	var publishers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for after := 0; after < 10; {
				if closed.Load() {
					after++
				}
				_, err := f.start(f.publication("room", "x")).wait()
				if err != nil && !errors.Is(err, engine.ErrClosed) || err == nil && after > 0 {
					f.Errorf("publish, closed %v: %v", after > 0, err)
					return
				}
				if err != nil {
					time.Sleep(time.Millisecond) // a moment for Close
				}
			}
		})
	}
	f.fed("room", 100)
	f.close()
	fed := f.feed.count(f.name("room"))
	closed.Store(true)
	publishers.Wait()
	if after := f.feed.count(f.name("room")); after != fed {
		f.Fatalf("%d messages were fed after the engine was closed", after-fed)
	}
}

func roomOutlivesItsLastPublish(f *fixture) {
	head := f.fill("room", 3, engine.Retention{})[2]
	f.subscribe("room")
	f.engine.Unsubscribe(f.name("room"))
	time.Sleep(engine.RoomLife - time.Minute)
	f.proven("room", head, 0)
	f.fill("room", 1, engine.Retention{})
	time.Sleep(engine.RoomLife - time.Minute)
	f.unproven("room", head, protocol.ReasonExpired)
}

func roomOutlivesItsHistory(f *fixture) {
	const age = 3 * 24 * time.Hour
	head := f.fill("room", 3, engine.Retention{Messages: 10, Age: age})[2]
	time.Sleep(age + engine.RoomSlack - time.Minute)
	if page := f.proven("room", head, 0); len(f.read("room", whole).Messages) > 0 {
		f.Fatalf("messages are kept beyond their age: %+v", page)
	}
}

// A room may be forgotten once its life is over; then its epoch must not come back, or an old position could be proven
// by a log that has other messages.
func noRoomHasAnEpochTwice(f *fixture) {
	empty := f.head("room")
	heads := []protocol.Position{f.fill("room", 3, engine.Retention{})[2]}
	for range 2 {
		time.Sleep(2 * engine.RoomLife)
		now := f.head("room")
		for _, before := range heads {
			page := f.read("room", engine.Query{Since: before})
			if page.Refused == "" && before != now {
				f.Fatalf("%v is proven; the head is %v", before, now)
			}
			if now.Epoch == before.Epoch && now.Offset < before.Offset {
				f.Fatalf("the room fell from %v to %v", before, now)
			}
		}
		if page := f.read("room", engine.Query{Since: empty}); page.Refused == "" {
			f.Fatalf("the position before the first message is proven, with the head %v", page.Head)
		}
		heads = append(heads, f.fill("room", 2, engine.Retention{})...)
	}
}

func timeNeverFalls(f *fixture) {
	f.subscribe("room")
	last := int64(0)
	for i := range 50 {
		p := f.publication("room", "x")
		p.Ephemeral = i%3 == 0
		r := f.publish(p)
		if r.Time < last {
			f.Fatalf("the time fell from %d to %d", last, r.Time)
		}
		last = r.Time
	}
}
