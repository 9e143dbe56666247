package certificate_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certificate"
)

// place is where a test keeps a certificate.
type place struct {
	t                 *testing.T
	certFile, keyFile string
	log               *journal
	serial            int64
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newPlace(t *testing.T) *place {
	folder := t.TempDir()
	return &place{t: t, certFile: filepath.Join(folder, "cert.pem"), keyFile: filepath.Join(folder, "key.pem"), log: new(journal)}
}

// put writes a new pair that is in force from a time until another, and returns its serial number.
func (p *place) put(from, until time.Time) int64 {
	p.t.Helper()
	p.serial++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(p.serial), NotBefore: from, NotAfter: until, DNSNames: []string{"chat.example"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(p.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	p.write(p.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return p.serial
}

// write replaces a file, as tools that renew certificates do.
func (p *place) write(name string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		p.t.Fatal(err)
	}
}

// good writes a new pair that is in force.
func (p *place) good() int64 { return p.put(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)) }

func (p *place) load() *certificate.Files {
	p.t.Helper()
	f, err := certificate.Load(p.certFile, p.keyFile, slog.New(slog.NewTextHandler(p.log, nil)))
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// serial returns the serial number of the certificate in use.
func serial(t *testing.T, f *certificate.Files) int64 {
	t.Helper()
	pair, err := f.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.Int64()
}

func TestReloadTakesAGoodPair(t *testing.T) {
	p := newPlace(t)
	p.good()
	f := p.load()
	want := p.good()
	if err := f.Reload(); err != nil || serial(t, f) != want {
		t.Errorf("number %d is in use, want %d: %v", serial(t, f), want, err)
	}
	said := p.log.String()
	if err := f.Reload(); err != nil || p.log.String() != said {
		t.Errorf("what has not changed is told anew: %v\n%s", err, p.log)
	}
}

func TestABadPairIsRefusedAndTheOldOneStays(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(p *place)
		want  string
	}{
		"no certificate":            {func(p *place) { p.write(p.certFile, []byte("nonsense")) }, "failed to find any PEM data"},
		"half a certificate":        {func(p *place) { half(p, p.certFile) }, "PEM"},
		"no key":                    {func(p *place) { _ = os.Remove(p.keyFile) }, "no such file"},
		"another certificate's key": {func(p *place) { key, _ := os.ReadFile(p.keyFile); p.good(); p.write(p.keyFile, key) }, "does not match"},
		"over already":              {func(p *place) { p.put(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)) }, "was valid until"},
		"not yet":                   {func(p *place) { p.put(time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)) }, "not valid before"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			want := p.good()
			f := p.load()
			row.spoil(p)
			if err := f.Reload(); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("reload: %v", err)
			}
			if serial(t, f) != want {
				t.Errorf("number %d is in use", serial(t, f))
			}
		})
	}
}

func half(p *place, name string) {
	content, _ := os.ReadFile(name)
	p.write(name, content[:len(content)/2])
}

func TestOneThatIsOverGivesWayToAnother(t *testing.T) {
	p := newPlace(t)
	p.put(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	f := p.load()
	if !strings.Contains(p.log.String(), "level=WARN") {
		t.Errorf("nobody is told: %s", p.log)
	}
	want := p.put(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Minute))
	if err := f.Reload(); err != nil || serial(t, f) != want {
		t.Errorf("number %d is in use: %v", serial(t, f), err)
	}
}

func TestWatchNoticesAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.good()
		f := p.load()
		ctx, stop := context.WithCancel(t.Context())
		go f.Watch(ctx, 10*time.Second)
		before := p.log.String()
		pass(time.Minute)
		if said := p.log.String(); said != before {
			t.Errorf("something changed: %s", said)
		}
		want := p.good()
		pass(11 * time.Second)
		if serial(t, f) != want {
			t.Errorf("number %d is in use, want %d", serial(t, f), want)
		}
		p.write(p.certFile, []byte("nonsense"))
		pass(time.Minute)
		if said := p.log.String(); strings.Count(said, "is refused; the old one stays") != 1 || serial(t, f) != want {
			t.Errorf("number %d is in use; said %s", serial(t, f), said)
		}
		want = p.good()
		pass(11 * time.Second)
		if serial(t, f) != want {
			t.Errorf("number %d is in use, want %d", serial(t, f), want)
		}
		stop()
		synctest.Wait()
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestWatchFollowsLinks(t *testing.T) {
	p := newPlace(t)
	p.good()
	link := filepath.Join(filepath.Dir(p.certFile), "link.pem")
	if err := os.Symlink(p.certFile, link); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("links need a right here that users do not have:", err)
		}
		t.Fatal(err)
	}
	other := newPlace(t)
	other.serial = 100
	want := other.good()
	synctest.Test(t, func(t *testing.T) {
		f, err := certificate.Load(link, p.keyFile, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go f.Watch(ctx, time.Second)
		_ = os.Remove(link)
		if err := os.Symlink(other.certFile, link); err != nil {
			t.Fatal(err)
		}
		key, _ := os.ReadFile(other.keyFile)
		p.write(p.keyFile, key)
		pass(2 * time.Second)
		if serial(t, f) != want {
			t.Errorf("number %d is in use, want %d", serial(t, f), want)
		}
		stop()
		synctest.Wait()
	})
}
