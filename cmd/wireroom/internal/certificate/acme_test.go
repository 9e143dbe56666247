package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certificate"
)

// site is a server that gets its certificates from an authority of the test.
type site struct {
	authority *certificate.Authority
	at        string
	log       *journal
}

// newSite serves TLS, and plain HTTP for http-01.
func newSite(t *testing.T, a *ca, cache string) *site {
	t.Helper()
	s := &site{log: new(journal)}
	s.authority = certificate.NewAuthority(certificate.Order{
		Domains: []string{"chat.example.com", "www.example.com"}, Email: "a@example.com", Cache: cache,
		Directory: a.url("/directory"), Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	config := &tls.Config{GetCertificate: s.authority.Get, NextProtos: []string{"http/1.1", certificate.Protocol}}
	done := make(chan error, 1)
	go func() { done <- server.Serve(tls.NewListener(listener, config)) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	plain := httptest.NewServer(s.authority.Handler(certificate.Redirect("")))
	t.Cleanup(plain.Close)
	s.at = listener.Addr().String()
	a.tlsAt, a.httpAt = s.at, plain.Listener.Addr().String()
	return s
}

// names returns the names of the certificate that a client gets who trusts the authority.
func (s *site) names(a *ca, name string) ([]string, error) {
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	client, err := tls.Dial("tcp", s.at, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.ConnectionState().PeerCertificates[0].DNSNames, nil
}

func TestGetsCertificatesByEachChallenge(t *testing.T) {
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			a, cache := newCA(t, challenge), t.TempDir()
			s := newSite(t, a, cache)
			s.authority.Fetch(t.Context())
			if n := a.issued(); n != 2 {
				t.Fatalf("%d certificates were issued: %s", n, s.log)
			}
			for _, name := range []string{"chat.example.com", "www.example.com"} {
				if names, err := s.names(a, name); err != nil || strings.Join(names, " ") != name {
					t.Errorf("%s has a certificate for %v: %v", name, names, err)
				}
			}
			if _, err := s.names(a, "other.example.com"); err == nil {
				t.Error("another name has a certificate")
			}
			again := newSite(t, a, cache) // after a restart
			again.authority.Fetch(t.Context())
			if _, err := again.names(a, "chat.example.com"); err != nil || a.issued() != 2 {
				t.Errorf("%d certificates were issued: %v", a.issued(), err)
			}
		})
	}
}

// A client need not wait for Fetch.
func TestGetsACertificateWhenAClientComes(t *testing.T) {
	a := newCA(t, "tls-alpn-01")
	s := newSite(t, a, t.TempDir())
	if names, err := s.names(a, "www.example.com"); err != nil || names[0] != "www.example.com" || a.issued() != 1 {
		t.Errorf("%v, %v, %d issued", names, err, a.issued())
	}
}

func TestPlainHTTPIsRedirectedBesideChallenges(t *testing.T) {
	a := newCA(t, "http-01")
	s := newSite(t, a, t.TempDir())
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://chat.example.com/a", nil)
	s.authority.Handler(certificate.Redirect("")).ServeHTTP(w, r)
	if w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "https://chat.example.com/a" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
