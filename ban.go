package wireroom

import (
	"context"
	"errors"
	"time"
)

// Revocation says which tokens are void: one of them by its ID, or those of a user.
type Revocation struct {
	TokenID string    // `jti` of the token
	User    string    // whose tokens are void that were issued (`iat`) before Before, or do not say when
	Before  time.Time // zero: until now; `iat` is in whole seconds, so that those made later in this second are void, too
	Until   time.Time // when the tokens have expired, and need not be remembered any more; zero: for good
}

// Revoke makes tokens void: sessions that were let in with them end within a second, with protocol.CloseUnauthorized, and
// do nothing more meanwhile. It is a record of the engine where the engine has records, and every node hears of it at
// once, or within 30 seconds at the latest. With an error it holds on this node, for the time being.
func (s *Server) Revoke(ctx context.Context, r Revocation) error {
	switch {
	case r.TokenID == "" && r.User == "":
		return errors.New("wireroom: revoke: neither a token nor a user")
	case r.TokenID != "" && r.User != "":
		return errors.New("wireroom: revoke: either a token or a user")
	case r.TokenID != "":
		return s.node.RevokeToken(ctx, r.TokenID, r.Until)
	}
	return s.node.RevokeUser(ctx, r.User, r.Before, r.Until)
}

// Block keeps a user out for some time, 0 for good: its sessions end within a second, with protocol.CloseForbidden, and
// it is refused wherever it connects. What Revoke says of records and errors holds here, too. An anonymous user can come
// back as another one.
func (s *Server) Block(ctx context.Context, user, reason string, duration time.Duration) error {
	if user == "" {
		return errors.New("wireroom: block: no user")
	}
	return s.node.Block(ctx, user, reason, duration)
}

// Unblock ends a block.
func (s *Server) Unblock(ctx context.Context, user string) error { return s.node.Unblock(ctx, user) }
