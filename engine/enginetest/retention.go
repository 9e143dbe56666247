package enginetest

import (
	"fmt"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var retentionTests = []test{
	{name: "retention/KeepsNothingAtZero", run: keepsNothingAtZero},
	{name: "retention/ByCount", run: retentionByCount},
	{name: "retention/ByBytes", run: retentionByBytes},
	{name: "retention/ByAge", run: retentionByAge},
	{name: "retention/ByAgeExactly", run: retentionByAgeExactly, virtual: true},
	{name: "retention/IsThatOfTheLastPublish", run: retentionOfTheLastPublish},
	{name: "retention/DoesNotBringBackWhatHasLeft", run: retentionDoesNotBringBack, virtual: true},
}

// whole is the query for everything that a room keeps.
var whole = engine.Query{Last: 1_000_000, Limit: 1_000_000}

func keepsNothingAtZero(f *fixture) {
	f.subscribe("room")
	start := f.head("room")
	positions := f.fill("room", 3, engine.Retention{})
	if page := f.read("room", whole); len(page.Messages) > 0 || page.Head != positions[2] || page.More {
		f.Fatalf("got %+v, want no messages and the head %v", page, positions[2])
	}
	var fed []*protocol.Message
	for _, m := range f.fed("room", 3) {
		fed = append(fed, &m)
	}
	f.chained(fed, start)
	f.proven("room", positions[2], 0)
	f.unproven("room", positions[1], protocol.ReasonExpired)
}

func retentionByCount(f *fixture) {
	keep := engine.Retention{Messages: 3}
	for n := range 8 {
		p := f.publication("room", fmt.Sprint(n))
		p.Retention = keep
		f.publish(p)
		f.says(f.read("room", whole).Messages, count(max(0, n-2), n+1)...)
	}
}

func retentionByBytes(f *fixture) {
	size := int64(f.publication("room", "0").Message.Size())
	for i, row := range []struct {
		bytes int64
		kept  int
	}{{3*size - 1, 2}, {3 * size, 3}, {size, 1}, {size - 1, 0}} {
		room := fmt.Sprintf("roo%d", i) // as long as "room"
		positions := f.fill(room, 6, engine.Retention{Messages: 100, Bytes: row.bytes})
		page := f.read(room, whole)
		f.says(page.Messages, count(6-row.kept, 6)...)
		if page.Head != positions[5] {
			f.Fatalf("the head is %v, want %v", page.Head, positions[5])
		}
	}
	small := f.publication("mixed", "")
	keep := engine.Retention{Messages: 100, Bytes: int64(small.Message.Size()) + 700}
	for i := range 5 {
		p := f.publication("mixed", fmt.Sprint(i))
		p.Retention = keep
		f.publish(p)
	}
	p := f.publication("mixed", string(make([]byte, 100))) // which JSON writes with 600 bytes
	p.Retention = keep
	f.publish(p)
	if page := f.read("mixed", whole); len(page.Messages) != 1 {
		f.Fatalf("a large message left %d beside it", len(page.Messages)-1)
	}
}

func retentionByAge(f *fixture) {
	keep := engine.Retention{Messages: 100, Age: 500 * time.Millisecond}
	positions := f.fill("room", 3, keep)
	deadline := time.Now().Add(patience)
	for len(f.read("room", whole).Messages) > 0 {
		if time.Now().After(deadline) {
			f.Fatal("messages are kept beyond their age")
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.proven("room", positions[2], 0)
	f.unproven("room", positions[0], protocol.ReasonExpired)
	p := f.publication("room", "new")
	p.Retention = plenty
	next := f.publish(p).Position
	f.chained(f.proven("room", positions[2], 1).Messages, positions[2])
	if f.head("room") != next {
		f.Fatal("the head is not the newest message")
	}
}

func retentionByAgeExactly(f *fixture) {
	keep := engine.Retention{Messages: 100, Age: time.Hour}
	for i := range 3 { // at 0, 10 and 20 minutes
		p := f.publication("room", fmt.Sprint(i))
		p.Retention = keep
		f.publish(p)
		time.Sleep(10 * time.Minute)
	}
	time.Sleep(30*time.Minute - time.Second)
	f.says(f.read("room", whole).Messages, count(0, 3)...)
	time.Sleep(2 * time.Second)
	f.says(f.read("room", whole).Messages, count(1, 3)...)
	time.Sleep(10 * time.Minute)
	p := f.publication("room", "3")
	p.Retention = keep
	f.publish(p)
	f.says(f.read("room", whole).Messages, count(2, 4)...)
	time.Sleep(2 * time.Hour)
	f.says(f.read("room", whole).Messages)
}

func retentionOfTheLastPublish(f *fixture) {
	f.fill("room", 10, plenty)
	f.fill("room", 1, engine.Retention{Messages: 3})
	f.says(f.read("room", whole).Messages, "8", "9", "0")
	f.fill("room", 1, plenty)
	f.says(f.read("room", whole).Messages, "8", "9", "0", "0")
	f.fill("room", 1, engine.Retention{})
	f.says(f.read("room", whole).Messages)
	f.fill("room", 2, plenty)
	f.says(f.read("room", whole).Messages, "0", "1")
}

func retentionDoesNotBringBack(f *fixture) {
	positions := f.fill("room", 2, engine.Retention{Messages: 10, Age: time.Hour})
	time.Sleep(time.Hour + time.Second)
	f.fill("room", 1, plenty)
	f.says(f.read("room", whole).Messages, "0")
	f.proven("room", positions[1], 1)
	f.unproven("room", positions[0], protocol.ReasonExpired)
}
