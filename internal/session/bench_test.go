package session

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// silent is an outlet that takes everything and keeps nothing.
type silent struct{ fakeOutlet }

func (*silent) Reply(*protocol.Reply) {}
func (*silent) Push(protocol.Push)    {}

// BenchmarkPublish is a publish of a member of so many rooms, from the envelope to the engine and back.
func BenchmarkPublish(b *testing.B) {
	for _, rooms := range []int{1, 16} {
		b.Run(fmt.Sprint(rooms, "rooms"), func(b *testing.B) {
			set, err := rule.NewSet([]rule.Rule{{Pattern: "other/*"}, {Pattern: "room/**"}}, "")
			if err != nil {
				b.Fatal(err)
			}
			h, err := hub.New(b.Context(), hub.Options{Engine: memory.New(memory.Options{}), Rules: set, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			node := NewNode(Options{Hub: h, Logger: slog.New(slog.DiscardHandler)}, "memory")
			var s Session
			s.Open(node, &silent{}, &auth.Identity{User: "alice"}, "")
			s.Start()
			join := func(frame string) *protocol.Request {
				var parser protocol.Parser
				var r protocol.Request
				if err := parser.Start([]byte(frame)); err != nil {
					b.Fatal(err)
				}
				if _, err := parser.Next(&r); err != nil {
					b.Fatal(err)
				}
				return &r
			}
			for i := range rooms {
				s.Receive(join(fmt.Sprintf(`{"type":"join","room":"room/%d"}`, i)))
			}
			r := join(fmt.Sprintf(`{"type":"publish","room":"room/%d","data":"hello","echo":false}`, rooms-1))
			b.ReportAllocs()
			for b.Loop() {
				s.Receive(r)
				h.Flush()
			}
			b.StopTimer()
			s.Close(Ended{Clean: true})
			if err := node.Stop(context.Background()); err != nil {
				b.Fatal(err)
			}
			if err := h.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
