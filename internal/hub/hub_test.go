package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// lines is a framing whose frames are lines of JSON.
type lines struct{}

func (*lines) AppendFrame(dst []byte, p protocol.Push) []byte {
	return append(protocol.AppendPush(dst, p), '\n')
}

// socket is a receiver in memory that can be full.
type socket struct {
	hub     *Hub
	framing Framing
	client  Client

	mu      sync.Mutex
	full    bool
	takes   func() int // how many bytes of a delivery; nil: all
	took    bytes.Buffer
	writes  int
	blocked int
	removed []*protocol.Kicked
	member  *Member
}

func newSocket(h *Hub, framing Framing, user string) *socket {
	return &socket{hub: h, framing: framing, client: Client{ID: "client-" + user, User: user, Name: user}}
}

func (s *socket) Framing() Framing { return s.framing }

func (s *socket) Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case unless.Load():
		return conn.Skipped
	case s.full:
		s.blocked++
		return conn.Blocked
	}
	s.writes++
	if s.takes != nil {
		if n := s.takes(); n < len(frames.Bytes) {
			return s.cut(frames, n)
		}
	}
	s.took.Write(frames.Bytes)
	return conn.Sent
}

// cut takes n bytes of a delivery, and then the rest of the frame that was cut.
func (s *socket) cut(frames conn.Frames, n int) conn.Outcome {
	s.full = true
	if n == 0 {
		return conn.Blocked
	}
	s.took.Write(frames.Bytes[:n])
	s.took.Write(frames.Cut.Cut(n))
	return conn.Kept
}

func (s *socket) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.full
}

func (s *socket) Removed(_ *Member, why *protocol.Kicked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = append(s.removed, why)
}

// fill makes the socket full, and drain takes bytes again.
func (s *socket) fill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = true
}

func (s *socket) drain() {
	s.mu.Lock()
	s.full = false
	m := s.member
	s.mu.Unlock()
	s.hub.CatchUp(m)
}

// envelope is what a test looks at of what a socket took.
type envelope struct {
	Type    string
	Room    string
	Pos     string
	User    string
	Name    string
	Event   string
	Count   int
	Reason  string
	Data    json.RawMessage
	Members []protocol.Member
}

// take returns what the socket took since the last take.
func (s *socket) take(t *testing.T) []envelope {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []envelope
	for line := range bytes.Lines(s.took.Bytes()) {
		var e envelope
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	s.took.Reset()
	return all
}

// say returns what the socket took, as a short text for comparisons.
func (s *socket) say(t *testing.T) string {
	t.Helper()
	text := ""
	for _, e := range s.take(t) {
		switch e.Type {
		case protocol.TypeMessage:
			text += " " + string(e.Data)
		case protocol.TypeGap:
			text += " gap:" + e.Reason
		case protocol.TypePresence:
			text += fmt.Sprintf(" presence:%d", e.Count)
		case protocol.TypeUserJoined:
			text += fmt.Sprintf(" +%s:%d", e.User, e.Count)
		case protocol.TypeUserLeft:
			text += fmt.Sprintf(" -%s:%d", e.User, e.Count)
		default:
			text += " " + e.Type
		}
	}
	if text == "" {
		return ""
	}
	return text[1:]
}

// newHub returns a hub over the memory engine, or the one given.
func newHub(t *testing.T, rules ...rule.Rule) *Hub {
	t.Helper()
	return newHubOn(t, memory.New(memory.Options{}), nil, rules...)
}

func newHubOn(t *testing.T, e engine.Engine, occupied func(string, bool), rules ...rule.Rule) *Hub {
	t.Helper()
	set, err := rule.NewSet(rules, "")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), Options{Engine: e, Rules: set, Logger: slog.New(slog.DiscardHandler), Occupied: occupied})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// join joins and returns the reply.
func (s *socket) join(t *testing.T, q JoinRequest) *protocol.Joined {
	t.Helper()
	q.Client = &s.client
	var reply *protocol.Joined
	err := s.hub.Join(t.Context(), q, s, func(m *Member, j *protocol.Joined) {
		copied := *j
		reply = &copied
		s.mu.Lock()
		s.member = m
		s.mu.Unlock()
	})
	if err != nil {
		t.Fatal(err)
	}
	s.hub.Flush()
	return reply
}

// publish publishes data and flushes.
func publish(t *testing.T, h *Hub, room, data string) protocol.Position {
	t.Helper()
	p := publishLater(t, h, &engine.Publication{Message: &protocol.Message{Room: room, Data: json.RawMessage(data)}})
	h.Flush()
	return p
}

// publishLater publishes and leaves the flush to the caller.
func publishLater(t *testing.T, h *Hub, p *engine.Publication) protocol.Position {
	t.Helper()
	done := make(chan engine.Receipt, 1)
	h.Publish(t.Context(), p, func(r engine.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
		done <- r
	})
	return (<-done).Position
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %.300q (%d bytes), want %.300q (%d bytes)", what, got, len(got), want, len(want))
	}
}
