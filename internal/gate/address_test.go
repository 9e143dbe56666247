package gate

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestClientsAddress(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.9"}
	for _, row := range []struct {
		name      string
		forwarded string // Settings.Forwarded
		peer      string
		headers   []string
		want      string // "" for none
		secure    bool
	}{
		{"no proxy", "", "198.51.100.7:5", nil, "198.51.100.7", false},
		{"a mapped address", "", "[::ffff:198.51.100.7]:5", nil, "198.51.100.7", false},
		{"an address with a zone", "", "[fe80::1%eth0]:5", nil, "fe80::1", false},
		{"a Unix socket", "", "@", nil, "", false},
		{"not trusted", "", "198.51.100.7:5", []string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https"}, "198.51.100.7", false},
		{"trusted", "", "10.1.2.3:5", []string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https"}, "203.0.113.1", true},
		{"trusted, mapped", "", "[::ffff:10.1.2.3]:5", []string{"X-Forwarded-For: 203.0.113.1"}, "203.0.113.1", false},
		{"trusted, one address", "", "192.0.2.9:5", []string{"X-Forwarded-For: 203.0.113.1"}, "203.0.113.1", false},
		{"what the client wrote stands on the left", "", "10.1.2.3:5", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.1"}, "203.0.113.1", false},
		{"two lines are one list", "", "10.1.2.3:5", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.1"}, "203.0.113.1", false},
		{"two proxies", "", "10.1.2.3:5", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.1, 10.9.9.9"}, "203.0.113.1", false},
		{"nothing but proxies", "", "10.1.2.3:5", []string{"X-Forwarded-For: 10.8.8.8, 10.9.9.9"}, "10.8.8.8", false},
		{"nonsense on the left", "", "10.1.2.3:5", []string{"X-Forwarded-For: nonsense, 203.0.113.1"}, "203.0.113.1", false},
		{"nonsense behind a proxy", "", "10.1.2.3:5", []string{"X-Forwarded-For: 1.1.1.1, nonsense, 10.9.9.9"}, "10.9.9.9", false},
		{"nonsense", "", "10.1.2.3:5", []string{"X-Forwarded-For: nonsense"}, "10.1.2.3", false},
		{"empty", "", "10.1.2.3:5", []string{"X-Forwarded-For: "}, "10.1.2.3", false},
		{"with ports", "", "10.1.2.3:5", []string{"X-Forwarded-For: 203.0.113.1:99"}, "203.0.113.1", false},
		{"IPv6", "", "[2001:db8::1]:5", []string{"X-Forwarded-For: 2001:4860::8"}, "2001:4860::8", false},
		{"IPv6 with a port", "", "[2001:db8::1]:5", []string{"X-Forwarded-For: [2001:4860::8]:99"}, "2001:4860::8", false},
		{"the nearest proxy's word about TLS", "", "10.1.2.3:5", []string{"X-Forwarded-Proto: https, http"}, "10.1.2.3", false},
		{"another header is the client's", "", "10.1.2.3:5", []string{"X-Real-Ip: 1.1.1.1", "Forwarded: for=1.1.1.1;proto=https"}, "10.1.2.3", false},

		{"X-Real-IP", "X-Real-IP", "10.1.2.3:5", []string{"X-Real-Ip: 203.0.113.1", "X-Forwarded-For: 1.1.1.1"}, "203.0.113.1", false},
		{"X-Real-IP twice", "X-Real-IP", "10.1.2.3:5", []string{"X-Real-Ip: 1.1.1.1", "X-Real-Ip: 10.0.0.1"}, "10.0.0.1", false},

		{"Forwarded", "Forwarded", "10.1.2.3:5", []string{"Forwarded: for=203.0.113.1;proto=https", "X-Forwarded-For: 1.1.1.1"}, "203.0.113.1", true},
		{"Forwarded, the client's part", "Forwarded", "10.1.2.3:5", []string{"Forwarded: for=1.1.1.1;proto=https, for=203.0.113.1;proto=http"}, "203.0.113.1", false},
		{"Forwarded, IPv6", "forwarded", "10.1.2.3:5", []string{`Forwarded: For="[2001:4860::8]:4711"`}, "2001:4860::8", false},
		{"Forwarded, hidden", "Forwarded", "10.1.2.3:5", []string{"Forwarded: for=1.1.1.1, for=_hidden"}, "10.1.2.3", false},
		{"Forwarded, two proxies", "Forwarded", "10.1.2.3:5", []string{"Forwarded: for=203.0.113.1;proto=https, for=10.9.9.9"}, "203.0.113.1", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGate(t, Settings{Proxies: trusted, Forwarded: row.forwarded})
			pass, refusal := g.Admit(request("http://chat.example/ws", row.peer, row.headers...), Connection)
			if refusal != nil {
				t.Fatal(refusal.Err)
			}
			got := ""
			if pass.Address.IsValid() {
				got = pass.Address.String()
			}
			if got != row.want || pass.Secure != row.secure {
				t.Errorf("%q, secure %v, want %q, %v", got, pass.Secure, row.want, row.secure)
			}
		})
	}
}

func TestProxiesAreAddressesOrNetworks(t *testing.T) {
	for _, text := range []string{"", "example.com", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.0-10.0.0.9"} {
		if _, err := NewPolicy(Settings{Proxies: []string{text}}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if _, err := NewPolicy(Settings{Forwarded: "Client-Ip"}); err == nil {
		t.Error("any header is taken")
	}
}

func TestSaysOnceThatAProxyIsNotTrusted(t *testing.T) {
	var log bytes.Buffer
	g := newGate(t, Settings{})
	g.logger = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		if _, refusal := g.Admit(request("http://chat.example/ws", "10.0.0.1:1", "X-Forwarded-For: 203.0.113.1"), Connection); refusal != nil {
			t.Fatal(refusal.Err)
		}
	}
	if n := strings.Count(log.String(), "proxy=10.0.0.1"); n != 1 {
		t.Errorf("said it %d times:\n%s", n, log.String())
	}
}
