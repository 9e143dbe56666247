// Package auth says who a client is: tokens in, identities out.
//
// A Verifier checks JSON Web Tokens (RFC 7519) with keys of its own or those of an identity provider. HMAC is the one
// for a single shared secret. A SigningKey makes tokens.
package auth

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Errors of an Authenticator; wrapped with the reason, which never contains the token.
var (
	ErrInvalid     = errors.New("invalid token")
	ErrExpired     = errors.New("token expired")
	ErrUnavailable = errors.New("tokens cannot be checked now") // the keys cannot be had; the token may be good
)

// Identity is who a client is and what its token allows. It is immutable and shared.
type Identity struct {
	User      string
	Name      string    // a display name
	Anonymous bool      // nobody vouches for the user but the server itself
	Roles     []string  // of the user; rules name them
	Grants    []Grant   // what the user may do where, beside what its roles allow
	TokenID   string    // names the token, for revoking it alone; may be empty
	Issued    time.Time // when the token was made; zero: unknown
	Expires   time.Time // zero: never
}

// HasRole reports whether the user has a role. It is false for a nil identity.
func (i *Identity) HasRole(role string) bool { return i != nil && slices.Contains(i.Roles, role) }

// Authenticator turns a token into an identity. It may be called at once; an error wraps ErrInvalid, ErrExpired or
// ErrUnavailable, or is a failure of the authenticator itself.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*Identity, error)
}
