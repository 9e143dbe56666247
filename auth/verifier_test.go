package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/wireroom/wireroom/auth"
)

// generated are keys of every algorithm, made once: RSA's take a while.
var generated = sync.OnceValue(func() map[string]auth.SigningKey {
	all := make(map[string]auth.SigningKey)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	for _, algorithm := range auth.Algorithms() {
		if strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS") {
			all[algorithm] = auth.SigningKey{ID: algorithm, Algorithm: algorithm, Private: private}
			continue
		}
		key, err := auth.GenerateKey(algorithm)
		if err != nil {
			panic(err)
		}
		key.ID = algorithm
		all[algorithm] = key
	}
	return all
})

func newVerifier(t *testing.T, o auth.Options) *auth.Verifier {
	t.Helper()
	v, err := auth.NewVerifier(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func token(t *testing.T, key auth.SigningKey, identity auth.Identity, more map[string]any) string {
	t.Helper()
	text, err := key.Sign(identity, more)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	want := auth.Identity{
		User: "alice", Name: "Alice", Roles: []string{"admin", "staff"}, TokenID: "t1",
		Grants: []auth.Grant{{Verbs: auth.Join | auth.Publish, Rooms: "chat/*"}, {Verbs: auth.AllVerbs, Rooms: "team:**"}},
		Issued: time.Unix(time.Now().Unix(), 0), Expires: time.Unix(time.Now().Unix()+3600, 0),
	}
	var keys []auth.Key
	for _, algorithm := range auth.Algorithms() {
		keys = append(keys, generated()[algorithm].Key())
	}
	v := newVerifier(t, auth.Options{Keys: keys})
	for _, algorithm := range auth.Algorithms() {
		got, err := v.Authenticate(t.Context(), token(t, generated()[algorithm], want, nil))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", algorithm, got, err)
		}
	}
}

// A key is for one algorithm: a token that names another one, of the same family or not, is refused.
func TestATokenCannotChooseItsAlgorithm(t *testing.T) {
	identity := auth.Identity{User: "mallory"}
	for _, algorithm := range auth.Algorithms() {
		key := generated()[algorithm]
		v := newVerifier(t, auth.Options{Keys: []auth.Key{key.Key()}})
		for _, other := range auth.Algorithms() {
			forged := generated()[other]
			forged.ID = algorithm
			_, err := v.Authenticate(t.Context(), token(t, forged, identity, nil))
			if good := other == algorithm; good != (err == nil) || !good && !errors.Is(err, auth.ErrInvalid) {
				t.Errorf("a token of %s for a key of %s: %v", other, algorithm, err)
			}
		}
	}
}

// The classic: what is public of an RSA key, as the secret of an HMAC.
func TestAPublicKeyIsNoSecret(t *testing.T) {
	key := generated()["RS256"]
	v := newVerifier(t, auth.Options{Keys: []auth.Key{key.Key()}})
	public, err := key.MarshalPublic()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := auth.MarshalJWKS([]auth.Key{key.Key()})
	if err != nil {
		t.Fatal(err)
	}
	for _, confused := range [][]byte{public, []byte(strings.TrimSpace(string(public))), jwks} {
		for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
			forged := token(t, auth.SigningKey{ID: "RS256", Algorithm: algorithm, Secret: confused}, auth.Identity{User: "mallory"}, nil)
			if _, err := v.Authenticate(t.Context(), forged); !errors.Is(err, auth.ErrInvalid) {
				t.Errorf("%s with the public key: %v", algorithm, err)
			}
		}
	}
}

