package websocket

import (
	"net/http"
	"net/url"
	"strings"
)

// origins is which pages may connect.
type origins struct{ patterns []string }

func newOrigins(patterns []string) origins {
	lower := make([]string, len(patterns))
	for i, p := range patterns {
		lower[i] = strings.ToLower(p)
	}
	return origins{lower}
}

// allow reports whether a request may connect: one without an Origin is no browser's; otherwise the origin is the
// server's own, by scheme, host and port, or matches a pattern.
func (o origins) allow(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 {
		return false
	}
	origin := strings.ToLower(values[0])
	if o.same(origin, r) {
		return true
	}
	for _, p := range o.patterns {
		if match(p, origin) {
			return true
		}
	}
	return false
}

// same reports whether origin is the one that the request was sent to (RFC 6454, section 4). A proxy may have taken
// TLS off, so that the scheme of this side says nothing; the port of the Host header stays.
func (o origins) same(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	if u.Scheme != "http" && u.Scheme != "https" || r.TLS != nil && u.Scheme != "https" {
		return false
	}
	return u.Host == strings.ToLower(r.Host)
}

// match reports whether s matches a pattern in which each * stands for any bytes.
func match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
