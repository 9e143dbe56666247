package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// sink is a receiver that takes everything and keeps nothing.
type sink struct{ framing Framing }

func (s *sink) Framing() Framing                               { return s.framing }
func (s *sink) Deliver(conn.Frames, *atomic.Bool) conn.Outcome { return conn.Sent }
func (s *sink) Ready() bool                                    { return true }
func (s *sink) Removed(*Member, *protocol.Kicked)              {}

// BenchmarkPublish is one publish from the hub to its members, without any socket: what the hub itself costs.
func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{1, 10, 1000, 10_000} {
		b.Run(fmt.Sprint(members, "-members"), func(b *testing.B) { benchmarkPublish(b, members, nil) })
	}
}

func benchmarkPublish(b *testing.B, members int, tracer Tracer) {
	b.Helper()
	set, err := rule.NewSet(nil, "")
	if err != nil {
		b.Fatal(err)
	}
	h, err := New(b.Context(), Options{
		Engine: memory.New(memory.Options{}), Rules: set, Logger: slog.New(slog.DiscardHandler), Tracer: tracer,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Close(context.Background()) }()
	f := new(lines)
	for i := range members {
		client := &Client{ID: fmt.Sprint("client", i), User: fmt.Sprint("user", i)}
		q := JoinRequest{Room: "r", Client: client}
		if err := h.Join(b.Context(), q, &sink{f}, func(*Member, *protocol.Joined) {}); err != nil {
			b.Fatal(err)
		}
	}
	done := func(engine.Receipt, error) {}
	data := json.RawMessage(`{"text":"hello"}`)
	b.ReportAllocs()
	for b.Loop() {
		m := &protocol.Message{Room: "r", From: protocol.Sender{User: "u", Client: "c"}, Data: data}
		h.Publish(context.Background(), &engine.Publication{Message: m}, done)
		h.Flush()
	}
}

// BenchmarkTail is one message that comes to a room's tail which is full, and the search for a position in it.
func BenchmarkTail(b *testing.B) {
	message := &protocol.Message{Room: "r", From: protocol.Sender{User: "u", Client: "c"}, Data: json.RawMessage(`{"text":"hello"}`)}
	fill := func() (t *tail, at protocol.Position) {
		t = new(tail)
		at = protocol.Position{Epoch: 1}
		t.reset(at)
		for i := range uint64(2 * maxTailEntries) {
			at = at.Next(i)
			t.append(&entry{push: message, upTo: at, stored: true, bytes: 2 * message.Size()})
		}
		return t, at
	}
	b.Run("append", func(b *testing.B) {
		t, at := fill()
		b.ReportAllocs()
		for b.Loop() {
			at = at.Next(7)
			t.append(&entry{push: message, upTo: at, stored: true, bytes: 2 * message.Size()})
		}
	})
	b.Run("after", func(b *testing.B) {
		t, _ := fill()
		middle := t.at((t.first + t.next) / 2).upTo
		b.ReportAllocs()
		for b.Loop() {
			if _, proven := t.after(middle); !proven {
				b.Fatal("a position of the tail is not proven")
			}
		}
	})
}

// traces is a tracer that does nothing.
type traces struct{}

func (traces) Published(context.Context, *protocol.Message, time.Time, error) {}

func (traces) Delivered(*protocol.Message, time.Time, int) {}

// What traces cost: off they are one comparison with nil a publish and a flush; on, here, a clock and a closure.
func BenchmarkTracing(b *testing.B) {
	for _, row := range []struct {
		name   string
		tracer Tracer
	}{{"off", nil}, {"on", traces{}}} {
		b.Run(row.name, func(b *testing.B) { benchmarkPublish(b, 1, row.tracer) })
	}
}
