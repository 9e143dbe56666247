package engineio

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"

	"github.com/wireroom/wireroom/internal/gate"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/internal/transport/stateless"
	"github.com/wireroom/wireroom/internal/wire/eio"
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// refusal is why a request is refused, by the number that the reference server gives it.
type refusal int

const (
	unknownTransport refusal = iota
	unknownSession
	badHandshake
	badRequest
	forbidden
	unknownVersion
)

// refusalTexts says it in words.
var refusalTexts = [...]string{
	unknownTransport: "Transport unknown",
	unknownSession:   "Session ID unknown",
	badHandshake:     "Bad handshake method",
	badRequest:       "Bad request",
	forbidden:        "Forbidden",
	unknownVersion:   "Unsupported protocol version",
}

// ServeHTTP answers with the refusal.
func (f refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	status := http.StatusBadRequest
	if f == forbidden {
		status = http.StatusForbidden
	}
	stateless.Answer(w, status, append(strconv.AppendInt([]byte(`{"code":`), int64(f), 10), `,"message":"`+refusalTexts[f]+`"}`...))
}

// The names of transports in the query.
const (
	overPolling   = "polling"
	overWebSocket = "websocket"
)

// ask is what a request's query says.
type ask struct {
	transport string
	id        string // of a connection that is there; empty for a new one
	stamp     string // see stampOf
}

// parse reads the query of a request (Engine.IO protocol, "Query parameters").
func parse(r *http.Request) (ask, refusal, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ask{}, badRequest, false
	}
	one := func(name string) string {
		if values := query[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	a := ask{transport: one("transport"), id: one("sid"), stamp: stampOf(r, one("t"))}
	switch {
	case a.transport != overPolling && a.transport != overWebSocket:
		return a, unknownTransport, false
	case one("EIO") != eio.Version:
		return a, unknownVersion, false
	case query.Has("sid") && a.id == "":
		return a, unknownSession, false
	}
	return a, 0, true
}

// ServeHTTP implements http.Handler.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answered, refused := t.Gate.CORS(w, r)
	a, why, ok := parse(r)
	switch {
	case answered:
	case refused != nil:
		refused.ServeHTTP(w, r)
	case !ok:
		why.ServeHTTP(w, r)
	case r.Method != http.MethodGet && (r.Method != http.MethodPost || a.id == "" || a.transport != overPolling):
		badHandshake.ServeHTTP(w, r)
	case a.id == "":
		t.open(w, r, a)
	default:
		t.follow(w, r, a)
	}
}

// open answers the request that begins a connection.
func (t *Transport) open(w http.ResponseWriter, r *http.Request, a ask) {
	t.opening.Add(1)
	defer t.opening.Add(-1)
	var hand *ws.Handshake
	if a.transport == overWebSocket {
		var refused *ws.Refusal
		if hand, refused = ws.Upgrade(r, nil, ""); refused != nil {
			badRequest.ServeHTTP(w, r)
			return
		}
	}
	if t.draining.Load() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	kind := gate.Carried
	if hand != nil {
		kind = gate.Connection
	}
	pass, refused := t.Gate.Admit(r, kind)
	if refused != nil {
		refused.ServeHTTP(w, r)
		return
	}
	if hand != nil {
		t.openWeb(w, pass, hand)
		return
	}
	t.openPolling(w, pass)
}

// openWeb begins a connection over WebSocket.
func (t *Transport) openWeb(w http.ResponseWriter, pass *gate.Pass, hand *ws.Handshake) {
	both := new(struct {
		conn Conn
		web  web
	})
	c, carrier := &both.conn, &both.web
	c.init(t, pass)
	carrier.conn, carrier.early = c, new([]byte)
	carrier.phase.Store(carrying)
	c.web = carrier
	hello := t.handshake(rand.Text(), false)
	*carrier.early = ws.AppendFrame(hand.AppendResponse(nil), ws.Text, hello)
	c.talk = t.Speech.Open(c, pass)
	t.add(c) // before the client hears anything: whoever has an answer is seen
	if !t.takeOver(w, carrier) {
		c.end(session.Ended{Code: closeAbnormal, Reason: "the upgrade failed"})
	}
}

// openPolling begins a connection over long-polling.
func (t *Transport) openPolling(w http.ResponseWriter, pass *gate.Pass) {
	c := new(Conn)
	c.init(t, pass)
	c.id, c.poll = rand.Text(), newPolling()
	c.talk = t.Speech.Open(c, pass)
	t.name(c)
	t.add(c)
	answer(w, t.handshake(c.id, true))
}

// handshake returns the packet that opens a connection.
func (t *Transport) handshake(id string, upgradable bool) []byte {
	h := eio.Handshake{
		ID: id, Upgradable: upgradable, PingInterval: t.PingInterval, PingTimeout: t.PingTimeout, MaxPayload: t.MaxPayload,
	}
	return h.Append(nil)
}

// follow answers a request of a connection that is there. Who asks must be who began it.
func (t *Transport) follow(w http.ResponseWriter, r *http.Request, a ask) {
	pass, refused := t.Gate.Follow(r)
	if refused != nil {
		refused.ServeHTTP(w, r)
		return
	}
	defer pass.Seat.Release(0)
	c := t.find(a.id)
	switch {
	case c == nil || pass.Presented != 0 && pass.Presented != c.presented:
		unknownSession.ServeHTTP(w, r)
	case c.expired(t.now()):
		c.abort(errSilent)
		unknownSession.ServeHTTP(w, r)
	case a.transport == overWebSocket:
		t.tryUpgrade(w, r, c)
	case r.Method == http.MethodPost:
		c.servePost(w, r, a.stamp)
	default:
		c.serveGet(w, r, a.stamp)
	}
}

// answer answers a request with packets.
func answer(w http.ResponseWriter, payload []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(payload)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(payload) // whoever asked may be gone
}

// closeAbnormal is the code of a connection that ended without a goodbye.
const closeAbnormal protocol.CloseCode = 1006