// segments makes a token of a header and claims, signed with the secret of the tests or not at all.
func segments(header, claims string, signed bool) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	if !signed {
		return text + "."
	}
	signature, err := jwt.SigningMethodHS256.Sign(text, secret)
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestHostileTokens(t *testing.T) {
	v := newVerifier(t, auth.Options{Keys: []auth.Key{{Algorithm: "HS256", Secret: secret}, {ID: "a", Algorithm: "ES256", Public: generated()["ES256"].Private.Public()}}})
	const claims = `{"sub":"mallory"}`
	if _, err := v.Authenticate(t.Context(), segments(`{"alg":"HS256"}`, claims, true)); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	good := segments(`{"alg":"HS256"}`, claims, true)
	for name, text := range map[string]string{
		"none":                      segments(`{"alg":"none"}`, claims, false),
		"None":                      segments(`{"alg":"None"}`, claims, false),
		"none, signed":              segments(`{"alg":"none"}`, claims, true),
		"no algorithm":              segments(`{}`, claims, true),
		"an algorithm of numbers":   segments(`{"alg":256}`, claims, true),
		"lower case":                segments(`{"alg":"hs256"}`, claims, true),
		"a kid that is a path":      segments(`{"alg":"ES256","kid":"../../../../dev/null"}`, claims, true),
		"a kid that is no string":   segments(`{"alg":"HS256","kid":{"a":1}}`, claims, true),
		"a kid without end":         segments(`{"alg":"HS256","kid":"`+strings.Repeat("a", 300)+`"}`, claims, true),
		"critical extensions":       segments(`{"alg":"HS256","crit":["exp"]}`, claims, true),
		"no signature":              segments(`{"alg":"HS256"}`, claims, false),
		"claims that are a list":    segments(`{"alg":"HS256"}`, `["sub"]`, true),
		"a header that is a list":   segments(`["HS256"]`, claims, true),
		"a sub of numbers":          segments(`{"alg":"HS256"}`, `{"sub":7}`, true),
		"an exp of infinity":        segments(`{"alg":"HS256"}`, `{"sub":"a","exp":1e300}`, true),
		"an exp that is text":       segments(`{"alg":"HS256"}`, `{"sub":"a","exp":"9999999999"}`, true),
		"roles of numbers":          segments(`{"alg":"HS256"}`, `{"sub":"a","roles":[1]}`, true),
		"roles of an object":        segments(`{"alg":"HS256"}`, `{"sub":"a","roles":{"admin":true}}`, true),
		"a grant of no verb":        segments(`{"alg":"HS256"}`, `{"sub":"a","grants":["rule the/world"]}`, true),
		"a grant of no room":        segments(`{"alg":"HS256"}`, `{"sub":"a","grants":["join "]}`, true),
		"two tokens":                good + "." + good,
		"padding":                   good + "==",
		"a line end":                good + "\n",
		"a changed trailing bit":    good[:len(good)-1] + string(good[len(good)-1]+1),
		"only dots":                 "..",
		"many dots":                 strings.Repeat(".", 8000),
		"deep":                      segments(`{"alg":"HS256","x":`+strings.Repeat("[", 12000)+strings.Repeat("]", 12000)+`}`, claims, true),
		"its own key in the header": segments(`{"alg":"ES256","kid":"a","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://evil.example/"}`, claims, true),
	} {
		identity, err := v.Authenticate(t.Context(), text)
		if !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %+v, %v, want ErrInvalid", name, identity, err)
		}
		if err != nil && len(text) > 20 && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error has the token", name)
		}
	}
}

// What the library takes for no exp at all.
func TestAnExpOfZeroHasExpired(t *testing.T) {
	v := newVerifier(t, auth.Options{Keys: []auth.Key{{Algorithm: "HS256", Secret: secret}}})
	if _, err := v.Authenticate(t.Context(), segments(`{"alg":"HS256"}`, `{"sub":"a","exp":0}`, true)); !errors.Is(err, auth.ErrExpired) {
		t.Errorf("%v, want ErrExpired", err)
	}
}

func TestIssuerAudienceAndExpiryAreDemanded(t *testing.T) {
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	v := newVerifier(t, auth.Options{
		Keys: []auth.Key{key.Key()}, Issuers: []string{"https://id.example", "https://old.example"}, Audiences: []string{"chat"}, RequireExpiry: true,
	})
	later := time.Now().Add(time.Hour)
	for _, row := range []struct {
		claims  map[string]any
		expires time.Time
		good    bool
	}{
		{map[string]any{"iss": "https://id.example", "aud": "chat"}, later, true},
		{map[string]any{"iss": "https://old.example", "aud": []string{"mail", "chat"}}, later, true},
		{map[string]any{"iss": "https://id.example", "aud": "chat"}, time.Time{}, false},
		{map[string]any{"iss": "https://id.example.evil.example", "aud": "chat"}, later, false},
		{map[string]any{"aud": "chat"}, later, false},
		{map[string]any{"iss": []string{"https://id.example"}, "aud": "chat"}, later, false},
		{map[string]any{"iss": "https://id.example"}, later, false},
		{map[string]any{"iss": "https://id.example", "aud": []string{}}, later, false},
		{map[string]any{"iss": "https://id.example", "aud": []any{1, "chat"}}, later, false},
		{map[string]any{"iss": "https://id.example", "aud": "mail"}, later, false},
	} {
		_, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a", Expires: row.expires}, row.claims))
		if row.good != (err == nil) || !row.good && !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%v until %v: %v", row.claims, row.expires, err)
		}
	}
}

