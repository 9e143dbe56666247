package client

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// standardPath is where a server listens for native clients.
const standardPath = "/ws"

// address is where a server is.
type address struct {
	url    url.URL // of the handshake: http or https, with name among its parameters
	secure bool
}

// parseAddress reads the URL of a server; name is the display name of an anonymous client.
func parseAddress(text, name string) (*address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the server's URL: %w", err)
	}
	a := &address{url: *u}
	switch u.Scheme {
	case "ws", "http":
		a.url.Scheme = "http"
	case "wss", "https":
		a.url.Scheme, a.secure = "https", true
	default:
		return nil, fmt.Errorf("the server's URL %q: begin it with ws:// or wss://", u.Redacted())
	}
	if u.Host == "" {
		return nil, fmt.Errorf("the server's URL %q names no host", u.Redacted())
	}
	if u.User != nil {
		return nil, fmt.Errorf("the server's URL %q: the user and the password would not be sent; use Options.Token", u.Redacted())
	}
	a.url.Fragment = ""
	if u.Path == "" {
		a.url.Path = standardPath
	}
	if name != "" {
		query := u.Query()
		query.Set("name", name)
		a.url.RawQuery = query.Encode()
	}
	return a, nil
}

// String returns the address as it may be logged: without parameters and passwords.
func (a *address) String() string {
	scheme := "ws"
	if a.secure {
		scheme = "wss"
	}
	return scheme + "://" + a.url.Host + a.url.EscapedPath()
}

// hostPort returns what to dial for the authority of u.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.Trim(u.Hostname(), "[]"), port)
}
