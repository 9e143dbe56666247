package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// AnonymousLifetime is how long an anonymous user can return by its token.
	AnonymousLifetime = 24 * time.Hour

	anonymousPrefix   = "anon-"
	anonymousAudience = "wireroom:anonymous"
)

// Anonymous makes users that nobody vouches for, and knows them again by the token that it gave them.
type Anonymous struct{ tokens *hmacTokens }

// NewAnonymous returns an Anonymous whose tokens are signed with a key of its own, derived from secret: they are no
// tokens of HMAC(secret), nor are those anonymous ones.
func NewAnonymous(secret []byte) *Anonymous {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(anonymousAudience))
	return &Anonymous{tokens: newHMAC(mac.Sum(nil), jwt.WithAudience(anonymousAudience))}
}

// New returns a user that there was never before, with a display name of its choice, and its token.
func (a *Anonymous) New(name string) (*Identity, string, error) {
	user := anonymousPrefix + strings.ToLower(rand.Text())
	c := claims{Name: name}
	c.Subject, c.Audience = user, jwt.ClaimStrings{anonymousAudience}
	token, err := a.tokens.sign(c, AnonymousLifetime)
	return &Identity{User: user, Name: name, Anonymous: true}, token, err
}

// Renew returns a fresh token for an anonymous user, with a display name of its choice.
func (a *Anonymous) Renew(user, name string) (string, error) {
	c := claims{Name: name}
	c.Subject, c.Audience = user, jwt.ClaimStrings{anonymousAudience}
	return a.tokens.sign(c, AnonymousLifetime)
}

// Authenticate implements Authenticator for the tokens that a gave. The identity does not expire while it is used.
func (a *Anonymous) Authenticate(ctx context.Context, token string) (*Identity, error) {
	identity, err := a.tokens.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	identity.Anonymous, identity.Expires = true, time.Time{}
	return identity, nil
}
