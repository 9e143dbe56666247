package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/internal/metrics"
)

func TestOrigins(t *testing.T) {
	listed := []string{"https://good.example", "https://*.Good.example", "http://localhost:*", "https://[2001:db8::1]:*"}
	for _, row := range []struct {
		name    string
		target  string // of the request
		origins []string
		header  []string // values of Origin
		want    bool
	}{
		{"no browser", "http://chat.example/ws", nil, nil, true},
		{"the same", "http://chat.example/ws", nil, []string{"http://chat.example"}, true},
		{"the same with a port", "http://chat.example:8080/ws", nil, []string{"http://chat.example:8080"}, true},
		{"the same with TLS", "https://chat.example/ws", nil, []string{"https://chat.example"}, true},
		{"TLS was taken off on the way", "http://chat.example/ws", nil, []string{"https://chat.example"}, true},
		{"the port that https has anyway", "https://chat.example:443/ws", nil, []string{"https://chat.example"}, true},
		{"the port that http has anyway", "http://chat.example/ws", nil, []string{"http://chat.example:80"}, true},
		{"upper case is the same host", "http://Chat.Example/ws", nil, []string{"HTTP://CHAT.example"}, true},
		{"another host", "http://chat.example/ws", nil, []string{"http://evil.example"}, false},
		{"another scheme", "https://chat.example/ws", nil, []string{"http://chat.example"}, false},
		{"a scheme of neither", "http://chat.example/ws", nil, []string{"ftp://chat.example"}, false},
		{"another port", "http://chat.example:8080/ws", nil, []string{"http://chat.example:8081"}, false},
		{"no port where there is one", "http://chat.example:8080/ws", nil, []string{"http://chat.example"}, false},
		{"the port of the other scheme", "https://chat.example/ws", nil, []string{"https://chat.example:80"}, false},
		{"a host that ends alike", "http://good.example/ws", nil, []string{"http://evilgood.example"}, false},
		{"a host that begins alike", "http://good.example/ws", nil, []string{"http://good.example.evil.example"}, false},
		{"a part of the host", "http://chat.good.example/ws", nil, []string{"http://good.example"}, false},
		{"a trailing dot", "http://chat.example/ws", nil, []string{"http://chat.example."}, false},
		{"userinfo", "http://chat.example/ws", nil, []string{"http://chat.example@evil.example"}, false},
		{"userinfo in front of the right host", "http://chat.example/ws", nil, []string{"http://me@chat.example"}, false},
		{"a path", "http://chat.example/ws", nil, []string{"http://chat.example/"}, false},
		{"a query", "http://chat.example/ws", nil, []string{"http://chat.example?"}, false},
		{"a fragment", "http://chat.example/ws", nil, []string{"http://chat.example#"}, false},
		{"null", "http://chat.example/ws", nil, []string{"null"}, false},
		{"empty", "http://chat.example/ws", nil, []string{""}, false},
		{"two of them", "http://chat.example/ws", nil, []string{"http://chat.example", "http://chat.example"}, false},
		{"a list", "http://chat.example/ws", nil, []string{"http://chat.example, http://evil.example"}, false},
		{"opaque", "http://chat.example/ws", nil, []string{"http:chat.example"}, false},

		{"listed", "http://chat.example/ws", listed, []string{"https://good.example"}, true},
		{"listed, upper case", "http://chat.example/ws", listed, []string{"https://GOOD.example"}, true},
		{"listed, another scheme", "http://chat.example/ws", listed, []string{"http://good.example"}, false},
		{"listed, another port", "http://chat.example/ws", listed, []string{"https://good.example:8443"}, false},
		{"listed, a trailing dot", "http://chat.example/ws", listed, []string{"https://good.example."}, false},
		{"below a pattern", "http://chat.example/ws", listed, []string{"https://a.b.good.example"}, true},
		{"a pattern, ends alike", "http://chat.example/ws", listed, []string{"https://evilgood.example"}, false},
		{"a pattern, nothing in the place of the star", "http://chat.example/ws", listed, []string{"https://.good.example"}, false},
		{"a pattern, another host in front", "http://chat.example/ws", listed, []string{"https://evil.example/.good.example"}, false},
		{"a pattern, userinfo", "http://chat.example/ws", listed, []string{"https://evil.example@a.good.example"}, false},
		{"a pattern, a port", "http://chat.example/ws", listed, []string{"https://a.good.example:444"}, false},
		{"any port", "http://chat.example/ws", listed, []string{"http://localhost:5173"}, true},
		{"any port, none", "http://chat.example/ws", listed, []string{"http://localhost"}, true},
		{"any port, another host", "http://chat.example/ws", listed, []string{"http://localhost.evil.example:80"}, false},
		{"any port, IPv6", "http://chat.example/ws", listed, []string{"https://[2001:db8::1]:99"}, true},
		{"any port, IPv6, none", "http://chat.example/ws", listed, []string{"https://[2001:db8::1]"}, true},
		{"null is not listed by others", "http://chat.example/ws", listed, []string{"null"}, false},
		{"null is listed", "http://chat.example/ws", []string{"null"}, []string{"null"}, true},
		{"all", "http://chat.example/ws", []string{"*"}, []string{"https://evil.example"}, true},
		{"all, null", "http://chat.example/ws", []string{"*"}, []string{"null"}, true},
		{"all, two of them", "http://chat.example/ws", []string{"*"}, []string{"null", "null"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGate(t, Settings{Origins: row.origins})
			r := request(row.target, "192.0.2.1:1000")
			r.Header["Origin"] = row.header
			if row.header == nil {
				delete(r.Header, "Origin")
			}
			pass, refusal := g.Admit(r, Connection)
			if got := pass != nil; got != row.want || got == (refusal != nil) {
				t.Fatalf("pass %v, refusal %+v, want %v", pass, refusal, row.want)
			}
			if refusal != nil && (refusal.Status != http.StatusForbidden || refusal.Late) {
				t.Errorf("%+v, want 403 before an upgrade", refusal)
			}
			if n := g.metrics.Value(metrics.RefusedOrigin); (n == 1) == row.want {
				t.Errorf("%d were counted", n)
			}
			recorder := httptest.NewRecorder()
			if answered, refused := g.CORS(recorder, r); answered || (refused == nil) != row.want {
				t.Errorf("another answer for HTTP: %v, %+v", recorder.Result().Status, refused)
			}
		})
	}
}

