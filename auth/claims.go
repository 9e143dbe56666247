package auth

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Leeway is how far clocks may be apart when the times in a token are checked.
const Leeway = 30 * time.Second

// Claims names the claims of a token that identities are made of. Where there is no claim of a name with dots, the
// dots lead into objects: "realm_access.roles".
type Claims struct {
	User   string // a string; empty = "sub"
	Name   string // a string; empty = "name"
	Roles  string // a list of strings, or one string of words with spaces between them; empty = "roles"
	Grants string // a list of what ParseGrant reads; empty = "grants"
}

// withDefaults returns c with every default in its place.
func (c Claims) withDefaults() Claims {
	for name, standard := range map[*string]string{&c.User: "sub", &c.Name: "name", &c.Roles: "roles", &c.Grants: "grants"} {
		if *name == "" {
			*name = standard
		}
	}
	return c
}

// expected is what a token's claims must say.
type expected struct {
	issuers   []string // one of them; empty: any
	audiences []string // at least one of them; empty: any
	expiry    bool     // there must be one
	own       bool     // whoever makes the tokens reads them: one from the future says that the clock went back
}

// check reports claims that do not hold at the given time.
func (e *expected) check(claims jwt.MapClaims, now time.Time) error {
	expires, err := timeOf(claims, "exp")
	if err != nil {
		return err
	}
	notBefore, err := timeOf(claims, "nbf")
	if err != nil {
		return err
	}
	issued, err := timeOf(claims, "iat")
	if err != nil {
		return err
	}
	switch {
	case expires.IsZero() && e.expiry:
		return fmt.Errorf("%w: no exp", ErrInvalid)
	case !expires.IsZero() && !now.Before(expires.Add(Leeway)):
		return fmt.Errorf("%w at %s", ErrExpired, expires.UTC().Format(time.RFC3339))
	case now.Before(notBefore.Add(-Leeway)):
		return fmt.Errorf("%w: not valid before %s", ErrInvalid, notBefore.UTC().Format(time.RFC3339))
	case now.Before(issued.Add(-Leeway)) && !e.own:
		return fmt.Errorf("%w: issued in the future, at %s", ErrInvalid, issued.UTC().Format(time.RFC3339))
	}
	return e.checkParties(claims)
}

// checkParties reports an issuer or an audience that is not expected.
func (e *expected) checkParties(claims jwt.MapClaims) error {
	if issuer, _ := claims["iss"].(string); len(e.issuers) > 0 && !slices.Contains(e.issuers, issuer) {
		return fmt.Errorf("%w: iss is %q, want %q", ErrInvalid, short(issuer), e.issuers)
	}
	if len(e.audiences) == 0 {
		return nil
	}
	audiences, err := texts(claims["aud"], nil)
	if err != nil {
		return fmt.Errorf("%w: aud: %w", ErrInvalid, err)
	}
	for _, a := range audiences {
		if slices.Contains(e.audiences, a) {
			return nil
		}
	}
	return fmt.Errorf("%w: aud has none of %q", ErrInvalid, e.audiences)
}

// timeOf returns a NumericDate (RFC 7519, section 2), zero where there is none.
func timeOf(claims jwt.MapClaims, name string) (time.Time, error) {
	const last = 253402300799 // the end of the year 9999
	value, ok := claims[name]
	if !ok || value == nil {
		return time.Time{}, nil
	}
	seconds, ok := value.(float64)
	if !ok || seconds < 0 || seconds > last {
		return time.Time{}, fmt.Errorf("%w: %s is no time", ErrInvalid, name)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// identity makes an identity of claims that hold.
func (c *Claims) identity(claims jwt.MapClaims) (*Identity, error) {
	user, _ := lookup(claims, c.User).(string)
	if user == "" {
		return nil, fmt.Errorf("%w: no %s", ErrInvalid, c.User)
	}
	name, _ := lookup(claims, c.Name).(string)
	id, _ := claims["jti"].(string)
	identity := &Identity{User: user, Name: name, TokenID: id}
	identity.Expires, _ = timeOf(claims, "exp") // they were checked
	identity.Issued, _ = timeOf(claims, "iat")
	roles, err := texts(lookup(claims, c.Roles), strings.Fields)
	if err != nil || len(roles) > MaxRoles || slices.ContainsFunc(roles, func(r string) bool { return len(r) > maxRoleLen }) {
		return nil, fmt.Errorf("%w: %s is no list of at most %d roles", ErrInvalid, c.Roles, MaxRoles)
	}
	identity.Roles = roles
	grants, err := texts(lookup(claims, c.Grants), nil)
	if err != nil || len(grants) > MaxGrants {
		return nil, fmt.Errorf("%w: %s is no list of at most %d grants", ErrInvalid, c.Grants, MaxGrants)
	}
	for _, text := range grants {
		g, err := ParseGrant(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		identity.Grants = append(identity.Grants, g)
	}
	return identity, nil
}

// lookup returns a claim, nil where there is none.
func lookup(claims map[string]any, name string) any {
	for {
		if value, ok := claims[name]; ok {
			return value
		}
		outer, rest, found := strings.Cut(name, ".")
		inner, ok := claims[outer].(map[string]any)
		if !found || !ok {
			return nil
		}
		claims, name = inner, rest
	}
}

// texts returns a value that is a list of strings, or one string, which split takes apart; nil: it is the list's only
// one.
func texts(value any, split func(string) []string) ([]string, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		if split != nil {
			return split(value), nil
		}
		return []string{value}, nil
	case []any:
		all := make([]string, len(value))
		for i, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("item %d is no string", i+1)
			}
			all[i] = text
		}
		return all, nil
	}
	return nil, fmt.Errorf("it is no list of strings")
}
