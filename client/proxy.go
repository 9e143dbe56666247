package client

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// connection opens the connection to the server, through a proxy if there is one, with TLS if the server's URL says so.
func (c *Client) connection(ctx context.Context) (net.Conn, error) {
	target := &c.address.url
	conn, err := c.reach(ctx, target)
	if err != nil || !c.address.secure {
		return conn, err
	}
	return c.encrypt(ctx, conn, target)
}

// reach opens a connection to the host of target, through a proxy if there is one.
func (c *Client) reach(ctx context.Context, target *url.URL) (net.Conn, error) {
	var proxy *url.URL
	if c.options.Proxy != nil {
		var err error
		if proxy, err = c.options.Proxy(&http.Request{Method: http.MethodGet, URL: target}); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
	}
	if proxy == nil {
		return c.netDial(ctx, hostPort(target))
	}
	conn, err := c.netDial(ctx, hostPort(proxy))
	if err == nil && proxy.Scheme == "https" {
		conn, err = c.encrypt(ctx, conn, proxy)
	}
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := connectThrough(ctx, conn, proxy, hostPort(target)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return conn, nil
}

// netDial opens a TCP connection, or what Options.Dial takes for it.
func (c *Client) netDial(ctx context.Context, hostPort string) (net.Conn, error) {
	if c.options.Dial != nil {
		return c.options.Dial(ctx, "tcp", hostPort)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", hostPort)
}

// encrypt makes conn a TLS connection to the host of u, or closes it.
func (c *Client) encrypt(ctx context.Context, conn net.Conn, u *url.URL) (net.Conn, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.options.TLS != nil {
		config = c.options.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", u.Host, err)
	}
	return secure, nil
}

// connectThrough asks the proxy at conn for a tunnel to hostPort (RFC 9110, section 9.3.6).
func connectThrough(ctx context.Context, conn net.Conn, proxy *url.URL, hostPort string) error {
	q := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: hostPort}, Host: hostPort, Header: make(http.Header)}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		q.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	_, rest, err := exchange(ctx, conn, q, http.StatusOK)
	var refused *UpgradeError
	switch {
	case errors.As(err, &refused): // says nothing about the server behind it
		return fmt.Errorf("no tunnel to %s: HTTP status %d", hostPort, refused.Status)
	case err == nil && len(rest) > 0:
		return errors.New("it spoke before it was spoken to")
	}
	return err
}
