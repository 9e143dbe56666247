package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// locality says whether a server is for this machine alone by name. A page of a stranger's can have its own name lead to
// this machine once it is loaded: what it asks for then is of the same origin, and where there is no secret nothing else
// keeps it out.
type locality struct {
	alone bool // only this machine can connect, and there is neither a secret nor a certificate, which is for one name
	on    atomic.Bool
}

func newLocality(c *config.Config, listening net.Addr) *locality {
	tcp, ok := listening.(*net.TCPAddr)
	l := &locality{alone: ok && tcp.IP.IsLoopback() && !c.HasTokens() && !c.TLS.Enabled()}
	l.judge(c)
	return l
}

// judge follows a configuration: who lists origins or proxies has other names in mind.
func (l *locality) judge(c *config.Config) {
	l.on.Store(l.alone && len(c.Origins) == 0 && len(c.TrustedProxies) == 0)
}

// handler answers only what was sent to this machine by a name that nobody else can give it.
func (l *locality) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.on.Load() && r.Host != "" && !ownName(r.Host) {
			w.Header().Set("Connection", "close") // what follows may be frames
			http.Error(w, "Without a secret the server is for this machine alone, as localhost. For other names, list the "+
				"origins of its pages (--origins), or set a secret.", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ownName reports whether a Host is an address, or a name that nobody can have on the internet: one of a single label, or
// below one that is reserved (RFC 6761, and internal).
func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return true
	}
	switch host[strings.LastIndexByte(host, '.')+1:] {
	case host, "localhost", "test", "internal":
		return true
	}
	return false
}
