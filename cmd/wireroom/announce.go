package main

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/web"
)

// announce says where the server is, and aloud what about its configuration is not for production. People read it on
// standard output; with JSON logs, programs read it there instead.
func (p *program) announce(loaded *config.Loaded, front *frontend, madeUp string, logger *slog.Logger) {
	c, listening := &loaded.Config, front.listener.Addr()
	urls := urlsOf(c, listening)
	notes := notesOn(c, listening)
	if c.Log.Format == "json" {
		logger.Info("serving", "version", versionName(), "url", urls.page, "websocket", urls.sockets, "admin", front.admin.url(), "config", loaded.File, "engine", c.Engine)
		for _, note := range notes {
			logger.Warn(note)
		}
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Wireroom %s\n", versionName())
	if servesChat(c) {
		fmt.Fprintf(&b, "  chat       %s\n", urls.page)
	}
	if servesDashboard(c) {
		fmt.Fprintf(&b, "  dashboard  %s%s\n", strings.TrimSuffix(urls.page, "/"), web.Dashboard.Path())
	}
	if servesTransports(c) {
		fmt.Fprintf(&b, "  demo       %s%s\n", strings.TrimSuffix(urls.page, "/"), web.Transports.Path())
	}
	for _, url := range urls.sockets {
		fmt.Fprintf(&b, "  WebSocket  %s\n", url)
	}
	if c.Admin.Enabled() {
		fmt.Fprintf(&b, "  admin      %s\n", front.admin.url())
	}
	if c.Admin.Enabled() && c.Admin.Key == "" {
		fmt.Fprintf(&b, "  admin key  %s\n", madeUp)
	}
	switch {
	case c.Engine != "":
		fmt.Fprintf(&b, "  engine     %s\n", c.Engine)
	case c.Data != "":
		fmt.Fprintf(&b, "  messages   %s\n", c.Data)
	}
	if loaded.File != "" {
		fmt.Fprintf(&b, "  settings   %s\n", loaded.File)
	}
	for _, note := range notes {
		fmt.Fprintf(&b, "  note       %s\n", note)
	}
	fmt.Fprint(p.out, b.String())
}

// urls are where a server is.
type urls struct {
	page    string
	sockets []string
}

// urlsOf returns the URLs of a server that listens on an address. One that listens on every address is shown with the
// one that works on this machine.
func urlsOf(c *config.Config, listening net.Addr) urls {
	host := listening.String()
	if tcp, ok := listening.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", tcp.Port)
	}
	secure := ""
	if c.TLS.Enabled() {
		secure = "s"
	}
	if len(c.TLS.ACME.Domains) > 0 {
		host = c.TLS.ACME.Domains[0]
	}
	u := urls{page: fmt.Sprintf("http%s://%s/", secure, host)}
	for _, path := range c.Paths {
		u.sockets = append(u.sockets, fmt.Sprintf("ws%s://%s%s", secure, host, path))
	}
	return u
}

// notesOn returns what an operator should know about a configuration, the worst first.
func notesOn(c *config.Config, listening net.Addr) []string {
	tcp, ok := listening.(*net.TCPAddr)
	alone := ok && tcp.IP.IsLoopback()
	var notes []string
	if c.NoLimits {
		notes = append(notes, "NO LIMITS: any client can use up this server. Only for measuring; take out --no-limits for anything else.")
	}
	stated := c.Access != "" || slices.ContainsFunc(c.Rules, func(r config.Rule) bool { return r.Allow != config.Allow{} })
	switch {
	case !c.HasTokens() && stated:
		notes = append(notes, "there is no secret: every client is anonymous.")
	case !c.HasTokens() && alone:
		notes = append(notes, "development defaults: only this machine can connect, and whoever does is anonymous and may join and publish everywhere. Set a secret, and listen on another address, for more.")
	case !c.HasTokens():
		notes = append(notes, "whoever reaches this machine may connect, join and publish: there is no secret. See `wireroom config init`.")
	case c.Anonymous:
		notes = append(notes, "clients without a token are let in, as anonymous users (anonymous: true).")
	}
	if c.HasTokens() && !stated {
		notes = append(notes, "rooms are for those whose token grants them: neither access nor a rule says who may do what.")
	}
	for _, origin := range c.Origins {
		if origin == "*" {
			notes = append(notes, "pages from anywhere may connect (origins: *).")
		}
	}
	switch {
	case c.TLS.Enabled() || alone:
	case c.Insecure:
		notes = append(notes, "no TLS, and insecure: tokens and messages can be read on their way.")
	default:
		notes = append(notes, "no TLS: messages can be read on their way, and tokens are taken from this machine and trusted proxies with TLS only. Set tls, or put a proxy with TLS in front and name it in trusted_proxies.")
	}
	if c.Admin.Enabled() && c.Admin.Key == "" && c.Log.Format == "json" {
		notes = append(notes, "a key for administrators was made up, and is not logged: set admin.key.")
	}
	if c.Data == "" && c.Engine == "" {
		notes = append(notes, "messages are kept in memory: they are gone when the server ends. --data DIR keeps them.")
	}
	return notes
}
