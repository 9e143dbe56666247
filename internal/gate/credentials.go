package gate

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// What a subprotocol begins with whose rest is a token, as it is or in base64 for URLs: a browser's WebSocket can send
// no other header.
const (
	TokenPrefix        = "auth."
	EncodedTokenPrefix = "auth.b64."
)

// credentials are what a request presents.
type credentials struct {
	session.Credentials
	ticket string // instead of a token
}

// identify says who asks, after the application's hook.
func (g *Gate) identify(r *http.Request, presented credentials) (*auth.Identity, string, *protocol.Error) {
	identity, token, failure := g.authenticate(r, presented)
	if failure != nil || g.connect == nil {
		return identity, token, failure
	}
	changed, failure := g.connect(r, identity)
	if failure == nil && changed != nil && changed != identity {
		changed, failure = g.node.Introduce(changed)
	}
	if failure != nil {
		return nil, "", failure
	}
	if identity == nil || changed == nil || changed.User != identity.User {
		token = "" // it is another user's
	}
	return changed, token, nil
}

// authenticate says who asks, by a token or a ticket.
func (g *Gate) authenticate(r *http.Request, presented credentials) (*auth.Identity, string, *protocol.Error) {
	if presented.ticket == "" {
		return g.node.Identify(r.Context(), presented.Credentials)
	}
	identity, failure := g.takeTicket(r.Context(), presented.ticket)
	if failure != nil {
		return nil, "", failure
	}
	if identity == nil {
		return nil, "", &protocol.Error{Code: protocol.CodeUnauthorized, Message: "the ticket is unknown, used or too old"}
	}
	return g.node.Return(identity)
}

// credentials returns what a request presents, the first that is there: in its query a token or a ticket, as a bearer
// (RFC 6750), as a subprotocol, in the cookie.
func (g *Gate) credentials(r *http.Request, p *Policy) credentials {
	query := r.URL.Query()
	c := credentials{Credentials: session.Credentials{Token: query.Get("token"), Name: query.Get("name")}}
	if c.Token == "" {
		c.ticket = query.Get("ticket")
	}
	for _, way := range []func() string{
		func() string { return bearer(r) }, func() string { return subprotocolToken(r) }, func() string { return p.cookieToken(r) },
	} {
		if c.Token == "" && c.ticket == "" {
			c.Token = way()
		}
	}
	return c
}

// cookieToken returns the token in the configured cookie. A browser sends a cookie with whatever request leads to the
// server, so it counts only in those of pages of the server's own origin: they name it, or, where a browser does not
// name origins, say that it is the same. Whatever is no browser says neither, and has no reason to send a cookie that
// it was not given.
func (p *Policy) cookieToken(r *http.Request) string {
	if p.cookie == "" {
		return ""
	}
	cookie, err := r.Cookie(p.cookie)
	if err != nil {
		return ""
	}
	switch origins := r.Header["Origin"]; {
	case len(origins) == 1 && same(origins[0], r, p.proxies.client(r)):
		return cookie.Value
	case len(origins) > 0:
		return ""
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return cookie.Value
	}
	return ""
}

func bearer(r *http.Request) string {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if found && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// subprotocolToken returns the token among the subprotocols that a request offers. The encoded form is looked for
// first: its prefix begins with the other one.
func subprotocolToken(r *http.Request) string {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			offered = strings.Trim(offered, " \t")
			if encoded, ok := strings.CutPrefix(offered, EncodedTokenPrefix); ok {
				if decoded, err := base64.RawURLEncoding.DecodeString(encoded); err == nil {
					return string(decoded)
				}
			}
			if token, ok := strings.CutPrefix(offered, TokenPrefix); ok {
				return token
			}
		}
	}
	return ""
}
