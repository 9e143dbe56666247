package gate

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// FuzzAddress looks for headers with which a client behind a trusted proxy is taken for the proxy's own network, or
// for nobody.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"", "1.1.1.1", "10.0.0.1, 1.1.1.1", "[::1]:80", "for=1.1.1.1;proto=https", `for="[2001:db8::1]:4711"`,
		"unknown", ",,,", "for=,for=", "::ffff:10.0.0.1", "fe80::1%eth0", strings.Repeat("10.0.0.1,", 1000), `for="`, "\x00",
	} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(1))
		f.Add(seed, uint8(2))
	}
	var policies []proxies
	for _, header := range []string{HeaderForwardedFor, HeaderForwarded, HeaderRealIP} {
		p, err := newProxies([]string{"10.0.0.0/8"}, header)
		if err != nil {
			f.Fatal(err)
		}
		policies = append(policies, p)
	}
	real := netip.MustParseAddr("192.0.2.7")
	f.Fuzz(func(t *testing.T, written string, which uint8) {
		p := policies[int(which)%len(policies)]
		// What the client wrote, and behind it what the proxy knows.
		known := "192.0.2.7"
		if p.header == HeaderForwarded {
			known = "for=192.0.2.7"
		}
		r := request("http://chat.example/ws", "10.0.0.1:5")
		r.Header = http.Header{p.header: {written, known}}
		if from := p.client(r); from.address != real {
			t.Errorf("%q: %v, want what the proxy said", written, from.address)
		}
		r.Header = http.Header{p.header: {written}}
		if from := p.client(r); !from.address.IsValid() {
			t.Errorf("%q: no address at all", written)
		}
	})
}

// FuzzOrigin looks for origins that are allowed and are not those of the host, nor below the pattern.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{
		"null", "", "https://good.example", "https://a.good.example", "https://evilgood.example", "https://good.example.evil.example",
		"https://good.example@evil.example", "https://evil.example/.good.example", "https://evil.example#.good.example",
		"https://evil.example?.good.example", "https://[::1].good.example", "https://good.example:443", "https://good.example.",
		"HTTPS://GOOD.EXAMPLE", "https://evil.example\\.good.example", "https://evil.example%2f.good.example", "https://\u0130.good.example",
	} {
		f.Add(seed)
	}
	o, err := newOrigins([]string{"https://*.good.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		r := request("https://chat.example/ws", "192.0.2.1:1")
		r.Header["Origin"] = []string{origin}
		if !o.allow(r, source{secure: true}) {
			return
		}
		host, ok := strings.CutPrefix(strings.ToLower(origin), "https://")
		if !ok || strings.ContainsAny(host, "/?#@\\ \t") {
			t.Fatalf("%q is allowed", origin)
		}
		if host != "chat.example" && host != "chat.example:443" && !strings.HasSuffix(host, ".good.example") {
			t.Fatalf("%q is allowed", origin)
		}
	})
}