func TestAProxysWordAboutTLSBindsTheOrigin(t *testing.T) {
	g := newGate(t, Settings{Proxies: []string{"192.0.2.1"}})
	for _, row := range []struct {
		proto, origin string
		want          bool
	}{
		{"https", "https://chat.example", true},
		{"https", "http://chat.example", false},
		{"http", "http://chat.example", true},
		{"http", "https://chat.example", false},
	} {
		r := request("http://chat.example/ws", "192.0.2.1:1", "X-Forwarded-Proto: "+row.proto, "Origin: "+row.origin)
		if pass, _ := g.Admit(r, Connection); (pass != nil) != row.want {
			t.Errorf("%s from a page of %s: let in %v", row.proto, row.origin, pass != nil)
		}
	}
}

func TestPatternsThatAllowMoreThanTheySeemToAreRefused(t *testing.T) {
	for _, pattern := range []string{
		"", "example.com", "https://", "://example.com", "https://example.com/", "https://me@example.com",
		"https://*example.com", "https://example.*", "https://*", "*://example.com", "http*://example.com",
		"https://a.*.example.com", "https://example.com:80*", "https://*.", "https://*.*.example.com", "**",
	} {
		if _, err := NewPolicy(Settings{Origins: []string{pattern}}); err == nil {
			t.Errorf("%q is taken", pattern)
		}
	}
}

func TestCORSNamesTheOriginAndNeverAStar(t *testing.T) {
	for _, row := range []struct {
		name        string
		origins     []string
		origin      string
		allowed     string
		credentials string
	}{
		{"the same", nil, "http://chat.example", "http://chat.example", "true"},
		{"listed", []string{"https://good.example"}, "https://good.example", "https://good.example", "true"},
		{"all", []string{"*"}, "https://evil.example", "https://evil.example", ""},
		{"all, but the same", []string{"*"}, "http://chat.example", "http://chat.example", "true"},
		{"no browser", []string{"*"}, "", "", ""},
	} {
		g := newGate(t, Settings{Origins: row.origins})
		r := request("http://chat.example/send", "192.0.2.1:1")
		if row.origin != "" {
			r.Header.Set("Origin", row.origin)
		}
		w := httptest.NewRecorder()
		if answered, _ := g.CORS(w, r); answered {
			t.Errorf("%s: a request that is no preflight is answered", row.name)
		}
		h := w.Header()
		if h.Get("Access-Control-Allow-Origin") != row.allowed || h.Get("Access-Control-Allow-Credentials") != row.credentials || h.Get("Vary") != "Origin" {
			t.Errorf("%s: %v", row.name, h)
		}
	}
}

func TestAnswersPreflights(t *testing.T) {
	g := newGate(t, Settings{Origins: []string{"https://good.example"}})
	for origin, status := range map[string]int{"https://good.example": http.StatusNoContent, "https://evil.example": http.StatusForbidden} {
		r := request("http://chat.example/send", "192.0.2.1:1", "Origin: "+origin,
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")
		r.Method = http.MethodOptions
		w := httptest.NewRecorder()
		answered, refused := g.CORS(w, r)
		if refused != nil {
			w.Code = refused.Status
		}
		if answered == (refused != nil) || w.Code != status {
			t.Errorf("%s: %d, want %d", origin, w.Code, status)
		}
		if methods := w.Header().Get("Access-Control-Allow-Methods"); (methods != "") != (status == http.StatusNoContent) {
			t.Errorf("%s: methods %q", origin, methods)
		}
	}
}
