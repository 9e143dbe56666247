package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/api"
	"github.com/wireroom/wireroom/internal/gate"
)

// minSecret is the shortest secret, in bytes. What signs tokens must not be guessed.
const minSecret = 16

// shortSecret is below what RFC 7518, section 3.2, demands of the key of HS256.
const shortSecret = 32

// check reports settings that are wrong by themselves or together. A setting that already has a problem is not looked
// at again.
func (l *Loaded) check(found Problems) Problems {
	var problems Problems
	report := func(key string, err error) {
		known := slices.ContainsFunc(found, func(p Problem) bool { return p.Key == key })
		if err != nil && !known {
			problems = append(problems, l.wrong(key, err.Error()))
		}
	}
	c := &l.Config
	report("listen", checkListen(c.Listen))
	report("paths", checkPaths(c.Paths))
	taken := slices.Clone(c.Paths)
	for _, other := range []struct {
		key   string
		paths []string
	}{{"stream_paths", c.StreamPaths}, {"poll_paths", c.PollPaths}, {"send_paths", c.SendPaths}, {"socketio.paths", c.SocketIO.Paths}} {
		report(other.key, checkOtherPaths(other.paths, taken))
		taken = append(taken, other.paths...)
	}
	report("socketio.namespaces", checkNamespaces(c.SocketIO.Namespaces))
	report("engine", c.checkEngine())
	report("redis.authorities", c.checkAuthorities())
	report("redis.timeout", checkPositive(c.Redis.Timeout))
	report("redis.prefix", checkPrefix(c.Redis.Prefix))
	report("limits.user.shared", c.checkShared())
	report("origins", checkGate(gate.Settings{Origins: c.Origins}))
	report("trusted_proxies", checkGate(gate.Settings{Proxies: c.TrustedProxies}))
	report("access", checkAccess(c.Access))
	report("secret", l.checkSecret())
	report("tokens.cookie", checkGate(gate.Settings{Cookie: c.Tokens.Cookie}))
	report("tokens.keys", checkKeys(c.Tokens))
	report("tokens.algorithm", checkAlgorithm(c.Tokens.Algorithm))
	report("tokens.refresh", checkRefresh(c.Tokens.Refresh))
	report("traces.endpoint", checkTraces(c.Traces.Endpoint))
	report("traces.ratio", checkRatio(c.Traces.Ratio))
	report("admin.listen", checkAdmin(c.Admin))
	report("admin.key", checkAdminKey(c.Admin.Key))
	problems = append(problems, l.checkAPIKeys()...)
	problems = append(problems, l.checkWebhooks()...)
	report("ping_interval", checkPositive(c.PingInterval))
	report("drain_timeout", checkNotNegative(float64(c.DrainTimeout)))
	report("tls.cert_file", checkTLS(c.TLS))
	report("tls.acme.domains", checkDomains(c.TLS.ACME.Domains))
	report("tls.acme.cache", c.checkCache())
	report("tls.acme.directory", checkDirectory(c.TLS.ACME.Directory))
	report("tls.redirect", checkRedirect(c.TLS))
	limited := false // the last limit that was looked at, a rate, is one
	for _, f := range leaves(c) {
		if !strings.HasPrefix(f.key, "limits.") || f.value.Kind() == reflect.Bool {
			continue
		}
		report(f.key, checkLimit(f))
		if strings.HasSuffix(f.key, "_burst") && limited && number(f) == 0 {
			report(f.key, errNoBurst)
		}
		limited = number(f) > 0
	}
	return append(problems, l.checkRules(found)...)
}

// checkListen reports an address that nobody can listen on.
func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address: write host:port, such as 127.0.0.1:8080, or :8080 for every address", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port: write a number up to 65535, 0 for any free one", port)
	}
	return nil
}

// reserved are the paths that the server answers itself.
var reserved = []string{"/", "/healthz", "/readyz"}

// checkPaths reports paths that cannot be served.
func checkPaths(paths []string) error {
	if len(paths) == 0 {
		return fmt.Errorf("there is no path: clients could not connect")
	}
	return checkOtherPaths(paths, nil)
}

