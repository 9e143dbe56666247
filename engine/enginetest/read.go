package enginetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

var readTests = []test{
	{name: "read/AsksForTheHeadAlone", run: readHead},
	{name: "read/Since", run: readSince},
	{name: "read/SincePageByPage", run: readSincePageByPage},
	{name: "read/Before", run: readBefore},
	{name: "read/BeforePageByPage", run: readBeforePageByPage},
	{name: "read/Last", run: readLast},
	{name: "read/BoundsBytes", run: readBoundsBytes},
	{name: "read/IsAtomic", run: readIsAtomic},
	{name: "read/GivesPagesOfTheCallersOwn", run: readGivesOwnPages},
	{name: "read/FindsTheHeadsOfManyRooms", run: readHeads},
	{name: "read/FindsHeadsBehindWhatWasAcknowledged", run: readHeadsAtOnce},
}

// page is what a test wants of one.
func (f *fixture) page(room string, q engine.Query, want engine.Page, says ...string) engine.Page {
	f.Helper()
	got := f.read(room, q)
	f.says(got.Messages, says...)
	f.chained(got.Messages, got.Start)
	want.Messages, want.Head = got.Messages, f.head(room)
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		f.Fatalf("read %+v: got %+v, want %+v", q, got, want)
	}
	return got
}

func readHead(f *fixture) {
	empty := f.head("room")
	if empty.Offset != 0 && !f.options.SparseOffsets || f.head("room") != empty {
		f.Fatalf("the head of an empty room is %v, then %v", empty, f.head("room"))
	}
	f.page("room", engine.Query{}, engine.Page{Start: empty})
	f.page("room", whole, engine.Page{Start: empty})
	positions := f.fill("room", 3, plenty)
	if f.head("room") != positions[2] {
		f.Fatalf("the head is %v, want %v", f.head("room"), positions[2])
	}
	f.page("room", engine.Query{}, engine.Page{Start: positions[2]})
	f.page("room", engine.Query{Limit: 10, MaxBytes: 10}, engine.Page{Start: positions[2]})
	f.page("room", engine.Query{Since: empty, Limit: 10}, engine.Page{Start: empty, Count: 3}, count(0, 3)...)
}

func readSince(f *fixture) {
	start := f.head("room")
	positions := f.fill("room", 5, plenty)
	rows := []struct {
		since protocol.Position
		limit int
		count int
		more  bool
		says  []string
	}{
		{start, 10, 5, false, count(0, 5)},
		{start, 5, 5, false, count(0, 5)},
		{start, 4, 5, true, count(0, 4)},
		{positions[0], 10, 4, false, count(1, 5)},
		{positions[2], 1, 2, true, count(3, 4)},
		{positions[3], 1, 1, false, count(4, 5)},
		{positions[4], 10, 0, false, nil},
		{positions[1], 0, 3, true, nil},
		{positions[4], 0, 0, false, nil},
	}
	for _, row := range rows {
		q := engine.Query{Since: row.since, Limit: row.limit}
		f.page("room", q, engine.Page{Start: row.since, Count: row.count, More: row.more}, row.says...)
	}
}

func readSincePageByPage(f *fixture) {
	at := f.fill("room", 25, engine.Retention{Messages: 20})[4]
	var says []string
	for more, pages := true, 0; more; pages++ {
		page := f.read("room", engine.Query{Since: at, Limit: 7})
		if page.Refused != "" || page.Start != at || page.Count != 20-len(says) || pages > 3 {
			f.Fatalf("page %d since %v: %+v", pages, at, page)
		}
		f.chained(page.Messages, page.Start)
		says = append(says, texts(page.Messages)...)
		at, more = page.Messages[len(page.Messages)-1].Position, page.More
	}
	if fmt.Sprint(says) != fmt.Sprint(count(5, 25)) || at != f.head("room") {
		f.Fatalf("got %v up to %v", says, at)
	}
}

func readBefore(f *fixture) {
	start := f.head("room")
	positions := f.fill("room", 5, plenty)
	head := positions[4]
	rows := []struct {
		before protocol.Position
		limit  int
		start  protocol.Position
		more   bool
		says   []string
	}{
		{head, 10, start, false, count(0, 4)},
		{head, 4, start, false, count(0, 4)},
		{head, 3, positions[0], true, count(1, 4)},
		{positions[2], 1, positions[0], true, count(1, 2)},
		{positions[1], 1, start, false, count(0, 1)},
		{positions[0], 10, head, false, nil},
		{start, 10, head, false, nil},
		{positions[2], 0, head, true, nil},
	}
	for _, row := range rows {
		q := engine.Query{Before: row.before, Limit: row.limit}
		f.page("room", q, engine.Page{Start: row.start, More: row.more}, row.says...)
	}
}

func readBeforePageByPage(f *fixture) {
	f.fill("room", 25, engine.Retention{Messages: 20})
	at := f.head("room")
	var says []string
	for more, pages := true, 0; more; pages++ {
		page := f.read("room", engine.Query{Before: at, Limit: 7})
		if page.Refused != "" || len(page.Messages) == 0 || pages > 3 {
			f.Fatalf("page %d before %v: %+v", pages, at, page)
		}
		f.chained(page.Messages, page.Start)
		says = append(texts(page.Messages), says...)
		at, more = page.Messages[0].Position, page.More
	}
	if fmt.Sprint(says) != fmt.Sprint(count(5, 24)) {
		f.Fatalf("got %v", says)
	}
}

