package gate

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// origins is which pages may send requests.
type origins struct {
	patterns []string
	all      bool
}

// newOrigins returns an error for a pattern that is no origin, or that allows more than it seems to.
func newOrigins(patterns []string) (origins, error) {
	var o origins
	for _, p := range patterns {
		p = strings.ToLower(p)
		if err := checkPattern(p); err != nil {
			return origins{}, err
		}
		o.all = o.all || p == "*"
		o.patterns = append(o.patterns, p)
	}
	return o, nil
}

// checkPattern wants an origin as a browser writes it (RFC 6454, section 6.2), in which "*" stands for whole labels of
// the host at its beginning, or for the port: https://*example.com would be https://evilexample.com, too.
func checkPattern(pattern string) error {
	if pattern == "*" || pattern == "null" {
		return nil
	}
	scheme, host, ok := strings.Cut(pattern, "://")
	if !ok || scheme == "" || host == "" || strings.ContainsAny(host, "/?#@ ") {
		return fmt.Errorf("%q is no origin: write it as a browser does, https://example.com or https://example.com:8443", pattern)
	}
	rest := strings.TrimPrefix(strings.TrimSuffix(host, ":*"), "*.")
	if strings.Contains(scheme, "*") || strings.Contains(rest, "*") || rest == "" {
		return fmt.Errorf("%q: a * stands for the beginning of a host, https://*.example.com, or for a port, https://example.com:*", pattern)
	}
	return nil
}

// allow reports whether a request may be served: one without an Origin is no browser's, or is of a page of the
// server's own; otherwise the origin is the server's own, by scheme, host and port, or matches a pattern.
func (o origins) allow(r *http.Request, from source) bool {
	values := r.Header["Origin"]
	return len(values) == 0 || len(values) == 1 && (same(values[0], r, from) || o.listed(values[0]))
}

// listed reports whether an origin matches a pattern.
func (o origins) listed(origin string) bool {
	origin = strings.ToLower(origin)
	if o.all {
		return true
	}
	if origin != "null" && parseOrigin(origin) == nil {
		return false
	}
	for _, p := range o.patterns {
		if matchOrigin(p, origin) {
			return true
		}
	}
	return false
}

// parseOrigin returns an origin in its parts, or nil for what a browser does not write.
func parseOrigin(origin string) *url.URL {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Opaque != "" || u.User != nil || u.Path != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#") {
		return nil
	}
	return u
}

// same reports whether origin is the one that the request was sent to (RFC 6454, section 4). Where no trusted proxy
// says what the client used, TLS may have been taken off on the way, and the scheme of this side says nothing.
func same(origin string, r *http.Request, from source) bool {
	u := parseOrigin(strings.ToLower(origin))
	if u == nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	if from.secure && u.Scheme != "https" || from.proxied && !from.secure && u.Scheme != "http" {
		return false
	}
	return withoutDefaultPort(u.Host, u.Scheme) == withoutDefaultPort(strings.ToLower(r.Host), u.Scheme)
}

// withoutDefaultPort returns a host without the port that its scheme has anyway, which some write and some do not.
func withoutDefaultPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// matchOrigin reports whether an origin matches a pattern that checkPattern has seen.
func matchOrigin(pattern, origin string) bool {
	if open, ok := strings.CutSuffix(pattern, ":*"); ok {
		i := strings.LastIndexByte(origin, ':')
		if i > len("https") && i > strings.LastIndexByte(origin, ']') { // behind the host, not the scheme
			origin = origin[:i]
		}
		pattern = open
	}
	scheme, host, ok := strings.Cut(pattern, "://*.")
	if !ok {
		return pattern == origin
	}
	rest, ok := strings.CutPrefix(origin, scheme+"://")
	return ok && len(rest) > len(host)+1 && strings.HasSuffix(rest, "."+host)
}
