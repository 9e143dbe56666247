package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/protocol"
)

// discard is a feed that nobody reads.
type discard struct{}

func (discard) Deliver(*protocol.Message) {}
func (discard) Flush()                    {}
func (discard) Interrupted()              {}

func open(b *testing.B) *memory.Engine {
	b.Helper()
	e := memory.New(memory.Options{})
	if err := e.Open(b.Context(), discard{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

var history = engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour}

func publication(room string) *engine.Publication {
	return &engine.Publication{
		Message:   &protocol.Message{Room: room, From: protocol.Sender{User: "alice"}, Data: []byte(`{"text":"hello, world"}`)},
		Retention: history,
	}
}

func stored(b *testing.B) func(engine.Receipt, error) {
	return func(r engine.Receipt, err error) {
		if err != nil || r.Duplicate {
			b.Error(r, err)
		}
	}
}

// The publication and its message count among the allocations: two of them.
func BenchmarkPublish(b *testing.B) {
	b.Run("one room", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		_ = e.Subscribe(ctx, "room")
		b.ReportAllocs()
		for b.Loop() {
			e.Publish(ctx, publication("room"), done)
		}
	})
	b.Run("one room, parallel", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		_ = e.Subscribe(ctx, "room")
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				e.Publish(ctx, publication("room"), done)
			}
		})
	})
	b.Run("1000 rooms, parallel", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		rooms := make([]string, 1000)
		for i := range rooms {
			rooms[i] = fmt.Sprintf("room/%d", i)
			_ = e.Subscribe(ctx, rooms[i])
		}
		b.ReportAllocs()
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for i := int(next.Add(500)); pb.Next(); i++ {
				e.Publish(ctx, publication(rooms[i%len(rooms)]), done)
			}
		})
	})
	b.Run("no history", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		_ = e.Subscribe(ctx, "room")
		b.ReportAllocs()
		for b.Loop() {
			p := publication("room")
			p.Retention = engine.Retention{}
			e.Publish(ctx, p, done)
		}
	})
	b.Run("producer", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		b.ReportAllocs()
		for seq := uint64(1); b.Loop(); seq++ {
			p := publication("room")
			p.Producer, p.Seq = "producer", seq
			e.Publish(ctx, p, done)
		}
	})
	b.Run("key", func(b *testing.B) {
		e, ctx, done := open(b), context.Background(), stored(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i == engine.MaxKeys {
				b.StopTimer()
				e, i = open(b), 0
				b.StartTimer()
			}
			p := publication("room")
			p.Owner, p.Message.Key = strconv.Itoa(i/1000), strconv.Itoa(i)
			e.Publish(ctx, p, done)
		}
	})
}

// Once the engine is full every publish makes another room lose its oldest message.
func BenchmarkPublishFull(b *testing.B) {
	e := memory.New(memory.Options{MaxBytes: 16 << 20})
	if err := e.Open(b.Context(), discard{}); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	ctx, done := context.Background(), stored(b)
	rooms := make([]string, 1000)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("room/%d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Publish(ctx, publication(rooms[i%len(rooms)]), done)
	}
}

func BenchmarkRead(b *testing.B) {
	e, ctx, done := open(b), context.Background(), stored(b)
	for range 1000 {
		e.Publish(ctx, publication("room"), done)
	}
	head, err := e.Read(ctx, "room", engine.Query{Last: 100, Limit: 100})
	if err != nil || len(head.Messages) != 100 {
		b.Fatal(len(head.Messages), err)
	}
	for name, q := range map[string]engine.Query{
		"last 100": {Last: 100, Limit: 100}, "since 100": {Since: head.Start, Limit: 100}, "head": {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Read(ctx, "room", q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSubscribe(b *testing.B) {
	e, ctx := open(b), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Subscribe(ctx, "room")
		e.Unsubscribe("room")
	}
}

// What one more of a thing costs in memory, with everything around it.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for name, add := range map[string]func(*memory.Engine, int){
		"subscribed room": func(e *memory.Engine, i int) { _ = e.Subscribe(context.Background(), strconv.Itoa(i)) },
		"published room": func(e *memory.Engine, i int) {
			p := publication(strconv.Itoa(i))
			p.Retention = engine.Retention{}
			e.Publish(context.Background(), p, stored(b))
		},
		"message": func(e *memory.Engine, i int) {
			e.Publish(context.Background(), publication(strconv.Itoa(i%100)), stored(b))
		},
		"key": func(e *memory.Engine, i int) {
			p := publication("room")
			p.Retention, p.Owner, p.Message.Key = engine.Retention{}, strconv.Itoa(i/1000), strconv.Itoa(i)
			e.Publish(context.Background(), p, stored(b))
		},
		"producer": func(e *memory.Engine, i int) {
			p := publication("room")
			p.Retention, p.Owner, p.Producer, p.Seq = engine.Retention{}, strconv.Itoa(i/1000), strconv.Itoa(i), 1
			e.Publish(context.Background(), p, stored(b))
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e := open(b)
				before := inUse()
				for i := range n {
					add(e, i)
				}
				b.ReportMetric(float64(inUse()-before)/n, "bytes/each")
				runtime.KeepAlive(e)
			}
		})
	}
}

// inUse returns the memory in use after a collection.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
