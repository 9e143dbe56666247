package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Leeway is how far clocks may be apart when the times in a token are checked.
const Leeway = 30 * time.Second

// claims are the parts of a JSON Web Token that are looked at: `sub` is the user, `name` a display name.
type claims struct {
	jwt.RegisteredClaims
	Name string `json:"name,omitempty"`
}

// hmacTokens authenticates JSON Web Tokens signed with HS256.
type hmacTokens struct {
	secret []byte
	parser *jwt.Parser
}

// HMAC returns an Authenticator for JSON Web Tokens that are signed with secret by HS256 and no other algorithm
// (RFC 7519, RFC 7518 section 3.2). `sub` names the user and must be there; `exp` and `nbf` are checked where they
// are, with Leeway. With an empty secret every token is invalid.
func HMAC(secret []byte) Authenticator { return newHMAC(secret) }

func newHMAC(secret []byte, options ...jwt.ParserOption) *hmacTokens {
	options = append(options, jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithLeeway(Leeway))
	return &hmacTokens{secret: secret, parser: jwt.NewParser(options...)}
}

// Authenticate implements Authenticator.
func (h *hmacTokens) Authenticate(_ context.Context, token string) (*Identity, error) {
	if len(h.secret) == 0 {
		return nil, fmt.Errorf("%w: there is no secret to check it with", ErrInvalid)
	}
	var c claims
	_, err := h.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return h.secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, ErrExpired
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case c.Subject == "":
		return nil, fmt.Errorf("%w: no sub", ErrInvalid)
	}
	identity := &Identity{User: c.Subject, Name: c.Name}
	if c.ExpiresAt != nil {
		identity.Expires = c.ExpiresAt.Time
	}
	return identity, nil
}

// sign returns a token of the user that lives for lifetime.
func (h *hmacTokens) sign(c claims, lifetime time.Duration) (string, error) {
	now := time.Now()
	c.IssuedAt = jwt.NewNumericDate(now)
	c.ExpiresAt = jwt.NewNumericDate(now.Add(lifetime))
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(h.secret)
}
