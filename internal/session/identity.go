package session

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// auth says who the session is, renames its anonymous user, or refreshes the token of the user that it has.
func (s *Session) auth(r *protocol.Request) *protocol.Error {
	if !r.Has.Has(protocol.HasToken) && !r.Has.Has(protocol.HasName) {
		return fail(protocol.CodeBadRequest, "token", "a token or a name is needed")
	}
	if r.Has.Has(protocol.HasToken) && len(r.Token) == 0 {
		return fail(protocol.CodeBadRequest, "token", "the token is empty")
	}
	if s.exposed() && len(r.Token) > 0 {
		return ErrExposed
	}
	s.mu.Lock()
	phase, rooms, authed, user := s.phase, len(s.rooms), s.authed, s.client.User
	s.mu.Unlock()
	if phase == phaseOpen && len(r.Token) == 0 {
		return s.callItself(r, string(r.Name))
	}
	identity, token, err := s.node.Identify(s.node.ctx, Credentials{Token: string(r.Token), Name: string(r.Name)})
	if err != nil {
		return err
	}
	if identity == nil {
		return fail(protocol.CodeUnauthorized, "token", "a token is needed")
	}
	same := user == identity.User
	if phase == phaseOpen && !same && (rooms > 0 || authed) {
		return fail(protocol.CodeUserMismatch, "token", "this session is another user's")
	}
	if phase == phaseOpen && same {
		if err := s.mayBeCalled(identity); err != nil {
			return err
		}
	}
	s.authenticated(r, identity)
	if phase == phaseOpen && same {
		s.refresh(s.node.ctx, identity)
		return nil
	}
	s.enter(identity, token)
	return nil
}

// authenticated answers an auth.
func (s *Session) authenticated(r *protocol.Request, identity *auth.Identity) {
	result := &protocol.Authenticated{User: identity.User, Name: identity.Name}
	if !identity.Expires.IsZero() {
		result.ExpiresAt = identity.Expires.UnixMilli()
	}
	s.ok(r, result)
}

// callItself gives an open session's anonymous user another display name, which nobody vouches for; it stays the same user.
// The welcome that follows has a token with the name.
func (s *Session) callItself(r *protocol.Request, name string) *protocol.Error {
	if err := s.setName(name); err != nil {
		return err
	}
	identity := s.Identity()
	s.authenticated(r, identity)
	token := ""
	if s.node.Anonymous != nil {
		var err error
		if token, err = s.node.Anonymous.Renew(identity.User, name); err != nil {
			s.node.Logger.Error("an anonymous user's token could not be renewed", "error", err)
		}
	}
	s.welcome(token, s.node.Users())
	return nil
}

// SetName changes the display name of an anonymous user who is in no room yet, or no more.
func (s *Session) SetName(name string) error {
	if err := s.setName(name); err != nil {
		return err
	}
	return nil
}

func (s *Session) setName(name string) *protocol.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(name) > maxNameLen:
		s.node.Metrics.Add(metrics.RefusedNameLength, 1)
		return fail(protocol.CodeTooLarge, "name", "the name is too long")
	case !validName(name):
		return errName
	case s.authed || len(s.rooms) > 0:
		return errNamed
	}
	s.client.Name = name
	return nil
}

// mayBeCalled returns an error unless the session may take the name of a new identity of its user. All its rooms are told
// of another one, and each counts as a join.
func (s *Session) mayBeCalled(identity *auth.Identity) *protocol.Error {
	s.mu.Lock()
	rooms, same := len(s.rooms), identity.Name == "" || identity.Name == s.client.Name
	s.mu.Unlock()
	switch {
	case same || rooms == 0:
		return nil
	case identity.Anonymous:
		return errNamed
	}
	rate := s.node.limits.Load().Joins
	if wait := s.joins.Take(s.node.clock(), min(rooms, max(rate.Burst, 1)), rate); wait > 0 {
		s.node.Metrics.Add(metrics.RefusedJoins, 1)
		return rateLimited(wait, "too many rooms to tell another name")
	}
	return nil
}

// refresh takes a new token of the session's user: what it allows holds from now on, and so does its end, and the user is
// called what it says.
func (s *Session) refresh(ctx context.Context, identity *auth.Identity) {
	s.mu.Lock()
	s.follow(identity)
	renamed := identity.Name != "" && identity.Name != s.client.Name
	if renamed {
		s.client.Name = identity.Name
	}
	s.mu.Unlock()
	s.recheck(ctx)
	if renamed {
		for _, m := range s.members() {
			s.rename(m, "")
		}
	}
}

// rename has the room of a membership call the user as the session does, which may change meanwhile; told is what it was told.
func (s *Session) rename(m *hub.Member, told string) {
	for name := s.Client().Name; name != told; name = s.Client().Name {
		s.node.Hub.Rename(m, name)
		told = name
	}
}

// follow makes the session end with its identity's token. That it expires soon is told once, however often a client
// presents it: polls do so with each request. The session is locked.
func (s *Session) follow(identity *auth.Identity) {
	deadline := int64(0)
	if !identity.Expires.IsZero() {
		deadline = identity.Expires.Unix() + leeway
	}
	s.warned = s.warned && deadline == s.deadline
	s.identity, s.deadline = identity, deadline
	s.seen.Store(s.node.bans.version.Load() - 1) // it may have been kept out since it was found good
	if plain(identity) {
		s.identity = nil
	}
}

// plain reports whether an identity is an anonymous user's of whom nothing else is known. There are many of them, and
// what they are the session has already.
func plain(i *auth.Identity) bool {
	return i.Anonymous && i.Roles == nil && i.Grants == nil && i.TokenID == "" && i.Expires.IsZero()
}

// Identity returns who the session's user is; nil before it has authenticated.
func (s *Session) Identity() *auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.identity != nil:
		return s.identity
	case s.client.User == "":
		return nil
	}
	return &auth.Identity{User: s.client.User, Name: s.client.Name, Anonymous: true}
}

// errName is the error of a name that could not be shown as it is.
var errName = &protocol.Error{Code: protocol.CodeBadRequest, Field: "name", Message: "a name is text without control characters"}

// errNamed is the error of a name that has been told already, or that somebody vouches for.
var errNamed = &protocol.Error{Code: protocol.CodeForbidden, Field: "name", Message: "the name cannot be changed now"}

// presentable returns an identity whose name can be shown as it is: what others say somebody is called is not bounded.
func presentable(identity *auth.Identity) *auth.Identity {
	if len(identity.Name) <= maxNameLen && validName(identity.Name) {
		return identity
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(identity.Name, "\uFFFD"))
	if len(name) > maxNameLen {
		name = strings.ToValidUTF8(name[:maxNameLen], "")
	}
	shown := *identity
	shown.Name = name
	return &shown
}

// validName reports whether a display name can stand in a line of text wherever it is shown.
func validName(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
