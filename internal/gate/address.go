package gate

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The headers in which a proxy may name the client: Settings.Forwarded.
const (
	HeaderForwardedFor = "X-Forwarded-For"
	HeaderForwarded    = "Forwarded" // RFC 7239
	HeaderRealIP       = "X-Real-Ip"

	headerForwardedProto = "X-Forwarded-Proto"
)

// proxies are those whose word is taken.
type proxies struct {
	trusted []netip.Prefix
	header  string
}

// newProxies returns an error for what is no address or network, and for a header that is none of those above.
func newProxies(trusted []string, header string) (proxies, error) {
	var p proxies
	for _, text := range trusted {
		network, err := ParseNetwork(text)
		if err != nil {
			return proxies{}, err
		}
		p.trusted = append(p.trusted, network)
	}
	if header == "" {
		header = HeaderForwardedFor
	}
	p.header = http.CanonicalHeaderKey(header)
	if !slices.Contains([]string{HeaderForwardedFor, HeaderForwarded, HeaderRealIP}, p.header) {
		return proxies{}, fmt.Errorf("%q is no header that names a client: take %s, %s or %s",
			header, HeaderForwardedFor, HeaderForwarded, HeaderRealIP)
	}
	return p, nil
}

// ParseNetwork reads an address, or a network in the notation of CIDR.
func ParseNetwork(text string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network: write 10.0.0.7 or 10.0.0.0/8", text)
	}
	address = address.Unmap().WithZone("")
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// source is where a request comes from.
type source struct {
	address netip.Addr // not valid if it has none
	secure  bool       // it is encrypted
	proxied bool       // a trusted proxy has said so, or that it is not
	unheard bool       // a proxy that is not trusted names a client
}

// exposed reports whether others can read on the way what the request carries: it is not encrypted, and comes from
// another machine.
func (s source) exposed() bool {
	return !s.secure && s.address.IsValid() && !s.address.IsLoopback()
}

// client returns where a request comes from. Each trusted proxy on the way has added the address that it was
// connected from on the right, so the client is the first from there that is none of them: what stands further left
// the client itself may have written.
func (p proxies) client(r *http.Request) source {
	from := source{address: peer(r), secure: r.TLS != nil}
	if !p.trusts(from.address) {
		from.unheard = len(r.Header[p.header]) > 0
		return from
	}
	if p.header == HeaderForwarded {
		return p.forwarded(r, from)
	}
	hops := elements(r.Header[p.header])
	if p.header == HeaderRealIP && len(hops) > 1 {
		hops = hops[len(hops)-1:]
	}
	for _, hop := range slices.Backward(hops) {
		address, ok := hopAddress(hop)
		if !ok {
			break // what stands further left cannot be told from what the client wrote
		}
		from.address = address
		if !p.trusts(address) {
			break
		}
	}
	if protos := elements(r.Header[headerForwardedProto]); len(protos) > 0 {
		from.proxied, from.secure = true, strings.EqualFold(protos[len(protos)-1], "https")
	}
	return from
}

// forwarded reads the header of RFC 7239: each element is a hop, of which `for` is the address and `proto` the scheme.
func (p proxies) forwarded(r *http.Request, from source) source {
	for _, hop := range slices.Backward(elements(r.Header[HeaderForwarded])) {
		address, known := netip.Addr{}, false
		for pair := range strings.SplitSeq(hop, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				address, known = hopAddress(value)
			case "proto":
				from.proxied, from.secure = true, strings.EqualFold(value, "https")
			}
		}
		if !known {
			return from
		}
		from.address = address
		if !p.trusts(address) {
			return from
		}
	}
	return from
}

func (p proxies) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}

// peer returns the address at the other end of the request's connection; it is not valid where there is none.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// elements returns the elements of a header that is a list, in order.
func elements(lines []string) []string {
	var all []string
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// hopAddress reads an address as proxies write it: bare, in brackets, and perhaps with a port.
func hopAddress(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return address.Unmap().WithZone(""), err == nil
}

// retryAfter returns seconds as the header Retry-After has them: whole ones, at least one.
func retryAfter(seconds float64) string { return strconv.Itoa(max(1, int(math.Ceil(seconds)))) }
