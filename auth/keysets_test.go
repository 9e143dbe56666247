package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// provider is an identity provider in memory: it answers with a set of keys, and counts.
type provider struct {
	mu      sync.Mutex
	keys    []auth.Key
	body    string // instead of the keys, if not empty
	failure error
	delay   time.Duration
	fetches int
}

func (p *provider) set(failure error, keys ...auth.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure, p.keys = failure, keys
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(p.delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if p.failure != nil {
		return nil, p.failure
	}
	body := p.body
	if body == "" {
		jwks, err := auth.MarshalJWKS(p.keys)
		if err != nil {
			return nil, err
		}
		body = string(jwks)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (p *provider) verifier(t *testing.T) *auth.Verifier {
	t.Helper()
	return newVerifier(t, auth.Options{
		KeySets: []string{"https://id.example/keys"}, Client: &http.Client{Transport: p}, Logger: slog.New(slog.DiscardHandler),
	})
}

func named(id, algorithm string) auth.SigningKey {
	key := generated()[algorithm]
	key.ID = id
	return key
}

func TestKeysRotate(t *testing.T) {
	old, fresh := named("old", "ES256"), named("new", "EdDSA")
	synctest.Test(t, func(t *testing.T) {
		p := &provider{keys: []auth.Key{old.Key()}}
		v := p.verifier(t)
		alice := auth.Identity{User: "alice"}
		if _, err := v.Authenticate(t.Context(), token(t, old, alice, nil)); err != nil {
			t.Fatalf("with the first key: %v", err)
		}
		p.set(nil, old.Key(), fresh.Key())
		time.Sleep(auth.MinRefresh)
		if _, err := v.Authenticate(t.Context(), token(t, fresh, alice, nil)); err != nil || p.count() != 2 {
			t.Fatalf("with the next key, which the token names: %v after %d fetches", err, p.count())
		}
		p.set(nil, fresh.Key())
		time.Sleep(auth.DefaultRefresh + time.Second)
		if _, err := v.Authenticate(t.Context(), token(t, old, alice, nil)); !errors.Is(err, auth.ErrInvalid) {
			t.Fatalf("with the first key, which is gone: %v", err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnUnknownKeyDoesNotFetch(t *testing.T) {
	key := named("a", "ES256")
	synctest.Test(t, func(t *testing.T) {
		p := &provider{keys: []auth.Key{key.Key()}}
		v := p.verifier(t)
		refused := func(id string) {
			t.Helper()
			if _, err := v.Authenticate(t.Context(), token(t, named(id, "ES256"), auth.Identity{User: "a"}, nil)); !errors.Is(err, auth.ErrInvalid) {
				t.Fatalf("key %s: %v", id, err)
			}
		}
		for i := range 1000 {
			refused(fmt.Sprint("x", i))
		}
		if p.count() != 1 {
			t.Fatalf("%d fetches for a thousand unknown keys within the interval, want the first one only", p.count())
		}
		time.Sleep(auth.MinRefresh)
		for i := range 1000 {
			refused(fmt.Sprint("y", i))
		}
		if p.count() != 2 {
			t.Fatalf("%d fetches after one interval, want 2", p.count())
		}
		for range 4 { // one and the same is known to be absent for longer than the interval
			time.Sleep(auth.MinRefresh)
			refused("y0")
		}
		if p.count() != 2 {
			t.Fatalf("%d fetches for a key that was looked for, want 2", p.count())
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestManyWaitForOneFetch(t *testing.T) {
	key := named("late", "ES256")
	synctest.Test(t, func(t *testing.T) {
		p := &provider{keys: []auth.Key{named("a", "ES256").Key()}}
		v := p.verifier(t)
		p.set(nil, key.Key())
		p.delay = time.Second
		time.Sleep(auth.MinRefresh)
		var good atomic.Int32
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); err == nil {
					good.Add(1)
				}
			})
		}
		group.Wait()
		if good.Load() != 100 || p.count() != 2 {
			t.Errorf("%d of 100 were let in, after %d fetches", good.Load(), p.count())
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheLastGoodKeysAreKept(t *testing.T) {
	key := named("a", "ES256")
	synctest.Test(t, func(t *testing.T) {
		p := &provider{keys: []auth.Key{key.Key()}}
		v := p.verifier(t)
		for _, broken := range []func(){
			func() { p.set(errors.New("no route")) },
			func() { p.set(nil); p.body = "<html>" },
			func() { p.body = `{"keys":[]}` },
			func() { p.body = `{"keys":[{"kty":"oct","kid":"a","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}` },
			func() { p.body = setOf(t, mostKeys+1) },
		} {
			broken()
			if err := v.Refresh(t.Context()); err == nil {
				t.Error("a reading that fails is no error")
			}
			if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); err != nil {
				t.Errorf("after a reading that failed: %v", err)
			}
		}
		before := p.count()
		time.Sleep(10*auth.MinRefresh + time.Second)
		if n := p.count() - before; n != 10 {
			t.Errorf("%d fetches in ten intervals of failure, want one in each", n)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestATokenIsNotRefusedForKeysThatCannotBeHad(t *testing.T) {
	key := named("a", "ES256")
	synctest.Test(t, func(t *testing.T) {
		p := &provider{failure: errors.New("no route")}
		v := p.verifier(t)
		text := token(t, key, auth.Identity{User: "a"}, nil)
		if _, err := v.Authenticate(t.Context(), text); !errors.Is(err, auth.ErrUnavailable) {
			t.Fatalf("without keys: %v, want ErrUnavailable", err)
		}
		p.set(nil, key.Key())
		time.Sleep(auth.MinRefresh + time.Second)
		if _, err := v.Authenticate(t.Context(), text); err != nil {
			t.Fatalf("when they are there: %v", err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOneBadKeyDoesNotSpoilASet(t *testing.T) {
	key := named("a", "ES256")
	good, err := auth.MarshalJWKS([]auth.Key{key.Key()})
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(good), `"keys": [`, `"keys": [{"kty":"RSA","kid":"weak","n":"AQAB","e":"AQAB"},`, 1)
	v := (&provider{body: bad}).verifier(t)
	if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); err != nil {
		t.Errorf("beside a weak key: %v", err)
	}
}

// over the network: TLS, a redirect that leaves it, and a certificate that nobody knows.
func TestFetchesByTLSOnly(t *testing.T) {
	key := named("a", "ES256")
	jwks, err := auth.MarshalJWKS([]auth.Key{key.Key()})
	if err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) }))
	defer plain.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) })
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.Handle("/plain", http.RedirectHandler(plain.URL, http.StatusFound))
	mux.Handle("/around", http.RedirectHandler("/around", http.StatusFound))
	server := httptest.NewTLSServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for path, want := range map[string]error{"/keys": nil, "/moved": nil, "/plain": auth.ErrUnavailable, "/around": auth.ErrUnavailable, "/absent": auth.ErrUnavailable} {
		v := newVerifier(t, auth.Options{KeySets: []string{server.URL + path}, Client: server.Client(), Logger: logger})
		if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	v := newVerifier(t, auth.Options{KeySets: []string{server.URL + "/keys"}, Logger: logger})
	if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("with a certificate that nobody knows: %v", err)
	}
	for _, location := range []string{"", plain.URL, "ftp://x/keys", "https://", "https://user:pass@x.example/", "https://x.example/%zz"} {
		_, err := auth.NewVerifier(t.Context(), auth.Options{KeySets: []string{location}})
		if err == nil || strings.Contains(err.Error(), "pass@") {
			t.Errorf("a key set at %q: %v", location, err)
		}
	}
}

func TestKeysComeFromFiles(t *testing.T) {
	key := generated()["ES256"]
	public, err := key.MarshalPublic()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	key.ID = auth.KeyID(key.Private.Public())
	for _, location := range []string{file, "file://" + file} {
		v := newVerifier(t, auth.Options{KeySets: []string{location}})
		if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); err != nil {
			t.Errorf("%s: %v", location, err)
		}
	}
	v := newVerifier(t, auth.Options{KeySets: []string{file}})
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Refresh(t.Context()); err == nil {
		t.Error("a file that is no key any more is no error")
	}
	if _, err := v.Authenticate(t.Context(), token(t, key, auth.Identity{User: "a"}, nil)); err != nil {
		t.Errorf("the key of before: %v", err)
	}
	for _, bad := range []string{file, file + ".absent"} {
		if _, err := auth.NewVerifier(t.Context(), auth.Options{KeySets: []string{bad}}); err == nil {
			t.Errorf("%s is taken at the start", bad)
		}
	}
}
