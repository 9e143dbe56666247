package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var publishTests = []test{
	{name: "publish/FeedsInTheOrderOfTheLog", run: feedsInTheOrderOfTheLog},
	{name: "publish/KeepsTheOrderOfOneGoroutine", run: keepsTheOrderOfOneGoroutine},
	{name: "publish/SetsIDPositionAndTimeAndNothingElse", run: setsIDPositionAndTime},
	{name: "publish/FeedsWhatIsCommitted", run: feedsWhatIsCommitted},
	{name: "publish/NumbersEachRoomByItself", run: numbersEachRoomByItself},
	{name: "publish/FeedsEphemeralAndStoresNothing", run: feedsEphemeral},
	{name: "publish/SaysHowItKeepsMessages", run: saysHowItKeepsMessages},
}

// publishAtOnce has some goroutines publish n messages each to a room, "<goroutine>.<i>", without waiting in between.
// It returns the receipts by text.
func (f *fixture) publishAtOnce(room string, goroutines, n int) map[string]engine.Receipt {
	f.Helper()
	waiting := make([][]*pending, goroutines)
	var publishers sync.WaitGroup
	for g := range goroutines {
		publishers.Go(func() {
			for i := range n {
				waiting[g] = append(waiting[g], f.start(f.publication(room, fmt.Sprintf("%d.%d", g, i))))
			}
		})
	}
	publishers.Wait()
	receipts := make(map[string]engine.Receipt)
	for g := range goroutines {
		for i, w := range waiting[g] {
			r, err := w.wait()
			if err != nil || r.Duplicate {
				f.Fatalf("publish %d.%d: %+v, %v", g, i, r, err)
			}
			receipts[fmt.Sprintf("%d.%d", g, i)] = r
		}
	}
	return receipts
}

func feedsInTheOrderOfTheLog(f *fixture) {
	const goroutines, each = 8, 50
	start := f.head("room")
	f.subscribe("room")
	receipts := f.publishAtOnce("room", goroutines, each)

	fed := f.fed("room", goroutines*each)
	page := f.read("room", engine.Query{Since: start, Limit: 2 * goroutines * each})
	f.chained(page.Messages, start)
	if len(page.Messages) != len(fed) || page.Head != fed[len(fed)-1].Position {
		f.Fatalf("%d messages in the log up to %v, %d fed up to %v", len(page.Messages), page.Head, len(fed), fed[len(fed)-1].Position)
	}
	next := make([]int, goroutines)
	for i, text := range texts(page.Messages) {
		m := page.Messages[i]
		if fed[i].Position != m.Position || fed[i].ID != m.ID || !bytes.Equal(fed[i].Data, m.Data) {
			f.Fatalf("the feed's message %d is %s at %v, the log's %s at %v", i, fed[i].Data, fed[i].Position, m.Data, m.Position)
		}
		if r := receipts[text]; r.Position != m.Position || r.Time != m.Time {
			f.Fatalf("%s is at %v (%d), its receipt says %v (%d)", text, m.Position, m.Time, r.Position, r.Time)
		}
		var g, n int
		_, _ = fmt.Sscanf(text, "%d.%d", &g, &n)
		if n != next[g] {
			f.Fatalf("%s comes after %d of the same goroutine", text, next[g]-1)
		}
		next[g]++
	}
}

func keepsTheOrderOfOneGoroutine(f *fixture) {
	const n = 300
	start := f.head("room")
	f.publishAtOnce("room", 1, n)
	page := f.read("room", engine.Query{Since: start, Limit: n})
	for i, text := range texts(page.Messages) {
		if text != fmt.Sprintf("0.%d", i) {
			f.Fatalf("message %d is %s", i, text)
		}
	}
	if len(page.Messages) != n {
		f.Fatalf("%d messages, want %d", len(page.Messages), n)
	}
}

