package session

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// sink is an outlet that takes everything and keeps nothing.
type sink struct{ written int }

func (*sink) Framing() hub.Framing                            { return framing }
func (*sink) Ready() bool                                     { return true }
func (*sink) Reply(*protocol.Reply)                           {}
func (*sink) Push(protocol.Push)                              {}
func (*sink) Resume()                                         {}
func (*sink) Close(protocol.CloseCode, string, time.Duration) {}
func (s *sink) Deliver(frames conn.Frames, _ *atomic.Bool) conn.Outcome {
	s.written += len(frames.Bytes)
	return conn.Sent
}

// crowd is a node with sessions that are all in one room.
type crowd struct {
	node     *Node
	sessions []*Session
	request  protocol.Request
}

func newCrowd(tb testing.TB, members int) *crowd {
	tb.Helper()
	set, err := rule.NewSet(nil, "")
	if err != nil {
		tb.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := hub.New(tb.Context(), hub.Options{Engine: memory.New(memory.Options{}), Rules: set, Logger: logger})
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{node: NewNode(Options{Hub: h, Logger: logger, Anonymous: auth.NewAnonymous([]byte("a secret of sixteen bytes"))}, "memory")}
	tb.Cleanup(func() { _ = h.Close(tb.Context()) })
	for range members {
		identity, token, failure := c.node.Identify(tb.Context(), Credentials{})
		if failure != nil {
			tb.Fatal(failure)
		}
		s := new(Session)
		s.Open(c.node, new(sink), identity, token)
		s.Start()
		c.receive(tb, s, `{"type":"join","room":"r"}`)
		c.sessions = append(c.sessions, s)
	}
	c.node.Hub.Flush()
	return c
}

// receive hands one envelope to a session.
func (c *crowd) receive(tb testing.TB, s *Session, envelope string) {
	var parser protocol.Parser
	if err := parser.Start([]byte(envelope)); err != nil {
		tb.Fatal(err)
	}
	if ok, err := parser.Next(&c.request); !ok || err != nil {
		tb.Fatal(ok, err)
	}
	s.Receive(&c.request)
}

const publishText = `{"type":"publish","room":"r","data":{"text":"hello, this is a message of the usual length"}}`

// BenchmarkPublishToMembers is one publish of a member, from the parsed request to all others, without any socket.
func BenchmarkPublishToMembers(b *testing.B) {
	for _, members := range []int{10, 1000} {
		b.Run(fmt.Sprint(members, "-members"), func(b *testing.B) {
			c := newCrowd(b, members)
			c.receive(b, c.sessions[0], publishText)
			b.ReportAllocs()
			for b.Loop() {
				c.sessions[0].Receive(&c.request)
				c.node.Hub.Flush()
			}
		})
	}
}

// TestPublishAllocatesTheSameWhateverTheRoomsSize holds a publish to a memory engine to three pieces of memory: the
// message, the entry of the room's tail, and its frame.
func TestPublishAllocatesTheSameWhateverTheRoomsSize(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has pools forget")
	}
	for _, members := range []int{1, 10, 1000} {
		c := newCrowd(t, members)
		c.receive(t, c.sessions[0], publishText)
		publish := func() {
			c.sessions[0].Receive(&c.request)
			c.node.Hub.Flush()
		}
		for range 2000 { // until the log and the tail are as large as they get
			publish()
		}
		if n := testing.AllocsPerRun(500, publish); n > 3 {
			t.Errorf("%d members: %g allocations a publish", members, n)
		}
	}
}
