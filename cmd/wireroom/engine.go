package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
)

// share has a server share its rooms with all that use the same engine's server.
func share(o *wireroom.Options, c *config.Config) error {
	u, err := url.Parse(string(c.Engine))
	if err != nil {
		return errors.New("engine: no URL") // it may have a password; the configuration was checked
	}
	if c.Redis.Password != "" {
		u.User = url.UserPassword(u.User.Username(), string(c.Redis.Password))
	}
	options := redis.Options{URL: u.String(), Prefix: c.Redis.Prefix, Timeout: c.Redis.Timeout, Logger: o.Logger}
	if c.Redis.Authorities != "" {
		text, err := os.ReadFile(c.Redis.Authorities)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		options.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !options.TLS.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("engine: %s has no certificate in PEM form", c.Redis.Authorities)
		}
	}
	o.Engine = redis.New(options)
	return nil
}

// engineFailure is why a server cannot start, with what helps where its engine cannot be reached.
func engineFailure(c *config.Config, err error) error {
	if c.Engine == "" || !errors.Is(err, engine.ErrUnavailable) {
		return err
	}
	return &failure{exitUnreachable, err, fmt.Sprintf("Is there a server at %v, with this password? `redis-cli -u URL ping` tells.", c.Engine)}
}
