package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// TLS is where the certificate comes from.
type TLS struct {
	CertFile string `placeholder:"FILE" help:"Certificate, with those of its issuers, in PEM form. It is read anew when it changes, and on SIGHUP. Left out, and without ACME, the server speaks plain HTTP."`
	KeyFile  string `placeholder:"FILE" help:"Private key of the certificate, in PEM form."`
	ACME     ACME   `embed:"" prefix:"acme-" help:"Get certificates from Let's Encrypt, or whoever else speaks ACME."`
	Redirect string `placeholder:"ADDRESS" help:"Address on which plain HTTP is answered with a redirect to https://, such as :80. Left out, it is :80 with ACME, which is answered there too; 'off' is none."`
}

// ACME is how certificates are got from an authority.
type ACME struct {
	Domains   []string `placeholder:"NAME" help:"Names to get certificates for, such as chat.example.com; they must lead to this server, on ports 443 and 80. With them the terms of service of the authority are accepted."`
	Email     string   `placeholder:"ADDRESS" help:"Whom the authority may tell of problems."`
	Cache     string   `placeholder:"DIR" help:"Directory to keep certificates and their keys in. Left out, it is acme in the directory of --data; without that one it must be set."`
	Directory string   `default:"https://acme-v02.api.letsencrypt.org/directory" placeholder:"URL" help:"The authority's directory."`
}

// noRedirect is what switches TLS.Redirect off.
const noRedirect = "off"

// acmeRedirect is where authorities look for an answer (RFC 8555, section 8.3).
const acmeRedirect = ":80"

// Enabled reports whether the server speaks TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" || len(t.ACME.Domains) > 0 }

// RedirectAddress returns where plain HTTP is redirected, or "".
func (t TLS) RedirectAddress() string {
	switch {
	case t.Redirect == noRedirect:
		return ""
	case t.Redirect == "" && len(t.ACME.Domains) > 0:
		return acmeRedirect
	}
	return t.Redirect
}

// ACMECache returns the directory in which certificates are kept; empty if there is none.
func (c *Config) ACMECache() string {
	if c.TLS.ACME.Cache == "" && c.Data != "" {
		return filepath.Join(c.Data, "acme")
	}
	return c.TLS.ACME.Cache
}

// checkTLS reports a certificate that cannot be used.
func checkTLS(t TLS) error {
	switch {
	case t.CertFile == "" && t.KeyFile == "":
		return nil
	case t.CertFile == "":
		return errors.New("there is a key_file and no cert_file: TLS needs both")
	case t.KeyFile == "":
		return errors.New("there is a cert_file and no key_file: TLS needs both")
	case len(t.ACME.Domains) > 0:
		return errors.New("there are a cert_file and acme.domains: take one of the two")
	}
	_, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	return err
}

// checkDomains reports names for which no authority gives a certificate by ACME without DNS.
func checkDomains(domains []string) error {
	for _, name := range domains {
		_, err := netip.ParseAddr(name)
		switch {
		case strings.HasPrefix(name, "*."):
			return fmt.Errorf("%q is for many names: ACME proves each for itself here; list them", name)
		case err == nil, !strings.Contains(name, "."), strings.HasSuffix(name, "."), strings.ContainsAny(name, ":/@* \t"):
			return fmt.Errorf("%q is no name to get a certificate for: write one such as chat.example.com", name)
		}
	}
	return nil
}

// checkCache reports that certificates would be lost with the process: authorities give few anew.
func (c *Config) checkCache() error {
	if len(c.TLS.ACME.Domains) > 0 && c.ACMECache() == "" {
		return errors.New("there is nowhere to keep certificates: set it, or data")
	}
	return nil
}

// checkDirectory reports what is no URL of an authority.
func checkDirectory(directory string) error {
	u, err := url.Parse(directory)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("%q is no URL of a directory, as https://acme.example/directory is", directory)
	}
	return nil
}

// checkRedirect reports a redirect to nowhere.
func checkRedirect(t TLS) error {
	if t.Redirect == "" || t.Redirect == noRedirect {
		return nil
	}
	if !t.Enabled() {
		return errors.New("there is no TLS to redirect to")
	}
	return checkListen(t.Redirect)
}

// HTTPSPort returns the port that redirects name, with a colon; empty if it is the usual one. An authority comes to the
// usual one only, whatever the port is called on this side.
func (t TLS) HTTPSPort(listening net.Addr) string {
	tcp, ok := listening.(*net.TCPAddr)
	if !ok || tcp.Port == 443 || len(t.ACME.Domains) > 0 {
		return ""
	}
	return fmt.Sprintf(":%d", tcp.Port)
}
