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

// identify says who asks, after the application's hook.
func (g *Gate) identify(r *http.Request, presented session.Credentials) (*auth.Identity, string, *protocol.Error) {
	identity, token, failure := g.node.Identify(r.Context(), presented)
	if failure != nil || g.connect == nil {
		return identity, token, failure
	}
	changed, failure := g.connect(r, identity)
	if identity == nil || changed == nil || changed.User != identity.User {
		token = "" // it is another user's
	}
	return changed, token, failure
}

// credentials returns what a request presents, the first that is there: in its query, as a bearer (RFC 6750), as a
// subprotocol.
func credentials(r *http.Request) session.Credentials {
	query := r.URL.Query()
	c := session.Credentials{Token: query.Get("token"), Name: query.Get("name")}
	if c.Token == "" {
		c.Token = bearer(r)
	}
	if c.Token == "" {
		c.Token = subprotocolToken(r)
	}
	return c
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
