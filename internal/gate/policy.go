package gate

import (
	"fmt"
	"net/http"
)

// Settings are what a Policy is made of.
type Settings struct {
	// Origins may send requests besides the server's own: "https://example.com", "https://*.example.com",
	// "https://example.com:*", "null", or "*" for all.
	Origins []string
	// Proxies are the addresses and networks (CIDR) whose word about a client's address and scheme is taken.
	Proxies []string
	// Forwarded is the one header in which those proxies name the client: HeaderForwardedFor (also if it is empty),
	// HeaderForwarded or HeaderRealIP. The others are the client's to forge.
	Forwarded string
	// SecureTokens takes tokens only from clients on which nobody can listen in: over TLS, by the word of a trusted
	// proxy too, or from this machine.
	SecureTokens bool
	// SecureKeys does the same for what Enter lets in.
	SecureKeys bool
	// Cookie is the name of the one in which pages of the server's own origin may present a token; empty is none.
	Cookie string
	Limits Limits
}

// Policy is what a Gate goes by. It is immutable.
type Policy struct {
	origins      origins
	proxies      proxies
	secureTokens bool
	secureKeys   bool
	limits       Limits
	cookie       string
}

// NewPolicy returns a policy, or an error that names what is wrong.
func NewPolicy(s Settings) (*Policy, error) {
	origins, err := newOrigins(s.Origins)
	if err != nil {
		return nil, err
	}
	proxies, err := newProxies(s.Proxies, s.Forwarded)
	if err != nil {
		return nil, err
	}
	if s.Cookie != "" {
		if err := (&http.Cookie{Name: s.Cookie, Value: "a"}).Valid(); err != nil {
			return nil, fmt.Errorf("%q is no name of a cookie", s.Cookie)
		}
	}
	return &Policy{
		origins: origins, proxies: proxies, secureTokens: s.SecureTokens, secureKeys: s.SecureKeys,
		limits: s.Limits, cookie: s.Cookie,
	}, nil
}
