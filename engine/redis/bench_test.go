package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/redistest"
)

// nobody takes what is fed.
type nobody struct{}

func (nobody) Deliver(*protocol.Message) {}
func (nobody) Flush()                    {}
func (nobody) Interrupted()              {}

// BenchmarkPublish has 64 publishers at once store messages in 16 rooms: through the engine, and as bare calls of its
// script with arguments that were made before, over the same client. The ratio of the two is what the engine costs.
func BenchmarkPublish(b *testing.B) {
	e := New(Options{URL: redistest.Start(b).URL(), Logger: slog.New(slog.DiscardHandler)})
	if err := e.Open(b.Context(), nobody{}); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	for _, publishers := range []int{64, 512} {
		b.Run(fmt.Sprint("bare/", publishers), func(b *testing.B) {
			at(b, publishers, func(room string) error {
				p := sample(room)
				p.Message.ID = protocol.NewMessageID()
				return e.client.Do(context.Background(), e.command(&job{publication: p})).Error()
			})
		})
		b.Run(fmt.Sprint("engine/", publishers), func(b *testing.B) {
			at(b, publishers, func(room string) error {
				done := make(chan error, 1)
				e.Publish(context.Background(), sample(room), func(_ engine.Receipt, err error) { done <- err })
				return <-done
			})
		})
	}
}

func sample(room string) *engine.Publication {
	return &engine.Publication{
		Message:   &protocol.Message{Room: room, From: protocol.Sender{User: "alice", Client: "c1"}, Data: make([]byte, 200)},
		Owner:     "alice",
		Retention: engine.Retention{Messages: 1000, Bytes: 4 << 20, Age: 24 * 3600e9},
	}
}

// at divides b.N calls among so many goroutines.
func at(b *testing.B, goroutines int, call func(room string) error) {
	b.Helper()
	var all sync.WaitGroup
	for g := range goroutines {
		n := b.N / goroutines
		if g < b.N%goroutines {
			n++
		}
		all.Go(func() {
			for range n {
				if err := call("room" + strconv.Itoa(g%16)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
}
