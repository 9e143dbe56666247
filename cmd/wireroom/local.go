package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// development reports whether a server has nothing but the defaults to protect it, and is for this machine alone.
func development(c *config.Config, listening net.Addr) bool {
	tcp, ok := listening.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() && !c.HasTokens() && !states(c) && len(c.Origins) == 0 && len(c.TrustedProxies) == 0
}

// local answers only what was sent to this machine by a name that nobody else can give it. A page of a stranger's can
// have its own name lead to this machine once it is loaded: what it asks for then is of the same origin.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownName(r.Host) {
			http.Error(w, "With its development defaults the server is for this machine alone, as localhost. For other names, "+
				"list the origins of its pages (--origins), or set a secret.", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ownName reports whether a Host is localhost or an address.
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil
}
