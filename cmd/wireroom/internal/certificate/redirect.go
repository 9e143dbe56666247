package certificate

import (
	"net"
	"net/http"
	"strings"
)

// Redirect returns a handler that sends clients of plain HTTP to https:// on the same host; port is that of https there
// with a colon, empty for the usual one. What is no GET or HEAD, and an upgrade, which no client repeats elsewhere, is
// refused: what it carried has been readable already.
func Redirect(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
			if strings.Contains(name, ":") {
				host = "[" + name + "]"
			}
		}
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !safe || r.Header.Get("Upgrade") != "" || host == "" {
			http.Error(w, "this server speaks https:// and wss:// only", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "https://"+host+port+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