func readLast(f *fixture) {
	start := f.head("room")
	positions := f.fill("room", 5, plenty)
	rows := []struct {
		last, limit int
		start       protocol.Position
		more        bool
		says        []string
	}{
		{10, 10, start, false, count(0, 5)},
		{5, 5, start, false, count(0, 5)},
		{2, 10, positions[2], true, count(3, 5)},
		{10, 2, positions[2], true, count(3, 5)},
		{1, 1, positions[3], true, count(4, 5)},
		{3, 0, positions[4], true, nil},
	}
	for _, row := range rows {
		q := engine.Query{Last: row.last, Limit: row.limit}
		f.page("room", q, engine.Page{Start: row.start, More: row.more}, row.says...)
	}
	positions = f.fill("trimmed", 6, engine.Retention{Messages: 2})
	f.page("trimmed", whole, engine.Page{Start: positions[3]}, count(4, 6)...)
}

func readBoundsBytes(f *fixture) {
	start := f.head("room")
	positions := f.fill("room", 5, plenty)
	size := f.read("room", engine.Query{Last: 1, Limit: 1}).Messages[0].Size()
	rows := []struct {
		bytes, n int
	}{{1, 1}, {size, 1}, {2*size - 1, 1}, {2 * size, 2}, {3*size + 1, 3}, {4 * size, 4}}
	for _, row := range rows {
		n := row.n
		f.page("room", engine.Query{Since: start, Limit: 10, MaxBytes: row.bytes}, engine.Page{Start: start, Count: 5, More: true}, count(0, n)...)
		f.page("room", engine.Query{Last: 10, Limit: 10, MaxBytes: row.bytes}, engine.Page{Start: positions[4-n], More: true}, count(5-n, 5)...)
	}
	f.page("room", engine.Query{Before: positions[4], Limit: 10, MaxBytes: 2 * size}, engine.Page{Start: positions[1], More: true}, count(2, 4)...)
	f.page("room", engine.Query{Since: start, Limit: 1, MaxBytes: 3 * size}, engine.Page{Start: start, Count: 5, More: true}, count(0, 1)...)
	f.page("room", engine.Query{Since: start, Limit: 10, MaxBytes: 5 * size}, engine.Page{Start: start, Count: 5}, count(0, 5)...)
}

func readIsAtomic(f *fixture) {
	start := f.head("room")
	var published atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i, end := 0, false; !end; i++ {
				if i%100 == 99 {
					time.Sleep(time.Millisecond) // a moment for the others
				}
				end = published.Load()
				page, err := f.engine.Read(context.Background(), f.name("room"), engine.Query{Since: start, Limit: 10_000})
				newest := start
				for _, m := range page.Messages {
					if !f.follows(m, newest) {
						f.Errorf("%v does not follow %v", m.Position, newest)
						return
					}
					newest = m.Position
				}
				if err != nil || page.Refused != "" || page.More || page.Count != len(page.Messages) || page.Head != newest {
					f.Errorf("%d messages up to %v, but head %v, count %d, more %v, refused %q, %v", len(page.Messages), newest, page.Head, page.Count, page.More, page.Refused, err)
					return
				}
			}
		})
	}
	f.publishAtOnce("room", 4, 100)
	published.Store(true)
	readers.Wait()
}

func readGivesOwnPages(f *fixture) {
	f.events("room", engine.Retention{Messages: 10, Latest: true}, "a", "b", "c")
	queries := []engine.Query{whole, {Before: f.head("room"), Limit: 10}, {Latest: true}}
	for _, q := range queries {
		want := texts(f.read("room", q).Messages)
		messages := f.read("room", q).Messages
		for i := range messages {
			messages[i] = &protocol.Message{Data: []byte(`"the caller's"`)}
		}
		_ = append(messages[:0], &protocol.Message{}, &protocol.Message{}, &protocol.Message{}, &protocol.Message{})
		f.says(f.read("room", q).Messages, want...)
	}
}

// heads asks for the heads of rooms, or skips the test.
func (f *fixture) heads(rooms ...string) []protocol.Position {
	f.Helper()
	many, ok := f.engine.(engine.Heads)
	if !ok {
		f.Skip("the engine finds heads one by one")
	}
	names := make([]string, len(rooms))
	for i, room := range rooms {
		names[i] = f.name(room)
	}
	heads, err := many.Heads(context.Background(), names)
	if err != nil || len(heads) != len(rooms) {
		f.Fatalf("heads of %d rooms: %d, %v", len(rooms), len(heads), err)
	}
	return heads
}

func readHeads(f *fixture) {
	f.heads()
	f.fill("kept", 3, plenty)
	f.fill("trimmed", 5, engine.Retention{Messages: 1})
	f.fill("unkept", 2, engine.Retention{})
	rooms := []string{"unkept", "kept", "unwritten", "trimmed", "kept"}
	for len(rooms) < engine.MaxHeads {
		rooms = append(rooms, fmt.Sprint("unwritten", len(rooms)))
	}
	for i, head := range f.heads(rooms...) {
		if head != f.head(rooms[i]) || head.IsZero() {
			f.Fatalf("the head of %s is %v, want %v", rooms[i], head, f.head(rooms[i]))
		}
	}
}

// readHeadsAtOnce asks for heads while others publish.
func readHeadsAtOnce(f *fixture) {
	f.heads("a", "b")
	var publishers sync.WaitGroup
	for _, room := range []string{"a", "b"} {
		publishers.Go(func() {
			for i := range 50 {
				at, err := f.start(f.publication(room, fmt.Sprint(i))).wait()
				head := f.heads("a", "b", room)[2]
				if err != nil || head.Epoch != at.Position.Epoch || head.Offset < at.Position.Offset {
					f.Errorf("published at %v (%v), but the head is %v", at.Position, err, head)
					return
				}
			}
		})
	}
	publishers.Wait()
}