func setsIDPositionAndTime(f *fixture) {
	f.subscribe("room")
	message := func(data, binary []byte) *protocol.Message {
		return &protocol.Message{
			Room: f.name("room"), From: protocol.Sender{User: "bob", Client: "c2", Name: "Bob"},
			Event: "note", Key: "k", Data: data, Bytes: binary, Exclude: "c2",
		}
	}
	sent := []*protocol.Message{message([]byte(`{ "a" :1.0}`), nil), message(nil, []byte("\x00\xff")), message(nil, []byte{})}
	ids := make(map[uint64]bool)
	for i, m := range sent {
		want := *m
		before := time.Now().Add(-time.Minute).UnixMilli()
		r := f.publish(&engine.Publication{Message: m, Owner: f.name(fmt.Sprint(i)), Retention: plenty})
		after := time.Now().Add(time.Minute).UnixMilli()
		fed := f.fed("room", i+1)[i]
		if fed.ID == 0 || ids[fed.ID] {
			f.Fatalf("the id %x is not new", fed.ID)
		}
		ids[fed.ID] = true
		if r.Time < before || r.Time > after {
			f.Fatalf("the time is %d, not between %d and %d", r.Time, before, after)
		}
		want.ID, want.Position, want.Time = fed.ID, r.Position, r.Time
		for _, got := range []protocol.Message{fed, *f.read("room", engine.Query{Last: 1, Limit: 1}).Messages[0]} {
			if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
				f.Fatalf("got %#v, want %#v", got, want)
			}
		}
	}
}

func feedsWhatIsCommitted(f *fixture) {
	const n = 50
	f.subscribe("room")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seen := range n {
			fed, ok := f.feed.wait(f.name("room"), seen+1)
			if !ok {
				f.Errorf("%d messages were fed, want %d", len(fed), n)
				return
			}
			page, err := f.engine.Read(context.Background(), f.name("room"), engine.Query{Since: fed[seen].Position, Limit: 1})
			if err != nil || page.Refused != "" {
				f.Errorf("what was fed is not in the log: %+v, %v", page, err)
				return
			}
		}
	}()
	f.publishAtOnce("room", 1, n)
	<-ended
}

func numbersEachRoomByItself(f *fixture) {
	if f.options.SparseOffsets {
		f.Skip("the offsets are not the room's own")
	}
	for i := range 3 {
		for _, room := range []string{"a", "b"} {
			if got := f.publish(f.publication(room, "x")).Position.Offset; got != uint64(i)+1 {
				f.Fatalf("message %d of %q has the offset %d", i+1, room, got)
			}
		}
	}
}

func feedsEphemeral(f *fixture) {
	f.subscribe("room")
	ephemeral := func(text string) *engine.Publication {
		p := f.publication("room", text)
		p.Ephemeral, p.Message.Key = true, "same"
		return p
	}
	before := f.publish(f.publication("room", "stored")).Position
	for i := range 2 { // a key that is never remembered
		r := f.publish(ephemeral(fmt.Sprint(i)))
		m := f.fed("room", i+2)[i+1]
		if m.ID != 0 || !m.Position.IsZero() || m.Time == 0 || m.Time != r.Time {
			f.Fatalf("fed with id %x, position %v, time %d; the receipt says %+v", m.ID, m.Position, m.Time, r)
		}
	}
	page := f.read("room", engine.Query{Last: 10, Limit: 10})
	if f.says(page.Messages, "stored"); page.Head != before {
		f.Fatalf("the head moved from %v to %v", before, page.Head)
	}
	p := f.publication("room", "keyed")
	p.Message.Key = "same"
	f.publish(p)
	p = ephemeral("to nobody")
	p.Message.Room = f.name("empty")
	f.publish(p)
	if page := f.read("empty", engine.Query{Last: 10, Limit: 10}); len(page.Messages) > 0 {
		f.Fatal("an ephemeral message is in the log")
	}
	f.settle()
	if n := f.feed.count(f.name("empty")); n > 0 {
		f.Fatal("an ephemeral message was fed without a subscription")
	}
}

func saysHowItKeepsMessages(f *fixture) {
	keeps, ok := f.engine.(engine.Durability)
	if !ok {
		return // memory is the default
	}
	switch got := keeps.Durability(); got {
	case "memory", "disk", "engine":
	default:
		f.Fatalf("%q is none of memory, disk, engine", got)
	}
}
