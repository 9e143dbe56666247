package session

import (
	"bytes"
	"context"
	"errors"
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
	m := s.member(r.Room)
	if m != nil && !isAppointed(m) {
		s.ok(r, &protocol.Joined{Room: m.Room(), Already: true})
		return nil
	}
	if err := checkState(r); err != nil {
		return err
	}
	q := hub.JoinRequest{
		Room: string(r.Room), Client: &s.client,
		Last: r.Last, Presence: r.Presence, State: bytes.Clone(r.State), Instead: m,
	}
	if r.Has.Has(protocol.HasSince) {
		var err error
		q.Since, err = protocol.ParsePosition(r.Since)
		q.Invalid = err != nil
	}
	return s.enterRoom(s.node.ctx, q, 0, func(j *protocol.Joined) { s.ok(r, j) })
}

// appointed is the note of a membership that the application began. The client has not asked for it and cannot know where
// it stands: its own join, with which it learns that, takes its place.
const appointed = 1 << 31

func isAppointed(m *hub.Member) bool { return m.Notes().Load()&appointed != 0 }

// Join makes the session a member of a room, as if its client had asked for it; joined is the reply's place and must
// not block. It is for an application's own code.
func (s *Session) Join(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) error {
	if s.member([]byte(q.Room)) != nil {
		joined(&protocol.Joined{Room: q.Room, Already: true})
		return nil
	}
	return s.put(ctx, q, appointed, joined)
}

// Rejoin is Join for a client that was in the room before, by its own wish, and comes back to where it stood. Where an
// application has had the session join the room already, another membership takes the place of that one, and nobody sees
// it leave.
func (s *Session) Rejoin(ctx context.Context, q hub.JoinRequest, joined func(*protocol.Joined)) error {
	q.Instead = s.member([]byte(q.Room))
	return s.put(ctx, q, 0, joined)
}

func (s *Session) put(ctx context.Context, q hub.JoinRequest, notes uint32, joined func(*protocol.Joined)) error {
	q.Client = &s.client
	follower, _ := s.outlet.(Follower)
	err := s.enterRoom(ctx, q, notes, func(j *protocol.Joined) {
		if follower != nil {
			follower.Joined(j)
		}
		joined(j)
	})
	if err != nil {
		s.denied(WantedJoin, q.Room, err)
		return err
	}
	s.node.Hub.Flush()
	return nil
}

// enterRoom has the session join a room, if it may; notes are those of the membership. Who is in the room already, by the
// application's doing, is asked for nothing but what the new membership has besides.
func (s *Session) enterRoom(ctx context.Context, q hub.JoinRequest, notes uint32, joined func(*protocol.Joined)) *protocol.Error {
	if err := s.permitJoin(ctx, &q); err != nil {
		return err
	}
	if q.Instead == nil {
		if err := s.mayEnter(); err != nil {
			return err
		}
		if hook := s.node.Hooks.Join; hook != nil {
			if err := hook(ctx, s, q.Room); err != nil {
				return s.hookError(err)
			}
		}
	}
	err := s.becomeMember(ctx, &q, notes, joined)
	if errors.Is(err, hub.ErrNotMember) { // what it was to take the place of has ended meanwhile
		q.Instead = nil
		return s.enterRoom(ctx, q, notes, joined)
	}
	if err != nil {
		return clientError(s.node.Logger, err)
	}
	return nil
}

// becomeMember makes the session a member of a room in which it may be.
func (s *Session) becomeMember(ctx context.Context, q *hub.JoinRequest, notes uint32, joined func(*protocol.Joined)) error {
	s.joining.Lock() // an application may have the session join while its client does
	defer s.joining.Unlock()
	m := s.member([]byte(q.Room))
	switch {
	case m == nil && q.Instead != nil:
		return hub.ErrNotMember
	case m == q.Instead:
	case q.Instead != nil, notes&appointed != 0, !isAppointed(m):
		joined(&protocol.Joined{Room: q.Room, Already: true})
		return nil
	default:
		q.Instead = m
	}
	if q.Instead == nil {
		if err := s.mayEnter(); err != nil {
			return err
		}
	}
	q.Name = s.Client().Name
	if o, ok := s.outlet.(Returning); ok {
		q.Returns = o.Returns(q.Room)
	}
	var late, entered *hub.Member
	err := s.node.Hub.Join(ctx, *q, s, func(m *hub.Member, j *protocol.Joined) {
		entered = m
		m.Notes().Or(notes)
		s.mu.Lock()
		if s.phase == phaseClosed {
			late = m
		} else if i := slices.Index(s.rooms, q.Instead); i >= 0 {
			s.rooms[i] = m
		} else {
			s.rooms = append(s.rooms, m)
		}
		s.mu.Unlock()
		joined(j)
	})
	if late != nil { // the connection went away meanwhile
		s.node.Hub.Leave(late, hub.Departure{})
	} else if entered != nil {
		s.rename(entered, q.Name) // where there was another token meanwhile
	}
	return err
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
