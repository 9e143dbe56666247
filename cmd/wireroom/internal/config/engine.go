package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// engineSchemes are how the URL of an engine may begin.
var engineSchemes = []string{"redis", "rediss", "valkey", "valkeys", "unix"}

// checkEngine reports an engine that there is not. What is reported has no password in it.
func (c *Config) checkEngine() error {
	if c.Engine == "" {
		return nil
	}
	u, err := url.Parse(string(c.Engine))
	if err != nil || u.Host == "" && u.Scheme != "unix" {
		return errors.New("no URL: write redis://HOST:6379; what is special in a password is written as %40 for @, %2F for /")
	}
	_, password := u.User.Password()
	switch {
	case !slices.Contains(engineSchemes, u.Scheme):
		return fmt.Errorf("%q is no engine: write redis://HOST:6379, or rediss:// for TLS", u.Scheme)
	case c.Data != "":
		return errors.New("there is data already: messages are kept in a directory or by the engine's server, not by both")
	case password && c.Redis.Password != "":
		return errors.New("there is a password in the URL, and another one besides it")
	case u.Scheme != "unix" && strings.Trim(u.Path, "/0123456789") != "":
		return fmt.Errorf("%q is no database: it is a number, as in redis://HOST:6379/0", u.Path)
	}
	return nil
}

// checkAuthorities reports a file that has no certificates, or is not needed.
func (c *Config) checkAuthorities() error {
	file := c.Redis.Authorities
	if file == "" {
		return nil
	}
	if scheme, _, _ := strings.Cut(string(c.Engine), "://"); !strings.HasSuffix(scheme, "s") {
		return errors.New("the server is not asked for certificates: its URL does not begin with rediss://")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%s has no certificate in PEM form", file)
	}
	return nil
}

// checkPrefix reports a prefix with which keys would be kept together that are to be apart.
func checkPrefix(prefix string) error {
	if strings.Contains(prefix, "{") {
		return errors.New("it has a {, which Redis takes for the beginning of a hash tag: one server of a cluster would have all rooms")
	}
	return nil
}

// checkShared reports limits that are to hold for all nodes where there is only one.
func (c *Config) checkShared() error {
	if c.Limits.User.Shared && c.Engine == "" {
		return errors.New("there is no engine, so that there are no other nodes")
	}
	return nil
}
