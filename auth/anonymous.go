package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"
)

const (
	// AnonymousLifetime is how long an anonymous user can return by its token.
	AnonymousLifetime = 24 * time.Hour
	anonymousPrefix   = "anon-"
	anonymousAudience = "wireroom:anonymous"
)

// Anonymous makes users that nobody vouches for, and knows them again by the token that it gave them.
type Anonymous struct {
	key      SigningKey
	verifier *Verifier
}

// NewAnonymous returns an Anonymous whose tokens are signed with a key of its own, derived from secret: they are no
// tokens of HMAC(secret), nor are those anonymous ones.
func NewAnonymous(secret []byte) *Anonymous {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(anonymousAudience))
	key := SigningKey{Algorithm: "HS256", Secret: mac.Sum(nil)}
	a := &Anonymous{key: key, verifier: newHMAC(key.Secret)}
	a.verifier.expected.audiences, a.verifier.expected.own = []string{anonymousAudience}, true
	return a
}

// New returns a user that there was never before, with a display name of its choice, and its token.
func (a *Anonymous) New(name string) (*Identity, string, error) {
	user := anonymousPrefix + strings.ToLower(rand.Text())
	token, err := a.Renew(user, name)
	return &Identity{User: user, Name: name, Anonymous: true}, token, err
}

// Renew returns a fresh token for an anonymous user, with a display name of its choice.
func (a *Anonymous) Renew(user, name string) (string, error) {
	identity := Identity{User: user, Name: name, Expires: time.Now().Add(AnonymousLifetime)}
	return a.key.Sign(identity, map[string]any{"aud": anonymousAudience})
}

// Authenticate implements Authenticator for the tokens that a gave. The identity does not expire while it is used. A clock
// that went back does not make anybody somebody else: of a token from the future it is not known when it was issued.
func (a *Anonymous) Authenticate(ctx context.Context, token string) (*Identity, error) {
	identity, err := a.verifier.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	who := &Identity{User: identity.User, Name: identity.Name, Anonymous: true}
	if !identity.Issued.After(time.Now().Add(Leeway)) {
		who.Issued = identity.Issued
	}
	return who, nil
}
