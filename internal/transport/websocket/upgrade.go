package websocket

import (
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// Subprotocols (RFC 6455, section 1.9): the protocol's own, and the one whose rest is a token.
const (
	subprotocol    = "wireroom.v1"
	tokenPrefix    = "auth."
	tokenB64Prefix = "auth.b64."
)

// ServeHTTP implements http.Handler: it upgrades a request and hands the connection over to the poller.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.opening.Add(1)
	defer t.opening.Add(-1)
	offered := ws.Subprotocols(r.Header)
	hand, refusal := ws.Upgrade(r, t.deflate, selectSubprotocol(offered))
	switch {
	case refusal != nil:
		refuse(w, refusal)
		return
	case !t.origins.allow(r):
		http.Error(w, "this origin may not connect", http.StatusForbidden)
		return
	case t.draining.Load():
		w.Header().Set("Retry-After", "1")
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	identity, token, failure := t.identify(r, offered)
	if failure != nil && r.Header.Get("Origin") == "" {
		http.Error(w, failure.Message, session.Status(failure))
		return
	}
	c := &connection{transport: t, framing: t.plain, opening: new([]byte), slot: slotNone}
	if hand.Deflate != nil {
		c.framing = t.deflated[hand.Deflate.ServerWindowBits]
	}
	c.jsonPing = r.URL.Query().Get("heartbeat") == "json"
	t.takeOver(w, c, hand.AppendResponse(nil), func() {
		if failure != nil { // a browser cannot see the status of an upgrade
			c.Close(closeCode(failure), string(failure.Code), 0)
			return
		}
		c.session.Open(t.Node, c, identity, token)
	})
}

// takeOver hands the request's connection to the poller, with the answer to the upgrade and what open says first in
// one write.
func (t *Transport) takeOver(w http.ResponseWriter, c *connection, response []byte, open func()) {
	nc, early, err := hijack(w)
	if err != nil {
		t.Logger.Warn("an upgrade failed", "error", err)
		return
	}
	*c.opening = response
	open()
	hello := *c.opening
	c.opening = nil
	ended := c.ending.Load() != nil
	_ = nc.SetDeadline(time.Now().Add(writeTimeout)) // fails with the connection, as the write does
	if _, err := nc.Write(hello); err != nil {
		_ = nc.Close()
		c.session.Close(session.Ended{Code: closeAbnormal, Reason: err.Error()})
		return
	}
	_ = nc.SetDeadline(time.Time{})
	c.heard.Store(t.table.clock.Load())
	if err := t.Poller.Adopt(&c.socket, nc, early, c); err != nil {
		t.Logger.Warn("a connection could not be taken over", "error", err)
		c.session.Close(session.Ended{Code: closeAbnormal, Reason: err.Error()})
		return
	}
	if ended {
		c.socket.Finish(nil)
	}
	c.session.Start()
	t.table.add(c)
}

// hijack takes the connection of a request from net/http, with the bytes that it has read already.
func hijack(w http.ResponseWriter) (nc net.Conn, early []byte, err error) {
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		if early, err = buffered.Reader.Peek(n); err != nil {
			return nil, nil, err
		}
	}
	return nc, early, nil
}

func refuse(w http.ResponseWriter, refusal *ws.Refusal) {
	for name, values := range refusal.Header {
		w.Header()[name] = values
	}
	http.Error(w, refusal.Reason, refusal.Status)
}

// identify says who asks for an upgrade, after the application's hook.
func (t *Transport) identify(r *http.Request, offered []string) (*auth.Identity, string, *protocol.Error) {
	query := r.URL.Query()
	credentials := session.Credentials{Token: query.Get("token"), Name: query.Get("name")}
	if credentials.Token == "" {
		credentials.Token = headerToken(r, offered)
	}
	identity, token, failure := t.Node.Identify(r.Context(), credentials)
	if failure != nil || t.Connect == nil {
		return identity, token, failure
	}
	changed, failure := t.Connect(r, identity)
	if identity == nil || changed == nil || changed.User != identity.User {
		token = "" // it is another user's
	}
	return changed, token, failure
}

// headerToken returns the token of a request's headers: as bearer (RFC 6750), or as a subprotocol, for browsers.
func headerToken(r *http.Request, offered []string) string {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if found && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	for _, p := range offered {
		if encoded, ok := strings.CutPrefix(p, tokenB64Prefix); ok {
			if decoded, err := base64.RawURLEncoding.DecodeString(encoded); err == nil {
				return string(decoded)
			}
		}
		if token, ok := strings.CutPrefix(p, tokenPrefix); ok {
			return token
		}
	}
	return ""
}

// selectSubprotocol returns which of the offered subprotocols is answered: ours; else the one with a token, because a
// browser that offered one and gets none back fails the connection.
func selectSubprotocol(offered []string) string {
	selected := ""
	for _, p := range offered {
		switch {
		case p == subprotocol:
			return p
		case selected == "" && strings.HasPrefix(p, tokenPrefix):
			selected = p
		}
	}
	return selected
}

// closeCode returns the close code that tells a browser of an error before the session.
func closeCode(err *protocol.Error) protocol.CloseCode {
	switch err.Code {
	case protocol.CodeUnauthorized, protocol.CodeTokenExpired, protocol.CodeUserMismatch:
		return protocol.CloseUnauthorized
	case protocol.CodeForbidden:
		return protocol.CloseForbidden
	case protocol.CodeRateLimited:
		return protocol.CloseRateLimited
	case protocol.CodeEngineUnavailable:
		return protocol.CloseEngineUnavailable
	case protocol.CodeDraining:
		return protocol.CloseDraining
	}
	if err.Code.Retryable() {
		return protocol.CloseInternal
	}
	return protocol.CloseBadRequest
}