// checkOtherPaths reports paths that cannot be served besides those that are taken; an empty one is none.
func checkOtherPaths(paths, taken []string) error {
	if len(paths) == 1 && paths[0] == "" && taken != nil {
		return nil
	}
	for i, path := range paths {
		u, err := url.Parse(path)
		switch {
		case !strings.HasPrefix(path, "/"):
			return fmt.Errorf("%q does not begin with /", path)
		case err != nil || u.EscapedPath() != path: // also { and }, which mean something to http.ServeMux
			return fmt.Errorf("%q is no path of a URL", path)
		case slices.Contains(reserved, path), strings.HasPrefix(path, api.Prefix):
			return fmt.Errorf("%q has another purpose: take one such as /ws", path)
		case slices.Contains(paths[:i], path), slices.Contains(taken, path):
			return fmt.Errorf("%q is there twice", path)
		}
	}
	return nil
}

var namespace = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkNamespaces reports what cannot name a namespace.
func checkNamespaces(names []string) error {
	for i, name := range names {
		switch {
		case !namespace.MatchString(name):
			return fmt.Errorf("%q is no namespace: 1 to 64 of A-Z a-z 0-9 _ -", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("%q is there twice", name)
		}
	}
	return nil
}

// checkGate reports origins and proxies that a server does not take.
func checkGate(settings gate.Settings) error {
	_, err := gate.NewPolicy(settings)
	return err
}

// checkSecret reports a secret that is too short, and warns of one that is rather short.
func (l *Loaded) checkSecret() error {
	switch n := len(l.Config.Secret); {
	case n == 0:
	case n < minSecret:
		return fmt.Errorf("the secret has %d bytes, and %d are the least; `openssl rand -base64 32` makes a good one", n, minSecret)
	case n < shortSecret:
		l.Warnings = append(l.Warnings, fmt.Sprintf(
			"the secret has %d bytes; RFC 7518 wants %d for HS256 (`openssl rand -base64 32` makes them)", n, shortSecret))
	}
	return nil
}

// checkKeys reports keys that cannot be used. Nothing is fetched: what a URL has is seen when the server runs.
func checkKeys(t Tokens) error {
	algorithm := t.Algorithm
	if !slices.Contains(auth.Algorithms(), algorithm) {
		algorithm = "" // that is reported by itself
	}
	for _, location := range t.Keys {
		if scheme, _, found := strings.Cut(location, "://"); found && scheme != "file" {
			u, err := url.Parse(location)
			if err != nil || scheme != "https" || u.Host == "" || u.User != nil {
				return fmt.Errorf("a key set is fetched from an https URL without a password, or read from a file")
			}
			continue
		}
		text, err := os.ReadFile(strings.TrimPrefix(location, "file://"))
		if err != nil {
			return err
		}
		if _, err := auth.ParseKeys(text, algorithm); err != nil {
			return fmt.Errorf("%s: %w", location, err)
		}
	}
	return nil
}

func checkAlgorithm(name string) error {
	if name == "" || slices.Contains(auth.Algorithms(), name) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", name, strings.Join(auth.Algorithms(), ", "))
}

func checkRefresh(d time.Duration) error {
	if d < auth.MinRefresh {
		return fmt.Errorf("%v is less than %v", d, auth.MinRefresh)
	}
	return nil
}

func checkPositive(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%v is not more than 0", d)
	}
	return nil
}

func checkNotNegative(n float64) error {
	if n < 0 {
		return fmt.Errorf("it is negative")
	}
	return nil
}

// number returns a setting that is one.
func number(f field) float64 {
	if f.value.CanInt() {
		return float64(f.value.Int())
	}
	return f.value.Float()
}

// checkLimit reports a limit that is negative.
func checkLimit(f field) error {
	if n := number(f); n < 0 && !(n == -1 && f.tag.Get("default") == "-1") {
		return fmt.Errorf("%s is negative; 0 is no limit", f.texts()[0])
	}
	return nil
}

// errNoBurst is a rate that could never be used. A burst stands behind its rate.
var errNoBurst = errors.New("0 at once allows none at all: with a rate, a burst is at least 1")
