// Package auth says who a client is: tokens in, identities out.
package auth

import (
	"context"
	"errors"
	"time"
)

// Errors of an Authenticator; wrapped with the reason.
var (
	ErrInvalid = errors.New("invalid token")
	ErrExpired = errors.New("token expired")
)

// Identity is who a client is. It is immutable and shared.
type Identity struct {
	User      string
	Name      string    // a display name
	Anonymous bool      // nobody vouches for the user but the server itself
	Expires   time.Time // zero: never
}

// Authenticator turns a token into an identity. It may be called at once; an error wraps ErrInvalid or ErrExpired,
// or is a failure of the authenticator itself.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*Identity, error)
}
