package stage

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Bearer is whose token it is, and what it gives.
type Bearer struct {
	User, Name string
	Roles      []string
	Lasts      time.Duration
}

// Token returns the token, signed with a secret.
func (b Bearer) Token(secret string) (string, error) {
	claims := jwt.MapClaims{"sub": b.User, "exp": time.Now().Add(b.Lasts).Unix()}
	if b.Name != "" {
		claims["name"] = b.Name
	}
	if b.Roles != nil {
		claims["roles"] = b.Roles
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("stage: sign a token: %w", err)
	}
	return signed, nil
}
