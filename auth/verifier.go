package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Options are the settings of a Verifier. It needs Keys or KeySets, or refuses every token.
type Options struct {
	// Keys that verify tokens.
	Keys []Key
	// KeySets are where more keys are: URLs of JSON Web Key Sets, which must be https, or files that ParseKeys reads,
	// as a path or a file URL. They are read again now and then, and when a token names a key that they do not have.
	KeySets []string
	// Algorithm is for keys of files in PEM form; empty is the usual one of their kind.
	Algorithm string
	// Issuers of which a token's `iss` must be one; empty: any, or none.
	Issuers []string
	// Audiences of which a token's `aud` must have one; empty: any, or none.
	Audiences []string
	// RequireExpiry refuses tokens without `exp`.
	RequireExpiry bool
	// Claims names the claims that identities are made of.
	Claims Claims
	// Refresh is the time after which the KeySets are read again; 0 is DefaultRefresh, the least is MinRefresh.
	Refresh time.Duration
	// Client fetches KeySets; nil is one of its own. Redirects lead to https only, in any case.
	Client *http.Client
	// Logger is told of KeySets that cannot be read; nil is slog.Default.
	Logger *slog.Logger
}

// Verifier checks JSON Web Tokens (RFC 7519) that are signed (RFC 7515). Only what their keys say is believed: a token
// cannot choose its algorithm, nor bring a key or the address of one.
type Verifier struct {
	claims   Claims
	expected expected
	parser   *jwt.Parser
	static   *keyring
	sets     *keySets // nil without KeySets
}

// NewVerifier returns a verifier. Files among KeySets must be there and right; what cannot be fetched yet is tried
// again, and tokens get ErrUnavailable meanwhile. ctx bounds that first reading. Close ends the verifier.
func NewVerifier(ctx context.Context, o Options) (*Verifier, error) {
	static, err := newKeyring(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	v := &Verifier{
		claims:   o.Claims.withDefaults(),
		expected: expected{issuers: o.Issuers, audiences: o.Audiences, expiry: o.RequireExpiry},
		static:   static,
		// What the claims say is checked here: the library takes an exp of 0 for none.
		parser: jwt.NewParser(jwt.WithValidMethods(Algorithms()), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
	}
	if len(o.KeySets) == 0 {
		return v, nil
	}
	if v.sets, err = newKeySets(ctx, o); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return v, nil
}

// HMAC returns an Authenticator for JSON Web Tokens that are signed with secret by HS256 and no other algorithm
// (RFC 7519, RFC 7518 section 3.2). The claim `sub` names the user and must be there; `exp`, `nbf` and `iat` are checked
// where they are, with Leeway. `name`, `roles` and `grants` are as in Claims. With an empty secret every token is
// invalid.
func HMAC(secret []byte) Authenticator { return newHMAC(secret) }

func newHMAC(secret []byte) *Verifier {
	v, err := NewVerifier(context.Background(), Options{})
	if err != nil {
		panic(fmt.Sprintf("auth: a verifier without keys: %v", err)) // nothing of it can be wrong
	}
	if len(secret) > 0 {
		v.static = &keyring{keys: []Key{{Algorithm: "HS256", Secret: secret}}}
	}
	return v
}

// Close ends the reading of KeySets, and returns when it has ended. The keys that were read stay.
func (v *Verifier) Close() error {
	if v.sets != nil {
		v.sets.close()
	}
	return nil
}

// Refresh reads the KeySets again, now, and returns when that is done or ctx has ended. The error says what could not
// be read; the keys of before are kept in its place.
func (v *Verifier) Refresh(ctx context.Context) error {
	if v.sets == nil {
		return nil
	}
	return v.sets.refresh(ctx)
}

// Authenticate implements Authenticator. A token that names a key which the KeySets do not have waits for them to be
// read again, if that was not done a moment ago.
func (v *Verifier) Authenticate(ctx context.Context, token string) (*Identity, error) {
	claims, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := v.expected.check(claims, time.Now()); err != nil {
		return nil, err
	}
	return v.claims.identity(claims)
}

// verify returns the claims of a token whose signature is right.
func (v *Verifier) verify(ctx context.Context, token string) (jwt.MapClaims, error) {
	if strings.ContainsAny(token, "\r\n") { // which the standard library's base64 passes over
		return nil, fmt.Errorf("%w: it is no signed JSON Web Token", ErrInvalid)
	}
	claims := jwt.MapClaims{}
	var refused error
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		var keys jwt.VerificationKeySet
		keys, refused = v.find(ctx, t)
		return keys, refused
	})
	switch {
	case refused != nil:
		return nil, refused
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, fmt.Errorf("%w: it is no signed JSON Web Token", ErrInvalid)
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return nil, fmt.Errorf("%w: an algorithm that is not taken", ErrInvalid)
	case err != nil:
		return nil, fmt.Errorf("%w: the signature is wrong", ErrInvalid)
	}
	return claims, nil
}

// find returns the keys that t may be signed with.
func (v *Verifier) find(ctx context.Context, t *jwt.Token) (jwt.VerificationKeySet, error) {
	var none jwt.VerificationKeySet
	kid, algorithm := "", t.Method.Alg()
	if given, there := t.Header["kid"]; there {
		text, ok := given.(string)
		if !ok || len(text) > maxKeyIDLen {
			return none, fmt.Errorf("%w: its kid is no name of a key", ErrInvalid)
		}
		kid = text
	}
	if _, there := t.Header["crit"]; there { // RFC 7515, section 4.1.11
		return none, fmt.Errorf("%w: it has critical extensions", ErrInvalid)
	}
	keys, named := v.static.find(kid, algorithm)
	if len(keys.Keys) == 0 && v.sets != nil {
		set, err := v.sets.find(ctx, kid, algorithm)
		if err != nil {
			return none, err
		}
		keys, named = set.keys, named || set.named
	}
	switch {
	case len(keys.Keys) > 0:
		return keys, nil
	case named:
		return none, fmt.Errorf("%w: no key of that name is for %s", ErrInvalid, algorithm)
	case kid != "":
		return none, fmt.Errorf("%w: there is no key %q", ErrInvalid, short(kid))
	}
	return none, fmt.Errorf("%w: there is no key for %s", ErrInvalid, algorithm)
}
