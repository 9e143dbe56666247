package disk_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/protocol"
)

// unread is a feed that nobody reads.
type unread struct{}

func (unread) Deliver(*protocol.Message) {}
func (unread) Flush()                    {}
func (unread) Interrupted()              {}

// quiet is a logger of Pebble that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

var history = engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * time.Hour}

func publication(room string) *engine.Publication {
	return &engine.Publication{
		Message:   &protocol.Message{Room: room, From: protocol.Sender{User: "alice"}, Data: []byte(`{"text":"hello, world"}`)},
		Owner:     "alice",
		Retention: history,
	}
}

func open(b *testing.B, o disk.Options) *disk.Engine {
	b.Helper()
	o.Dir, o.Logger, o.Reserve = b.TempDir(), slog.New(slog.DiscardHandler), -1
	e := disk.New(o)
	if err := e.Open(b.Context(), unread{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// atOnce has 64 callers call f until it was called b.N times.
func atOnce(b *testing.B, f func(caller int, i int64)) {
	b.Helper()
	var next atomic.Int64
	var callers sync.WaitGroup
	b.ResetTimer()
	for caller := range 64 {
		callers.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				f(caller, i)
			}
		})
	}
	callers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per-s")
}

// 64 publishers that wait for their acknowledgement, beside what Pebble does when 64 writers each sync a record of the
// same size: the work of an engine, and one batch for all, against Pebble's own group commit.
func BenchmarkSynced(b *testing.B) {
	file := map[string]vfs.FS{"disk": vfs.Default, "memory": vfs.NewMem()}
	for _, on := range []string{"disk", "memory"} {
		b.Run(on+"/raw", func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), &pebble.Options{
				FS: file[on], FormatMajorVersion: pebble.FormatNewest, MemTableSize: 16 << 20, MemTableStopWritesThreshold: 4, Logger: quiet{},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			value := make([]byte, 80)
			atOnce(b, func(caller int, i int64) {
				if err := db.Set(fmt.Appendf(nil, "room %d/%012d", caller, i), value, pebble.Sync); err != nil {
					b.Error(err)
				}
			})
		})
		for _, rooms := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d rooms", on, rooms), func(b *testing.B) {
				e := open(b, disk.Options{FS: file[on]})
				publishAtOnce(b, e, func(caller int, _ int64) *engine.Publication {
					return publication(fmt.Sprint("room ", caller%rooms))
				})
			})
		}
		b.Run(on+"/64 rooms, producers", func(b *testing.B) {
			e := open(b, disk.Options{FS: file[on]})
			var seqs [64]uint64
			publishAtOnce(b, e, func(caller int, _ int64) *engine.Publication {
				p := publication(fmt.Sprint("room ", caller))
				seqs[caller]++
				p.Producer, p.Seq = fmt.Sprint("producer ", caller), seqs[caller]
				return p
			})
		})
	}
}

func publishAtOnce(b *testing.B, e *disk.Engine, next func(caller int, i int64) *engine.Publication) {
	b.Helper()
	var acks [64]chan error
	for i := range acks {
		acks[i] = make(chan error, 1)
	}
	atOnce(b, func(caller int, i int64) {
		e.Publish(context.Background(), next(caller, i), func(_ engine.Receipt, err error) { acks[caller] <- err })
		if err := <-acks[caller]; err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	e := open(b, disk.Options{})
	publishAtOnce(b, e, func(int, int64) *engine.Publication { return publication("room") })
	ctx := context.Background()
	page, err := e.Read(ctx, "room", engine.Query{Last: 100, Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	for name, q := range map[string]engine.Query{
		"last 100": {Last: 100, Limit: 100}, "since 100": {Since: page.Start, Limit: 100}, "head": {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Read(ctx, "room", q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBesideRawPebble runs raw Pebble and the engine in turn, 64 callers each that wait for the sync, and reports
// the median of the ratios of their throughput: over 0.4 is promised.
func BenchmarkBesideRawPebble(b *testing.B) {
	const rounds, each = 9, 4000
	db, err := pebble.Open(b.TempDir(), &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest, MemTableSize: 16 << 20, MemTableStopWritesThreshold: 4, Logger: quiet{},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	e := open(b, disk.Options{})
	value := make([]byte, 80)
	raw := func(caller int, i int64) error {
		return db.Set(fmt.Appendf(nil, "room %d/%012d", caller, i), value, pebble.Sync)
	}
	published := func(caller int, _ int64) error {
		done := make(chan error, 1)
		e.Publish(context.Background(), publication(fmt.Sprint("room ", caller)), func(_ engine.Receipt, err error) { done <- err })
		return <-done
	}
	var ratios []float64
	for b.Loop() {
		for range rounds {
			before, after := timed(b, each, raw), timed(b, each, published)
			ratios = append(ratios, before.Seconds()/after.Seconds())
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-raw")
}

// timed returns how long 64 callers take to call f n times.
func timed(b *testing.B, n int64, f func(caller int, i int64) error) time.Duration {
	b.Helper()
	var next atomic.Int64
	var callers sync.WaitGroup
	began := time.Now()
	for caller := range 64 {
		callers.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := f(caller, i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	callers.Wait()
	return time.Since(began)
}
