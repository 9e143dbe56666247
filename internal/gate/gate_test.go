package gate

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

func TestTokensComeInEveryWay(t *testing.T) {
	g := newGate(t, Settings{})
	encoded := base64.RawURLEncoding.EncodeToString([]byte("good"))
	for name, r := range map[string]*http.Request{
		"query":                     request("http://chat.example/ws?token=good", "192.0.2.1:1"),
		"query before header":       request("http://chat.example/ws?token=good", "192.0.2.1:1", "Authorization: Bearer bad"),
		"bearer":                    request("http://chat.example/ws", "192.0.2.1:1", "Authorization: bearer good "),
		"subprotocol":               request("http://chat.example/ws", "192.0.2.1:1", "Sec-WebSocket-Protocol: wireroom.v1, auth.good"),
		"subprotocol, alone":        request("http://chat.example/ws", "192.0.2.1:1", "Sec-WebSocket-Protocol: auth.good"),
		"subprotocol, two lines":    request("http://chat.example/ws", "192.0.2.1:1", "Sec-WebSocket-Protocol: wireroom.v1", "Sec-WebSocket-Protocol: auth.good"),
		"subprotocol, encoded":      request("http://chat.example/ws", "192.0.2.1:1", "Sec-WebSocket-Protocol: auth.b64."+encoded),
		"bearer before subprotocol": request("http://chat.example/ws", "192.0.2.1:1", "Authorization: Bearer good", "Sec-WebSocket-Protocol: auth.bad"),
	} {
		pass, refusal := g.Admit(r, Connection)
		if refusal != nil || pass.Identity.User != "alice" {
			t.Errorf("%s: %+v, %+v", name, pass, refusal)
		}
	}
	pass, refusal := g.Admit(request("http://chat.example/ws?name=Bob", "192.0.2.1:1", "Authorization: Basic good"), Connection)
	if refusal != nil || !pass.Identity.Anonymous || pass.Identity.Name != "Bob" || pass.Token == "" {
		t.Errorf("nobody's token: %+v, %+v", pass, refusal)
	}
}

func TestABrowserIsToldLaterThatItsTokenIsBad(t *testing.T) {
	g := newGate(t, Settings{})
	for _, row := range []struct {
		headers []string
		late    bool
	}{{nil, false}, {[]string{"Origin: http://chat.example"}, true}} {
		_, refusal := g.Admit(request("http://chat.example/ws?token=bad", "192.0.2.1:1", row.headers...), Connection)
		if refusal == nil || refusal.Status != http.StatusUnauthorized || refusal.Late != row.late ||
			refusal.CloseCode() != protocol.CloseUnauthorized || refusal.Reason() != "unauthorized" {
			t.Fatalf("with %v: %+v", row.headers, refusal)
		}
		w := httptest.NewRecorder()
		refusal.ServeHTTP(w, nil)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("answered with %d", w.Code)
		}
	}
	if n := g.metrics.Value(metrics.RefusedHandshake); n != 2 {
		t.Errorf("%d were counted", n)
	}
}

func TestTheHookMayChangeTheUserButNotKeepTheTokenOfAnother(t *testing.T) {
	g := newGate(t, Settings{})
	other := &auth.Identity{User: "carol"}
	g.connect = func(_ *http.Request, identity *auth.Identity) (*auth.Identity, *protocol.Error) {
		if identity.Name == "Eve" {
			return nil, &protocol.Error{Code: protocol.CodeForbidden, Message: "no"}
		}
		return other, nil
	}
	pass, refusal := g.Admit(request("http://chat.example/ws?name=Bob", "192.0.2.1:1"), Connection)
	if refusal != nil || pass.Identity != other || pass.Token != "" {
		t.Errorf("%+v, %+v", pass, refusal)
	}
	_, refusal = g.Admit(request("http://chat.example/ws?name=Eve", "192.0.2.1:1"), Connection)
	if refusal == nil || refusal.Status != http.StatusForbidden || refusal.CloseCode() != protocol.CloseForbidden {
		t.Errorf("%+v", refusal)
	}
}

func TestAHookBringsInNobodyWhoIsKeptOut(t *testing.T) {
	g := newGate(t, Settings{})
	if err := g.node.Block(t.Context(), "carol", "spam", 0); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		user string
		code protocol.Code
	}{{"carol", protocol.CodeForbidden}, {"", protocol.CodeInternal}, {"dave", ""}} {
		g.connect = func(*http.Request, *auth.Identity) (*auth.Identity, *protocol.Error) {
			return &auth.Identity{User: row.user}, nil
		}
		for _, kind := range []Kind{Connection, Poll, Request} {
			pass, refusal := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), kind)
			if row.code == "" && (refusal != nil || pass.Identity.User != row.user) || row.code != "" && (refusal == nil || refusal.Err.Code != row.code) {
				t.Errorf("%q: %+v, %+v", row.user, pass, refusal)
			}
		}
	}
}

