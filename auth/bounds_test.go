package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// The bounds of a set of keys that is fetched.
const (
	mostKeys      = 64
	mostKeyBytes  = 256 << 10
	longestFetch  = 10 * time.Second
	mostRedirects = 3
)

// setOf returns a JSON Web Key Set of so many good keys, named k0 and so on: one key under many names.
func setOf(t *testing.T, count int) string {
	t.Helper()
	keys := make([]auth.Key, count)
	for i := range keys {
		keys[i] = named(fmt.Sprint("k", i), "ES256").Key()
	}
	jwks, err := auth.MarshalJWKS(keys)
	if err != nil {
		t.Fatal(err)
	}
	return string(jwks)
}

// Every set here is of good keys; what is refused is refused for its size, and nothing but its size differs.
func TestAKeySetHasSoManyKeysAndBytes(t *testing.T) {
	padded := func(size int) string {
		set := setOf(t, 2)
		return strings.TrimSuffix(set, "}\n") + strings.Repeat(" ", size-len(set)+1) + "}"
	}
	for name, row := range map[string]struct {
		body string
		good bool
	}{
		"as many keys as may be":  {setOf(t, mostKeys), true},
		"one key more":            {setOf(t, mostKeys+1), false},
		"as many bytes as may be": {padded(mostKeyBytes), true},
		"one byte more":           {padded(mostKeyBytes + 1), false},
		"bytes without end":       {padded(16 << 20), false},
	} {
		last := "k1"
		if strings.HasSuffix(name, "keys as may be") {
			last = fmt.Sprint("k", mostKeys-1)
		}
		p := &provider{body: row.body}
		v := p.verifier(t)
		_, err := v.Authenticate(t.Context(), token(t, named(last, "ES256"), auth.Identity{User: "a"}, nil))
		if row.good != (err == nil) || !row.good && !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s, over the network: %v", name, err)
		}
		_, err = auth.ParseKeys([]byte(row.body), "")
		if row.good != (err == nil) {
			t.Errorf("%s, in a file: %v", name, err)
		}
	}
	one, err := named("a", "ES256").MarshalPublic()
	if err != nil {
		t.Fatal(err)
	}
	for count, good := range map[int]bool{mostKeys: true, mostKeys + 1: false} {
		if _, err := auth.ParseKeys([]byte(strings.Repeat(string(one), count)), ""); good != (err == nil) {
			t.Errorf("%d keys in PEM: %v", count, err)
		}
	}
}

// stalling is an identity provider that stops in the middle of an answer.
type stalling struct {
	head bool // before there is any
	set  string
}

func (s *stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.head {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := &stalled{Reader: strings.NewReader(s.set[:len(s.set)-2]), until: r.Context().Done()}
	return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}, nil
}

// stalled is a body whose last bytes do not come until the request is given up.
type stalled struct {
	io.Reader
	until <-chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.until
		err = errors.New("given up")
	}
	return n, err
}

func (*stalled) Close() error { return nil }

func TestAFetchIsGivenUpThatTakesTooLong(t *testing.T) {
	set := setOf(t, 1)
	for name, slow := range map[string]*stalling{"no answer": {head: true}, "half an answer": {set: set}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			v, err := auth.NewVerifier(t.Context(), auth.Options{
				KeySets: []string{"https://id.example/keys"}, Client: &http.Client{Transport: slow}, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != longestFetch {
				t.Errorf("%s: waited %v, want %v", name, took, longestFetch)
			}
			if _, err := v.Authenticate(t.Context(), token(t, named("k0", "ES256"), auth.Identity{User: "a"}, nil)); !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// detour is an identity provider behind so many redirects.
type detour struct {
	provider
	left int
}

func (d *detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.left == 0 {
		return d.provider.RoundTrip(r)
	}
	d.left--
	header := http.Header{"Location": {fmt.Sprintf("https://id.example/%d", d.left)}}
	return &http.Response{StatusCode: http.StatusFound, Header: header, Body: http.NoBody, Request: r}, nil
}

func TestAFetchFollowsSoManyRedirects(t *testing.T) {
	key := named("a", "ES256")
	for redirects, good := range map[int]bool{mostRedirects: true, mostRedirects + 1: false} {
		d := &detour{provider: provider{keys: []auth.Key{key.Key()}}, left: redirects}
		v := newVerifier(t, auth.Options{
			KeySets: []string{"https://id.example/keys"}, Client: &http.Client{Transport: d}, Logger: slog.New(slog.DiscardHandler),
		})
		if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); good != (err == nil) {
			t.Errorf("behind %d redirects: %v", redirects, err)
		}
	}
}

// A key set with nothing wrong but the claims of a token that says where its keys are: nobody asks there.
func TestATokenDoesNotSayWhereToFetch(t *testing.T) {
	key := named("a", "ES256")
	asked := 0
	v := newVerifier(t, auth.Options{
		KeySets: []string{"https://id.example/keys"}, Logger: slog.New(slog.DiscardHandler),
		Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if asked++; r.URL.Host != "id.example" {
				t.Errorf("%s was asked", r.URL)
			}
			return (&provider{keys: []auth.Key{key.Key()}}).RoundTrip(r)
		})},
	})
	const evil = "https://evil.example/keys"
	for _, header := range []string{
		`{"alg":"ES256","kid":"b","jku":"` + evil + `"}`, `{"alg":"ES256","kid":"` + evil + `","x5u":"` + evil + `"}`,
	} {
		claims := `{"sub":"a","iss":"` + evil + `","jwks_uri":"` + evil + `"}`
		if _, err := v.Authenticate(t.Context(), segments(header, claims, true)); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %v", header, err)
		}
	}
	if asked != 1 {
		t.Errorf("%d fetches, want the first one only", asked)
	}
}

// transport is a function as an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The times of a token hold with 30 seconds of leeway, to the second.
func TestTimesHoldWithLeeway(t *testing.T) {
	if auth.Leeway != 30*time.Second {
		t.Fatalf("the leeway is %v", auth.Leeway)
	}
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	for _, row := range []struct {
		claim string
		from  time.Duration // now
		want  error
	}{
		{"exp", time.Second, nil},
		{"exp", -29 * time.Second, nil},
		{"exp", -30 * time.Second, auth.ErrExpired},
		{"exp", -31 * time.Second, auth.ErrExpired},
		{"nbf", -time.Second, nil},
		{"nbf", 29 * time.Second, nil},
		{"nbf", 30 * time.Second, nil},
		{"nbf", 31 * time.Second, auth.ErrInvalid},
		{"iat", -time.Second, nil},
		{"iat", 29 * time.Second, nil},
		{"iat", 30 * time.Second, nil},
		{"iat", 31 * time.Second, auth.ErrInvalid},
	} {
		synctest.Test(t, func(t *testing.T) {
			claims, err := json.Marshal(map[string]any{"sub": "a", row.claim: time.Now().Add(row.from).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			text := segments(`{"alg":"HS256"}`, string(claims), true)
			verifier, err := auth.NewVerifier(t.Context(), auth.Options{Keys: []auth.Key{key.Key()}})
			if err != nil {
				t.Fatal(err)
			}
			for kind, a := range map[string]auth.Authenticator{"a verifier": verifier, "a secret": auth.HMAC(secret)} {
				if _, err := a.Authenticate(t.Context(), text); !errors.Is(err, row.want) || row.want == nil && err != nil {
					t.Errorf("%s, %s %v from now: %v, want %v", kind, row.claim, row.from, err, row.want)
				}
			}
		})
	}
}
