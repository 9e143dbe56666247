package certificate

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// fetchAgain is the time between two tries to get a certificate: authorities bound failures to a few an hour.
const fetchAgain = 15 * time.Minute

// Order is what is asked of an authority.
type Order struct {
	Domains   []string
	Email     string // may be empty
	Cache     string // directory, made where it is missing
	Directory string // URL of the authority's directory (RFC 8555, section 7.1.1)
	Logger    *slog.Logger
}

// Authority gets certificates by ACME (RFC 8555), keeps them in a directory and renews them in time. It answers
// challenges in handshakes (RFC 8737) and, by Handler, over plain HTTP. Its methods may be called at once.
type Authority struct {
	order   Order
	manager *autocert.Manager
}

// NewAuthority returns an Authority that has asked for nothing yet.
func NewAuthority(o Order) *Authority {
	return &Authority{o, &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(o.Cache),
		HostPolicy: autocert.HostWhitelist(o.Domains...),
		Email:      o.Email,
		Client:     &acme.Client{DirectoryURL: o.Directory, UserAgent: "wireroom"},
	}}
}

// Protocol is what a tls.Config's NextProtos needs besides its own, for challenges.
const Protocol = acme.ALPNProto

// Get is a tls.Config's GetCertificate. A certificate that is not there yet is fetched meanwhile.
func (a *Authority) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.manager.GetCertificate(hello)
}

// Handler answers challenges, whatever port they were sent to, and leaves all other requests to rest.
func (a *Authority) Handler(rest http.Handler) http.Handler {
	challenges := a.manager.HTTPHandler(rest)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil || !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			challenges.ServeHTTP(w, r)
			return
		}
		asked := *r
		asked.Host = host // autocert compares it with the names as they are
		challenges.ServeHTTP(w, &asked)
	})
}

// Fetch gets what is missing, so that no client has to wait for it and mistakes are seen early: it tries each name
// until it has a certificate or ctx ends.
func (a *Authority) Fetch(ctx context.Context) {
	missing := a.order.Domains
	for {
		fetched := make(chan []string, 1)
		go func() { fetched <- a.fetch(missing) }() // autocert bounds it to some minutes a name, too long for a stop
		select {
		case <-ctx.Done():
			return
		case missing = <-fetched:
		}
		if len(missing) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(fetchAgain):
		}
	}
}

// fetch tries each name once, and returns those that failed.
func (a *Authority) fetch(domains []string) (failed []string) {
	for _, name := range domains {
		// As a client of today would ask, whose certificate has a key on a curve.
		pair, err := a.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName:       name,
			CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			SupportedCurves:  []tls.CurveID{tls.CurveP256},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		})
		if err != nil {
			a.order.Logger.Error("no certificate yet; the next try is in a while, or when a client comes",
				"name", name, "authority", a.order.Directory, "in", fetchAgain, "error", err)
			failed = append(failed, name)
			continue
		}
		a.order.Logger.Info("certificate in use", "name", name, "authority", a.order.Directory, "until", until(pair))
	}
	return failed
}

func until(pair *tls.Certificate) string {
	if pair.Leaf == nil {
		return ""
	}
	return fmt.Sprint(pair.Leaf.NotAfter)
}
