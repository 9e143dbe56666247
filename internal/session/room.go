package session

import (
	"bytes"
	"context"
	"slices"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// room checks the room that a request names.
func (s *Session) room(r *protocol.Request) *protocol.Error {
	if !r.Has.Has(protocol.HasRoom) {
		return fail(protocol.CodeBadRequest, "room", "a room is needed")
	}
	if !protocol.CheckRoom(r.Room) {
		return fail(protocol.CodeInvalidRoom, "room", "not the name of a room")
	}
	return nil
}

// join makes the session a member of a room.
func (s *Session) join(r *protocol.Request) *protocol.Error {
	if err := s.room(r); err != nil {
		return err
	}
	if m := s.member(r.Room); m != nil {
		s.ok(r, &protocol.Joined{Room: m.Room(), Already: true})
		return nil
	}
	if err := checkState(r); err != nil {
		return err
	}
	q := hub.JoinRequest{
		Room: string(r.Room), Client: &s.client,
		Last: r.Last, Presence: r.Presence, State: bytes.Clone(r.State),
	}
	if r.Has.Has(protocol.HasSince) {
		var err error
		q.Since, err = protocol.ParsePosition(r.Since)
		q.Invalid = err != nil
	}
	return s.enterRoom(s.node.ctx, q, func(j *protocol.Joined) { s.ok(r, j) })
}

// Join makes the session a member of a room, as if its client had asked for it; joined is the reply's place and must
// not block. It is for an application's own code.
func (s *Session) Join(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) error {
	if s.member([]byte(q.Room)) != nil {
		joined(&protocol.Joined{Room: q.Room, Already: true})
		return nil
	}
	q.Client = &s.client
	if err := s.enterRoom(ctx, q, s.followed(joined)); err != nil {
		s.denied(WantedJoin, q.Room, err)
		return err
	}
	s.node.Hub.Flush()
	return nil
}

// followed returns a reply's place behind that of an outlet that keeps where its client stands.
func (s *Session) followed(joined func(*protocol.Joined)) func(*protocol.Joined) {
	follower, ok := s.outlet.(Follower)
	if !ok {
		return joined
	}
	return func(j *protocol.Joined) {
		follower.Joined(j)
		joined(j)
	}
}

func (s *Session) enterRoom(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) *protocol.Error {
	if err := s.permitJoin(ctx, &q); err != nil {
		return err
	}
	if err := s.mayEnter(); err != nil {
		return err
	}
	if hook := s.node.Hooks.Join; hook != nil {
		if err := hook(ctx, s, q.Room); err != nil {
			return s.hookError(err)
		}
	}
	s.joining.Lock() // an application may have the session join while its client does
	defer s.joining.Unlock()
	if s.member([]byte(q.Room)) != nil {
		joined(&protocol.Joined{Room: q.Room, Already: true})
		return nil
	}
	if err := s.mayEnter(); err != nil {
		return err
	}
	return s.take(ctx, q, joined)
}

// Rejoin is Join for a client that comes back to where it stood. Where an application has had the session join the room
// already, another membership takes the place of that one, and nobody sees it leave. Nothing may be delivered to the
// session until it returns.
func (s *Session) Rejoin(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) error {
	old := s.member([]byte(q.Room))
	if old == nil {
		return s.Join(ctx, q, joined)
	}
	q.Client = &s.client
	err := s.permitJoin(ctx, &q)
	if err == nil {
		s.joining.Lock()
		defer s.joining.Unlock()
		err = s.take(ctx, q, s.followed(joined))
	}
	if err != nil {
		s.denied(WantedJoin, q.Room, err)
		return err
	}
	s.drop(old)
	s.node.Hub.Leave(old, hub.Departure{})
	s.node.Hub.Flush()
	return nil
}

// take makes the session a member of a room, for which it is locked.
func (s *Session) take(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) *protocol.Error {
	var late *hub.Member
	err := s.node.Hub.Join(ctx, q, s, func(m *hub.Member, j *protocol.Joined) {
		s.mu.Lock()
		if s.phase == phaseClosed {
			late = m
		} else {
			s.rooms = append(s.rooms, m)
		}
		s.mu.Unlock()
		joined(j)
	})
	if err != nil {
		return clientError(s.node.Logger, err)
	}
	if late != nil { // the connection went away meanwhile
		s.node.Hub.Leave(late, hub.Departure{})
	}
	return nil
}

// mayEnter returns an error unless the session may be in one more room.
func (s *Session) mayEnter() *protocol.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := s.node.limits.Load().Rooms; {
	case s.phase == phaseClosed:
		return fail(protocol.CodeForbidden, "", "the connection has ended")
	case s.phase == phaseLent:
		return fail(protocol.CodeBadRequest, "", "a request without a connection cannot be in a room")
	case n > 0 && len(s.rooms) >= n:
		s.node.Metrics.Add(metrics.RefusedRooms, 1)
		return fail(protocol.CodeRoomLimit, "room", "this connection is in as many rooms as it may be")
	}
	return nil
}

// leave ends the session's membership of a room.
func (s *Session) leave(r *protocol.Request) *protocol.Error {
	if err := s.room(r); err != nil {
		return err
	}
	m := s.member(r.Room)
	if m == nil {
		return fail(protocol.CodeNotJoined, "room", "not in this room")
	}
	s.leaveRoom(m)
	s.ok(r, &protocol.Left{Room: m.Room()})
	return nil
}

// Leave ends the session's membership of a room; it reports whether there was one.
func (s *Session) Leave(room string) bool {
	m := s.member([]byte(room))
	if m == nil {
		return false
	}
	s.leaveRoom(m)
	if follower, ok := s.outlet.(Follower); ok {
		follower.Left(room)
	}
	s.node.Hub.Flush()
	return true
}

func (s *Session) leaveRoom(m *hub.Member) {
	s.drop(m)
	if s.node.Hub.Leave(m, hub.Departure{Why: hub.LeftAsked, Now: true}) {
		s.informLeave(m.Room())
	}
}

// In reports whether the session is in a room.
func (s *Session) In(room string) bool { return slices.Contains(s.Rooms(), room) }
