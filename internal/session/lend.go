package session

import (
	"context"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// Lend begins a session for requests that come without a connection: it sends no welcome, is not counted, can be in no
// room, and shares what its user may do with all that the user has besides. It is called instead of Open, and Start need
// not follow; after an error nothing does. Close gives the session back.
func (s *Session) Lend(node *Node, outlet Outlet, identity *auth.Identity) *protocol.Error {
	account, _ := node.users.Hold(identity.User)
	now := node.clock()
	if blocked := account.Blocked(now, Offences()); blocked > 0 {
		node.users.Release(identity.User, account, now)
		node.Metrics.Add(metrics.RefusedBlockedUser, 1)
		return rateLimited(blocked, "blocked for some time")
	}
	s.node, s.outlet = node, outlet
	if s.client.ID == "" {
		s.client.ID = NewClient()
	}
	s.client.User, s.client.Name = identity.User, identity.Name
	s.account.Store(account)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity, s.phase, s.started, s.authed = identity, phaseLent, true, true
	return nil
}

// Renew takes the token that the session's user has presented since: what it allows holds from now on, and so does its
// end. It may wait for an application's hook.
func (s *Session) Renew(ctx context.Context, identity *auth.Identity) {
	s.mu.Lock()
	same := s.phase == phaseOpen && identity.User == s.client.User
	s.mu.Unlock()
	if same {
		s.guard(func() {
			if s.mayBeCalled(identity) != nil { // a later request may say it again
				known := *identity
				known.Name = s.Client().Name
				identity = &known
			}
			s.refresh(ctx, identity)
		})
	}
}

// Drop ends the session's membership of a room as a broken connection does: its user is present for a while longer. It
// reports whether there was one.
func (s *Session) Drop(room string) bool {
	m := s.member([]byte(room))
	if m == nil {
		return false
	}
	s.drop(m)
	if s.node.Hub.Leave(m, hub.Departure{}) {
		s.informLeave(m.Room())
	}
	return true
}
