package session

import (
	"slices"
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// Framing implements hub.Receiver.
func (s *Session) Framing() hub.Framing { return s.outlet.Framing() }

// Deliver implements hub.Receiver.
func (s *Session) Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome {
	return s.outlet.Deliver(frames, unless)
}

// Ready implements hub.Receiver.
func (s *Session) Ready() bool { return s.outlet.Ready() }

// Removed implements hub.Receiver.
func (s *Session) Removed(m *hub.Member, why *protocol.Kicked) {
	s.drop(m)
	s.outlet.Push(why)
	s.informLeave(m.Room())
}

// drop forgets a membership.
func (s *Session) drop(m *hub.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.rooms, m); i >= 0 {
		s.rooms = slices.Delete(s.rooms, i, i+1)
	}
}

func (s *Session) informLeave(room string) {
	if hook := s.node.Hooks.Leave; hook != nil {
		s.later(func() { hook(s, room) })
	}
}