func TestClaimsHaveOtherNames(t *testing.T) {
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	v := newVerifier(t, auth.Options{Keys: []auth.Key{key.Key()}, Claims: auth.Claims{
		User: "email", Name: "profile.display.name", Roles: "https://chat.example/roles", Grants: "scope.rooms",
	}})
	got, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "ignored"}, map[string]any{
		"email": "a@b.example", "profile": map[string]any{"display": map[string]any{"name": "A"}},
		"https://chat.example/roles": "admin  staff", "scope": map[string]any{"rooms": "history chat/**"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Identity{
		User: "a@b.example", Name: "A", Roles: []string{"admin", "staff"}, Issued: got.Issued,
		Grants: []auth.Grant{{Verbs: auth.History, Rooms: "chat/**"}},
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("%+v, want %+v", *got, want)
	}
}

func TestBoundsOfRolesAndGrants(t *testing.T) {
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	v := newVerifier(t, auth.Options{Keys: []auth.Key{key.Key()}})
	for _, row := range []struct {
		claim string
		value []string
		good  bool
	}{
		{"roles", slices.Repeat([]string{"r"}, auth.MaxRoles), true},
		{"roles", slices.Repeat([]string{"r"}, auth.MaxRoles+1), false},
		{"roles", []string{strings.Repeat("r", 129)}, false},
		{"grants", slices.Repeat([]string{"r"}, auth.MaxGrants), true},
		{"grants", slices.Repeat([]string{"r"}, auth.MaxGrants+1), false},
		{"grants", []string{strings.Repeat("r", 201)}, false},
	} {
		_, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, map[string]any{row.claim: row.value}))
		if row.good != (err == nil) {
			t.Errorf("%d %s: %v", len(row.value), row.claim, err)
		}
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	// One bit less than the least, and one more than the most: what is made of it need not be good, only large.
	modulus := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	curve, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	es256 := generated()["ES256"].Private.Public()
	for name, key := range map[string]auth.Key{
		"short secret":            {Algorithm: "HS256", Secret: []byte("fifteen bytes..")},
		"no secret":               {Algorithm: "HS256"},
		"small RSA":               {Algorithm: "RS256", Public: modulus(2047)},
		"huge RSA":                {Algorithm: "RS256", Public: modulus(8193)},
		"RSA, a small exponent":   {Algorithm: "RS256", Public: &rsa.PublicKey{N: modulus(2048).N, E: 1}},
		"another curve":           {Algorithm: "ES256", Public: curve.Public()},
		"a curve for another alg": {Algorithm: "ES384", Public: es256},
		"RSA as EC":               {Algorithm: "ES256", Public: generated()["RS256"].Private.Public()},
		"a key as a secret":       {Algorithm: "HS256", Public: es256, Secret: secret},
		"a secret as a key":       {Algorithm: "ES256", Public: es256, Secret: secret},
		"no algorithm":            {Public: es256},
		"none":                    {Algorithm: "none", Public: es256},
		"a short Ed25519 key":     {Algorithm: "EdDSA", Public: ed25519.PublicKey("short")},
		"a private key":           {Algorithm: "ES256", Public: generated()["ES256"].Private},
		"a long id":               {ID: strings.Repeat("a", 257), Algorithm: "HS256", Secret: secret},
	} {
		if _, err := auth.NewVerifier(t.Context(), auth.Options{Keys: []auth.Key{key}}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, bits := range []uint{2048, 8192} {
		if _, err := auth.NewVerifier(t.Context(), auth.Options{Keys: []auth.Key{{Algorithm: "RS256", Public: modulus(bits)}}}); err != nil {
			t.Errorf("RSA of %d bits: %v", bits, err)
		}
	}
}

func TestKeysSurviveTheirTextForms(t *testing.T) {
	for _, algorithm := range auth.Algorithms() {
		key := generated()[algorithm]
		if key.Private == nil {
			continue
		}
		private, err := key.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.MarshalPublic()
		if err != nil {
			t.Fatal(err)
		}
		jwks, err := auth.MarshalJWKS([]auth.Key{key.Key(), {Algorithm: "HS256", Secret: secret}})
		if err != nil {
			t.Fatal(err)
		}
		again, err := auth.ParseSigningKey(private, algorithm)
		if err != nil || !again.Private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Private.Public()) {
			t.Errorf("%s: a private key comes back as another one: %v", algorithm, err)
		}
		for form, text := range map[string][]byte{"PEM": public, "private PEM": private, "a JWK Set": jwks} {
			keys, err := auth.ParseKeys(text, algorithm)
			if err != nil || len(keys) != 1 || keys[0].Algorithm != algorithm || keys[0].ID == "" {
				t.Errorf("%s as %s: %+v, %v", algorithm, form, keys, err)
				continue
			}
			signer := key
			signer.ID = keys[0].ID
			if _, err := newVerifier(t, auth.Options{Keys: keys}).Authenticate(t.Context(), token(t, signer, auth.Identity{User: "a"}, nil)); err != nil {
				t.Errorf("%s as %s: %v", algorithm, form, err)
			}
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	var set map[string][]map[string]any
	jwks, err := auth.MarshalJWKS([]auth.Key{generated()["ES256"].Key()})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string {
		changed := make(map[string]any)
		for k, v := range set["keys"][0] {
			changed[k] = v
		}
		changed[name] = value
		text, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"words":               "a key",
		"a list":              "[]",
		"half an object":      `{"keys":[`,
		"a key for secrecy":   with("use", "enc"),
		"another algorithm":   with("alg", "ECDH-ES"),
		"no point":            with("x", "AAAA"),
		"off its curve":       with("x", set["keys"][0]["y"]),
		"a short coordinate":  with("y", "AQ"),
		"a padded coordinate": with("x", set["keys"][0]["x"].(string)+"="),
		"a huge modulus":      `{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 3000) + `"}`,
		"an even exponent":    `{"kty":"RSA","e":"AQAC","n":"` + strings.Repeat("_", 342) + `"}`,
		"a short secret":      `{"kty":"oct","k":"AAAA"}`,
		"PEM of something":    "-----BEGIN MESSAGE-----\nAAAA\n-----END MESSAGE-----\n",
		"PEM of nothing":      "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
	} {
		if keys, err := auth.ParseKeys([]byte(text), ""); err == nil {
			t.Errorf("%s: %+v", name, keys)
		}
	}
}

func TestGrantsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]auth.Grant{
		"chat/*":              {auth.AllVerbs, "chat/*"},
		"* chat/*":            {auth.AllVerbs, "chat/*"},
		"join,publish **":     {auth.Join | auth.Publish, "**"},
		"history,presence @a": {auth.History | auth.Presence, "@a"},
	} {
		got, err := auth.ParseGrant(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
		if again, err := auth.ParseGrant(got.String()); err != nil || again != want {
			t.Errorf("%q is written %q, which is %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", " ", "join", "x y", "join  a", "join, a", "JOIN a", "join a b", "***", "join a\x00"} {
		if text == "join" {
			continue // a room of that name
		}
		if g, err := auth.ParseGrant(text); err == nil {
			t.Errorf("%q is %+v", text, g)
		}
	}
}

func FuzzGrant(f *testing.F) {
	for _, seed := range []string{"join,publish chat/*", "* **", "a", "join,* x", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := auth.ParseGrant(text)
		if err != nil {
			return
		}
		if again, err := auth.ParseGrant(g.String()); err != nil || again != g {
			t.Fatalf("%q is %+v, written %q, which is %+v, %v", text, g, g, again, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		key := generated()[algorithm]
		public, _ := key.MarshalPublic()
		private, _ := key.MarshalPrivate()
		jwks, _ := auth.MarshalJWKS([]auth.Key{key.Key()})
		f.Add(public)
		f.Add(private)
		f.Add(jwks)
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"},{"kty":"OKP","crv":"X25519"},null,7]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := auth.ParseKeys(text, "")
		if err != nil {
			return
		}
		if _, err := auth.NewVerifier(context.Background(), auth.Options{Keys: keys}); err != nil {
			t.Fatalf("keys that were read are not taken: %v", err)
		}
	})
}

func FuzzToken(f *testing.F) {
	var keys []auth.Key
	for _, algorithm := range auth.Algorithms() {
		keys = append(keys, generated()[algorithm].Key())
		text, err := generated()[algorithm].Sign(auth.Identity{User: "a", Roles: []string{"r"}}, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add(segments(`{"alg":"none"}`, `{"sub":"a"}`, false))
	v, err := auth.NewVerifier(context.Background(), auth.Options{Keys: keys})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		identity, err := v.Authenticate(context.Background(), text)
		switch {
		case err == nil && identity.User != "a":
			t.Fatalf("a token that nobody signed: %+v", identity)
		case err != nil && !errors.Is(err, auth.ErrInvalid) && !errors.Is(err, auth.ErrExpired):
			t.Fatalf("%v is neither invalid nor expired", err)
		}
	})
}
