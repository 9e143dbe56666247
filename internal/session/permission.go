package session

import (
	"context"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// Decision is what a Permit hook says.
type Decision uint8

// The decisions.
const (
	ByRule Decision = iota // the room's rule decides
	Allowed
	Denied
)

// permit returns an error unless the session may do one thing in a room. m is its membership of the room, nil for none;
// that remembers what the rule says. This and decide are the one place where permissions are decided, for every command
// on every transport.
func (s *Session) permit(ctx context.Context, verb auth.Verb, room string, m *hub.Member) *protocol.Error {
	known, allowed := uint32(verb)<<8, uint32(verb)
	remembers := m != nil && s.node.Hooks.Permit == nil
	if remembers && m.Notes().Load()&known != 0 {
		if m.Notes().Load()&allowed != 0 {
			return nil
		}
		return denied(verb)
	}
	var before *rule.Rule
	if remembers {
		before = s.node.Hub.Rule(room)
	}
	answer, err := s.decide(ctx, verb, room)
	if err != nil {
		return err
	}
	good := answer == rule.Yes || answer == rule.IfMember && m != nil
	if answer == rule.IfMember && m == nil {
		var failure error
		if good, failure = s.node.Hub.IsMember(room, s.client.User); failure != nil {
			return clientError(s.node.Logger, failure)
		}
	}
	if remembers {
		notes := known
		if good {
			notes |= allowed
		}
		m.Notes().Or(notes)
		if s.node.Hub.Rule(room) != before {
			m.Notes().And(appointed) // the rules were changed meanwhile, and Recheck may have been here already
		}
	}
	if !good {
		return denied(verb)
	}
	return nil
}

// decide says whether the session may do one thing in a room: the application's hook first, then the room's rule.
func (s *Session) decide(ctx context.Context, verb auth.Verb, room string) (rule.Answer, *protocol.Error) {
	if hook := s.node.Hooks.Permit; hook != nil {
		decision, err := hook(ctx, s, verb, room)
		switch {
		case err != nil:
			return rule.No, s.hookError(err)
		case decision == Denied:
			return rule.No, nil
		case decision == Allowed && !s.foreignInbox(verb, room):
			return rule.Yes, nil
		}
	}
	s.mu.Lock()
	user, identity := s.client.User, s.identity
	s.mu.Unlock()
	return s.node.Hub.Rule(room).May(verb, room, user, identity), nil
}

// asksAround reports whether other nodes may have to be asked before it is known whether the session may publish in a
// room: those may who are in it, and this session is not.
func (s *Session) asksAround(room []byte) bool {
	if s.node.inline || !protocol.CheckRoom(room) || s.member(room) != nil {
		return false
	}
	answer, err := s.decide(s.node.ctx, auth.Publish, string(room))
	return err == nil && answer == rule.IfMember
}

// permitJoin returns an error unless the session may become a member as q says. The position before the first message is
// no proof of having been in the room, since its check is known to all: who must not read history is not let back to it.
func (s *Session) permitJoin(ctx context.Context, q *hub.JoinRequest) *protocol.Error {
	if err := s.permit(ctx, auth.Join, q.Room, nil); err != nil {
		return err
	}
	if !q.Since.IsZero() && q.Since.Offset == 0 {
		answer, err := s.decide(ctx, auth.History, q.Room)
		if err != nil {
			return err
		}
		if answer == rule.No {
			q.Since, q.Invalid = protocol.Position{}, true
		}
	}
	for _, besides := range []struct {
		wanted bool
		verb   auth.Verb
		field  string
	}{{q.Presence, auth.Presence, "presence"}, {q.Last > 0, auth.History, "last"}} {
		if !besides.wanted {
			continue
		}
		answer, err := s.decide(ctx, besides.verb, q.Room)
		switch {
		case err != nil:
			return err
		case answer == rule.No:
			return fail(protocol.CodeForbidden, besides.field, besides.verb.String()+" is not allowed here")
		}
	}
	return nil
}

// denied is the error of what is not allowed.
func denied(verb auth.Verb) *protocol.Error {
	return fail(protocol.CodeForbidden, "room", verb.String()+" is not allowed here")
}

// foreignInbox reports whether a room is the inbox of somebody else, who alone may do that there, whatever anybody says.
func (s *Session) foreignInbox(verb auth.Verb, room string) bool {
	return verb != auth.Publish && room[0] == '@' && room[1:] != protocol.EncodeUser(s.client.User)
}

// Recheck puts the session out of the rooms that it may not be in any more, behind the requests under way: what the rules
// say has changed.
func (s *Session) Recheck() {
	if s.node != nil { // otherwise the client was refused
		s.later(func() { s.recheck(s.node.ctx) })
	}
}

// recheck puts the session out of the rooms that it may not be in any more, since its token changed. Where it may not
// see who is there any more it is not told from now on.
func (s *Session) recheck(ctx context.Context) {
	for _, m := range s.members() {
		m.Notes().And(appointed)
		if s.permit(ctx, auth.Join, m.Room(), nil) == nil {
			if m.Presence() && s.permit(ctx, auth.Presence, m.Room(), m) != nil {
				m.EndPresence()
			}
			continue
		}
		if s.node.Hub.Leave(m, hub.Departure{Why: hub.LeftForbidden, Now: true}) {
			s.Removed(m, &protocol.Kicked{Room: m.Room(), Reason: string(protocol.CodeForbidden)})
		}
	}
	s.node.Hub.Flush()
}
