package auth_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom/auth"
)

var secret = []byte("a secret of sixteen bytes")

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestHMACTakesItsOwnTokensOnly(t *testing.T) {
	now := time.Now()
	good := jwt.MapClaims{"sub": "alice", "name": "Alice", "exp": now.Add(time.Hour).Unix()}
	a := auth.HMAC(secret)
	identity, err := a.Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, secret, good))
	if err != nil || identity.User != "alice" || identity.Name != "Alice" || identity.Anonymous || identity.Expires.Unix() != now.Add(time.Hour).Unix() {
		t.Fatalf("a good token: %+v, %v", identity, err)
	}
	for name, token := range map[string]string{
		"none":               sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"another HMAC":       sign(t, jwt.SigningMethodHS512, secret, good),
		"another secret":     sign(t, jwt.SigningMethodHS256, []byte("another secret, long enough"), good),
		"the empty one":      sign(t, jwt.SigningMethodHS256, []byte{}, good),
		"no sub":             sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"name": "x"}),
		"not yet":            sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "a", "nbf": now.Add(time.Hour).Unix()}),
		"nonsense":           "nonsense",
		"nothing":            "",
		"changed":            sign(t, jwt.SigningMethodHS256, secret, good) + "x",
		"no signature":       strings.TrimRight(sign(t, jwt.SigningMethodHS256, secret, good), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
		"an exp before 1970": sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "a", "exp": -1}),
		"from the future":    sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "a", "iat": now.Add(time.Hour).Unix()}),
		"an exp of words":    sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "a", "exp": "tomorrow"}),
	} {
		if identity, err := a.Authenticate(t.Context(), token); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %+v, %v, want ErrInvalid", name, identity, err)
		}
	}
	if _, err := auth.HMAC(nil).Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, []byte{}, good)); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("no secret at all: %v, want ErrInvalid", err)
	}
}

func TestAnonymousUsersReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.NewAnonymous(secret)
		one, token, err := a.New("Alice")
		if err != nil || !one.Anonymous || one.Name != "Alice" || !strings.HasPrefix(one.User, "anon-") {
			t.Fatalf("a new one: %+v, %v", one, err)
		}
		if other, _, err := a.New("Alice"); err != nil || other.User == one.User {
			t.Fatalf("another one: %+v, %v", other, err)
		}
		back, err := auth.NewAnonymous(secret).Authenticate(t.Context(), token)
		if err != nil || back.User != one.User || back.Name != one.Name || !back.Anonymous || !back.Expires.IsZero() {
			t.Fatalf("returned as %+v, %v", back, err)
		}
		renewed, err := a.Renew(one.User, "Alice L.")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(auth.AnonymousLifetime - time.Minute)
		if back, err := a.Authenticate(t.Context(), renewed); err != nil || back.User != one.User || back.Name != "Alice L." {
			t.Fatalf("renewed: %+v, %v", back, err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, auth.ErrExpired) {
			t.Fatalf("after its lifetime: %v, want ErrExpired", err)
		}
	})
}

// A clock that goes back makes nobody somebody else: the tokens that were given before are from the future then.
func TestAnonymousUsersReturnThoughTheClockWentBack(t *testing.T) {
	var one, later *auth.Identity
	var first, token string
	var err error
	synctest.Test(t, func(t *testing.T) {
		if one, first, err = auth.NewAnonymous(secret).New("Alice"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if later, token, err = auth.NewAnonymous(secret).New("Alice"); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // an hour ago
		a := auth.NewAnonymous(secret)
		now, err := a.Authenticate(t.Context(), first)
		if err != nil || now.User != one.User || !now.Issued.Equal(time.Now()) {
			t.Errorf("a token of now: %+v, %v", now, err)
		}
		back, err := a.Authenticate(t.Context(), token)
		if err != nil || back.User != later.User {
			t.Fatalf("a token of the future: %+v, %v", back, err)
		}
		if !back.Issued.IsZero() {
			t.Errorf("it was issued at %v: a revocation of what was issued until now would not find it", back.Issued)
		}
	})
}

func TestAnonymousTokensAndOthersAreApart(t *testing.T) {
	a := auth.NewAnonymous(secret)
	_, token, err := a.New("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.HMAC(secret).Authenticate(t.Context(), token); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("an anonymous token is one of HMAC: %v", err)
	}
	own := sign(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "anon-me", "aud": "wireroom:anonymous"})
	if _, err := a.Authenticate(t.Context(), own); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("a token of HMAC is an anonymous one: %v", err)
	}
}
