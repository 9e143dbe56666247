package websocket

import (
	"net/http"
	"strings"
	"time"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/wire/ws"
)

// subprotocol is the protocol's own (RFC 6455, section 1.9).
const subprotocol = "wireroom.v1"

// ServeHTTP implements http.Handler: it upgrades a request and hands the connection over to the poller.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.opening.Add(1)
	defer t.opening.Add(-1)
	hand, refusal := ws.Upgrade(r, t.deflate, selectSubprotocol(ws.Subprotocols(r.Header)))
	switch {
	case refusal != nil:
		refuse(w, refusal)
		return
	case t.draining.Load():
		w.Header().Set("Retry-After", "1")
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	pass, refused := t.Gate.Admit(r, gate.Connection)
	if refused != nil && !refused.Late {
		refused.ServeHTTP(w, r)
		return
	}
	c := &connection{transport: t, framing: t.plain}
	if hand.Deflate != nil {
		c.framing = t.deflated[hand.Deflate.ServerWindowBits]
	}
	if pass != nil {
		c.seat = pass.Seat
	}
	c.jsonPing = r.URL.Query().Get("heartbeat") == "json"
	t.takeOver(w, c, hand.AppendResponse(nil), func() {
		if refused != nil {
			c.Close(refused.CloseCode(), refused.Reason(), refused.Retry())
			return
		}
		c.exposed = pass.Exposed
		c.session.Open(t.Node, c, pass.Identity, pass.Token)
	})
}

// takeOver hands the request's connection to the poller, with the answer to the upgrade and what open says first in
// one write.
func (t *Transport) takeOver(w http.ResponseWriter, c *connection, response []byte, open func()) {
	nc, early, err := conn.Hijack(w)
	if err != nil {
		t.Logger.Warn("an upgrade failed", "error", err)
		c.seat.Release(0)
		return
	}
	rechecks := t.rechecks.Load()
	saying := &opening{bytes: response}
	c.opening.Store(saying)
	open()
	hello := saying.take()
	c.heard.Store(t.table.Clock())
	t.table.Add(c)                                   // before the client hears anything: whoever has an answer is seen
	_ = nc.SetDeadline(time.Now().Add(writeTimeout)) // fails with the connection, as the write does
	if _, err := nc.Write(hello); err != nil {
		_ = nc.Close()
		c.lost(err)
		return
	}
	_ = nc.SetDeadline(time.Time{})
	if err := t.Poller.Adopt(&c.socket, nc, early, c); err != nil {
		t.Logger.Warn("a connection could not be taken over", "error", err)
		c.lost(err)
		return
	}
	c.opened()
	c.session.Start()
	c.session.Placed()
	if t.rechecks.Load() != rechecks {
		c.session.Recheck()
	}
}

func refuse(w http.ResponseWriter, refusal *ws.Refusal) {
	for name, values := range refusal.Header {
		w.Header()[name] = values
	}
	http.Error(w, refusal.Reason, refusal.Status)
}

// selectSubprotocol returns which of the offered subprotocols is answered: ours; else the one with a token, because a
// browser that offered one and gets none back fails the connection.
func selectSubprotocol(offered []string) string {
	selected := ""
	for _, p := range offered {
		switch {
		case p == subprotocol:
			return p
		case selected == "" && strings.HasPrefix(p, gate.TokenPrefix):
			selected = p
		}
	}
	return selected
}
