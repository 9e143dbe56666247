package enginetest

import (
	"fmt"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var latestTests = []test{
	{name: "latest/KeepsTheNewestPerEvent", run: latestPerEvent},
	{name: "latest/IsApartFromTheLog", run: latestApartFromTheLog},
	{name: "latest/IsBounded", run: latestIsBounded},
	{name: "latest/GivesThoseAfterSince", run: latestSince},
	{name: "latest/GivesAllWhenRefused", run: latestRefused},
	{name: "latest/IsWhole", run: latestIsWhole},
	{name: "latest/IsKeptOnlyWhenAsked", run: latestOnlyWhenAsked},
}

// events publishes a message for each event, which it says besides its number.
func (f *fixture) events(room string, keep engine.Retention, events ...string) []protocol.Position {
	f.Helper()
	positions := make([]protocol.Position, len(events))
	for i, event := range events {
		p := f.publication(room, fmt.Sprint(event, i))
		p.Message.Event, p.Retention = event, keep
		positions[i] = f.publish(p).Position
	}
	return positions
}

func latestPerEvent(f *fixture) {
	keep := engine.Retention{Messages: 100, Latest: true}
	positions := f.events("room", keep, "a", "b", "", "a", "c", "", "b", "b")
	page := f.read("room", engine.Query{Latest: true})
	f.says(page.Messages, "a3", "c4", "5", "b7")
	if page.Head != positions[7] || page.Start != page.Messages[0].Position.Before(page.Messages[0].ID) && !f.options.SparseOffsets {
		f.Fatalf("the page starts at %v with the head %v", page.Start, page.Head)
	}
	f.says(f.read("room", whole).Messages, "a0", "b1", "2", "a3", "c4", "5", "b6", "b7")
	if page := f.read("empty", engine.Query{Latest: true}); len(page.Messages) > 0 || page.Start != page.Head {
		f.Fatalf("an empty room: %+v", page)
	}
}

func latestApartFromTheLog(f *fixture) {
	for i, keep := range []engine.Retention{{Latest: true}, {Messages: 1, Latest: true}, {Messages: 9, Bytes: 1, Latest: true}} {
		room := fmt.Sprint("room", i)
		f.events(room, keep, "a", "b", "b", "c", "c", "c")
		f.says(f.read(room, engine.Query{Latest: true}).Messages, "a0", "b2", "c5")
	}
}

func latestIsBounded(f *fixture) {
	keep := engine.Retention{Latest: true}
	var events []string
	for i := range engine.MaxLatest {
		events = append(events, fmt.Sprint("event", i, "-"))
	}
	f.events("room", keep, events...)
	f.events("room", keep, events[0]) // now the one published to longest ago is the second
	f.events("room", keep, "new1-", "new2-")
	page := f.read("room", engine.Query{Latest: true})
	if len(page.Messages) != engine.MaxLatest {
		f.Fatalf("%d events are kept, want %d", len(page.Messages), engine.MaxLatest)
	}
	f.says(page.Messages[:1], "event3-3")
	f.says(page.Messages[engine.MaxLatest-3:], "event0-0", "new1-0", "new2-1")
}

func latestSince(f *fixture) {
	keep := engine.Retention{Messages: 100, Latest: true}
	start := f.head("room")
	positions := f.events("room", keep, "a", "b", "a", "c", "b")
	for _, row := range []struct {
		since protocol.Position
		want  []string
	}{
		{start, []string{"a2", "c3", "b4"}},
		{positions[1], []string{"a2", "c3", "b4"}},
		{positions[2], []string{"c3", "b4"}},
		{positions[4], nil},
	} {
		page := f.read("room", engine.Query{Latest: true, Since: row.since})
		f.says(page.Messages, row.want...)
		if page.Refused != "" || page.Count != len(row.want) || page.More {
			f.Fatalf("since %v: refused %q, count %d, more %v", row.since, page.Refused, page.Count, page.More)
		}
		if len(row.want) == 0 && page.Start != row.since {
			f.Fatalf("an empty page starts at %v, want %v", page.Start, row.since)
		}
	}
}

func latestRefused(f *fixture) {
	positions := f.events("room", engine.Retention{Messages: 1, Latest: true}, "a", "b", "a", "c")
	for reason, since := range map[protocol.Reason]protocol.Position{
		protocol.ReasonExpired:  positions[0],
		protocol.ReasonDiverged: forged(positions[3]),
		protocol.ReasonEpoch:    otherEpoch(positions[3]),
	} {
		page := f.read("room", engine.Query{Latest: true, Since: since})
		f.says(page.Messages, "b1", "a2", "c3")
		if page.Refused != reason || page.Head != positions[3] {
			f.Fatalf("since %v: refused %q, head %v; want %q, %v", since, page.Refused, page.Head, reason, positions[3])
		}
	}
}

func latestIsWhole(f *fixture) {
	f.events("room", engine.Retention{Latest: true}, "a", "b", "c")
	for _, q := range []engine.Query{{Latest: true}, {Latest: true, Limit: 1}, {Latest: true, Limit: 10, MaxBytes: 1}} {
		page := f.read("room", q)
		if f.says(page.Messages, "a0", "b1", "c2"); page.More {
			f.Fatalf("%+v: more follows", q)
		}
	}
}

func latestOnlyWhenAsked(f *fixture) {
	f.events("room", plenty, "a", "b")
	f.says(f.read("room", engine.Query{Latest: true}).Messages)
	f.events("room", engine.Retention{Messages: 100, Latest: true}, "c")
	f.says(f.read("room", engine.Query{Latest: true}).Messages, "c0")
	f.events("room", plenty, "d")
	f.says(f.read("room", engine.Query{Latest: true}).Messages)
}
