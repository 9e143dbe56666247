package session

import (
	"bytes"
	"fmt"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// history answers with a part of a room's log.
func (s *Session) history(r *protocol.Request) *protocol.Error {
	room, err := s.mayAsk(r, auth.History)
	if err != nil {
		return err
	}
	q := engine.Query{Limit: protocol.MaxHistory, MaxBytes: protocol.MaxHistoryBytes * 3 / 4}
	if r.Has.Has(protocol.HasLimit) {
		q.Limit = min(r.Limit, protocol.MaxHistory)
	}
	var unreadable error
	switch {
	case r.Has.Has(protocol.HasSince) && r.Has.Has(protocol.HasBefore):
		return fail(protocol.CodeBadRequest, "before", "either since or before")
	case r.Has.Has(protocol.HasSince):
		q.Since, unreadable = protocol.ParsePosition(r.Since)
	case r.Has.Has(protocol.HasBefore):
		q.Before, unreadable = protocol.ParsePosition(r.Before)
	default:
		q.Last = q.Limit
	}
	if unreadable != nil {
		q = engine.Query{}
	}
	page, failure := s.node.Hub.History(s.node.ctx, room, q)
	if failure != nil {
		return clientError(s.node.Logger, failure)
	}
	if unreadable != nil {
		page.Refused = protocol.ReasonEpoch
	}
	s.ok(r, historyOf(room, q, page))
	return nil
}

// historyOf turns a page into the result of a history request.
func historyOf(room string, q engine.Query, page engine.Page) *protocol.History {
	h := &protocol.History{Room: room, Messages: page.Messages, Position: page.Head, More: page.More, Refused: page.Refused}
	if n := len(page.Messages); n > 0 && (page.More || !q.Before.IsZero()) && q.Last == 0 {
		h.Position = page.Messages[n-1].Position
	}
	return h
}

// presence answers with who is in a room.
func (s *Session) presence(r *protocol.Request) *protocol.Error {
	room, err := s.mayAsk(r, auth.Presence)
	if err != nil {
		return err
	}
	limit := protocol.MaxMembers
	if r.Has.Has(protocol.HasLimit) {
		limit = max(1, min(r.Limit, protocol.MaxMembers))
	}
	members, failure := s.node.Hub.Members(room, string(r.Next), limit)
	if failure != nil {
		return clientError(s.node.Logger, failure)
	}
	s.ok(r, members)
	return nil
}

// state replaces the member's own data in a room.
func (s *Session) state(r *protocol.Request) *protocol.Error {
	if err := s.room(r); err != nil {
		return err
	}
	if !r.Has.Has(protocol.HasState) {
		return fail(protocol.CodeBadRequest, "state", "state is needed")
	}
	if err := checkState(r); err != nil {
		return err
	}
	m := s.member(r.Room)
	switch {
	case m == nil:
		return fail(protocol.CodeNotJoined, "room", "not in this room")
	case s.node.Hub.Rule(m.Room()).NoPresence:
		return fail(protocol.CodePresenceDisabled, "room", "presence is disabled in this room")
	}
	s.node.Hub.SetState(m, bytes.Clone(r.State))
	s.ok(r, nil)
	return nil
}

// checkState returns an error for data of a member's own that is too long: a list of users has that of each.
func checkState(r *protocol.Request) *protocol.Error {
	if len(r.State) > protocol.MaxStateLen {
		return fail(protocol.CodeTooLarge, "state", fmt.Sprintf("state is longer than %d bytes", protocol.MaxStateLen))
	}
	return nil
}

// mayAsk checks a request that reads a room, and returns the room's name.
func (s *Session) mayAsk(r *protocol.Request, verb auth.Verb) (string, *protocol.Error) {
	if err := s.room(r); err != nil {
		return "", err
	}
	room := string(r.Room)
	return room, s.permit(s.node.ctx, verb, room, s.member(r.Room))
}
