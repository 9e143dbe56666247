package main

import (
	"log/slog"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// serverOptions returns what the configuration means for the server.
func serverOptions(c *config.Config, logger *slog.Logger) wireroom.Options {
	o := wireroom.Options{
		Rules:           c.RoomRules(),
		Anonymous:       c.Anonymous,
		Paths:           c.Paths,
		Origins:         c.Origins,
		TrustedProxies:  c.TrustedProxies,
		ForwardedHeader: c.ForwardedHeader,
		Limits:          serverLimits(c.ActiveLimits()),
		PingInterval:    c.PingInterval,
		Compress:        c.Compression,
		Node:            c.Node,
		Logger:          logger,
	}
	if c.Secret != "" {
		o.Auth = auth.HMAC([]byte(c.Secret))
		o.Secret = []byte(c.Secret) // the tokens of anonymous users have a key of their own, made of it
	}
	return o
}

// serverLimits returns the limits as the server wants them: in a configuration 0 is no limit, there it is the default,
// and a negative number is no limit.
func serverLimits(l config.Limits) wireroom.Limits {
	return wireroom.Limits{
		MaxMessage:   orNone(int(l.MaxMessage)),
		Rooms:        orNone(l.MaxRooms),
		PublishRate:  orNone(l.PublishRate),
		PublishBurst: orNone(l.PublishBurst),
		JoinRate:     orNone(l.JoinRate),
		JoinBurst:    orNone(l.JoinBurst),
		AuthTimeout:  orNone(l.AuthTimeout),
	}
}

// orNone returns a limit, with -1 in the place of 0.
func orNone[T int | float64 | time.Duration](limit T) T {
	if limit == 0 {
		return -1
	}
	return limit
}
