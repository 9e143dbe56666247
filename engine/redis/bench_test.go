package redis

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// nobody takes what is fed.
type nobody struct{}

func (nobody) Deliver(*protocol.Message) {}
func (nobody) Flush()                    {}
func (nobody) Interrupted()              {}

// publishTurns is in how many parts a run of BenchmarkPublish is measured: each is one of bare calls and one of the engine's.
const publishTurns = 9

// BenchmarkPublish has some publishers at once store messages in 16 rooms: through the engine, and as bare calls of its
// script, with arguments that were made before, over the same client. They are measured in turns, whose medians are given:
// the ratio is how much of what the script can do the engine lets through.
func BenchmarkPublish(b *testing.B) {
	e := New(Options{URL: redistest.Start(b).URL(), Logger: slog.New(slog.DiscardHandler)})
	if err := e.Open(b.Context(), nobody{}); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	var bare [benchRooms]rueidis.Completed
	for i := range bare {
		p := sample(benchRoom(i))
		p.Message.ID = protocol.NewMessageID()
		bare[i] = e.command(&job{publication: p}).Pin()
	}
	kinds := []func(room int) error{
		func(room int) error { return e.client.Do(context.Background(), bare[room]).Error() },
		func(room int) error {
			done := make(chan error, 1)
			e.Publish(context.Background(), sample(benchRoom(room)), func(_ engine.Receipt, err error) { done <- err })
			return <-done
		},
	}
	for _, publishers := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprint("publishers=", publishers), func(b *testing.B) {
			var rates [2][]float64 // a second
			var ratios []float64
			for turn := range publishTurns {
				var now [2]float64
				for i := range kinds {
					kind := (turn + i) % 2 // whatever drifts is shared
					now[kind] = publishRate(b, publishers, max(publishers, b.N/publishTurns/2), kinds[kind])
					rates[kind] = append(rates[kind], now[kind])
				}
				ratios = append(ratios, now[1]/now[0])
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(rates[0]), "bare/s")
			b.ReportMetric(median(rates[1]), "engine/s")
			b.ReportMetric(median(ratios), "engine/bare")
		})
	}
}

// median returns the median of an odd number of values.
func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// benchRooms is in how many rooms it is published.
const benchRooms = 16

func benchRoom(i int) string { return "room" + strconv.Itoa(i) }

func sample(room string) *engine.Publication {
	return &engine.Publication{
		Message:   &protocol.Message{Room: room, From: protocol.Sender{User: "alice", Client: "c1"}, Data: make([]byte, 200)},
		Owner:     "alice",
		Retention: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * 3600e9},
	}
}

// publishRate divides some calls among so many goroutines, and returns how many there were a second.
func publishRate(b *testing.B, goroutines, calls int, call func(room int) error) float64 {
	b.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for g := range goroutines {
		n := calls / goroutines
		if g < calls%goroutines {
			n++
		}
		all.Go(func() {
			for range n {
				if err := call(g % benchRooms); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return float64(calls) / time.Since(began).Seconds()
}