func TestAHookThatPanicsKeepsNoPlace(t *testing.T) {
	g := newGate(t, Settings{Limits: Limits{Connections: 1}})
	g.connect = func(*http.Request, *auth.Identity) (*auth.Identity, *protocol.Error) { panic("a hook") }
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the hook was not asked")
				}
			}()
			_, refusal := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), Connection)
			t.Errorf("answered with %+v", refusal)
		}()
	}
	if held, _ := g.addresses.Len(); held != 0 || g.taken() != 0 {
		t.Errorf("%d connections of %d addresses are left", g.taken(), held)
	}
}

func TestConnectionsAreCountedUntilTheyAreReleased(t *testing.T) {
	g := newGate(t, Settings{})
	var seats []Seat
	for _, kind := range []Kind{Connection, Poll, Request} {
		pass, refusal := g.Admit(request("http://chat.example/ws", "192.0.2.1:1"), kind)
		if refusal != nil {
			t.Fatal(refusal.Err)
		}
		seats = append(seats, pass.Seat)
	}
	if n := g.metrics.Value(metrics.Connections); n != 3 {
		t.Errorf("%d connections, want those that stay and the request under way", n)
	}
	for i := range seats {
		seats[i].Release(0)
		seats[i].Release(0)
	}
	if n := g.metrics.Value(metrics.Connections); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestAReloadHoldsFromTheNextRequestOn(t *testing.T) {
	g := newGate(t, Settings{})
	r := request("http://chat.example/ws", "192.0.2.1:1", "Origin: https://good.example")
	if _, refusal := g.Admit(r, Connection); refusal == nil {
		t.Fatal("let in before")
	}
	g.Reload(newPolicy(t, Settings{Origins: []string{"https://good.example"}}))
	if _, refusal := g.Admit(r, Connection); refusal != nil {
		t.Fatal(refusal.Err)
	}
}

func TestATokenThatOthersCanReadIsRefused(t *testing.T) {
	for _, row := range []struct {
		name, peer, token string
		headers           []string
		proxies           []string
		off, tls          bool
		refused           bool
	}{
		{name: "from elsewhere", peer: "192.0.2.1:1", token: "good", refused: true},
		{name: "from elsewhere, a bad one", peer: "192.0.2.1:1", token: "bad", refused: true},
		{name: "none", peer: "192.0.2.1:1"},
		{name: "allowed", peer: "192.0.2.1:1", token: "good", off: true},
		{name: "TLS", peer: "192.0.2.1:1", token: "good", tls: true},
		{name: "loopback", peer: "127.0.0.1:1", token: "good"},
		{name: "loopback, IPv6", peer: "[::1]:1", token: "good"},
		{name: "a Unix socket", peer: "@", token: "good"},
		{name: "a proxy with TLS", peer: "10.0.0.1:1", token: "good", proxies: []string{"10.0.0.1"}, headers: []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"}},
		{name: "a proxy without TLS", peer: "10.0.0.1:1", token: "good", proxies: []string{"10.0.0.1"}, headers: []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http"}, refused: true},
		{name: "a proxy on this machine without TLS", peer: "127.0.0.1:1", token: "good", proxies: []string{"127.0.0.1"}, headers: []string{"X-Forwarded-For: 192.0.2.1"}, refused: true},
		{name: "a liar", peer: "192.0.2.1:1", token: "good", headers: []string{"X-Forwarded-Proto: https"}, refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGate(t, Settings{SecureTokens: !row.off, Proxies: row.proxies})
			r := request("http://chat.example/ws?token="+row.token, row.peer, row.headers...)
			if row.tls {
				r = request("https://chat.example/ws?token="+row.token, row.peer, row.headers...)
			}
			pass, refusal := g.Admit(r, Connection)
			if got := refusal != nil; got != row.refused {
				t.Fatalf("refused: %v", refusal)
			}
			if refusal != nil && (refusal.Status != http.StatusForbidden || refusal.CloseCode() != protocol.CloseForbidden) {
				t.Errorf("refused with %+v", refusal)
			}
			if row.token == "" && !pass.Exposed {
				t.Error("a token that comes later would be taken")
			}
		})
	}
}
