package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// serverOptions returns what the configuration means for the server, but for how tokens are checked.
func serverOptions(c *config.Config, logger *slog.Logger) (wireroom.Options, error) {
	rules, err := c.RoomRules()
	if err != nil {
		return wireroom.Options{}, err
	}
	o := wireroom.Options{
		Rules:     rules,
		Access:    wireroom.Access(c.Access),
		Cookie:    c.Tokens.Cookie,
		Anonymous: c.Anonymous,
		Paths:     c.Paths,
		SSEPaths:  orNoPath(c.StreamPaths),
		PollPaths: orNoPath(c.PollPaths),
		SendPaths: orNoPath(c.SendPaths),
		SocketIO: wireroom.SocketIO{
			Paths: orNoPath(c.SocketIO.Paths), Namespaces: c.SocketIO.Namespaces, NoRecovery: !c.SocketIO.Recovery,
		},
		Origins:         c.Origins,
		TrustedProxies:  c.TrustedProxies,
		ForwardedHeader: c.ForwardedHeader,
		Insecure:        c.Insecure,
		Limits:          serverLimits(c.ActiveLimits()),
		PingInterval:    c.PingInterval,
		Compress:        c.Compression,
		Node:            c.Node,
		Recorded:        orNone(c.Recorded),
		Logger:          logger,
	}
	if c.Secret != "" {
		o.Secret = []byte(c.Secret) // the tokens of anonymous users have a key of their own, made of it
	}
	return o, nil
}

// newVerifier returns what checks tokens, nil if nothing does. Its Close is the caller's.
func newVerifier(ctx context.Context, c *config.Config, logger *slog.Logger) (*auth.Verifier, error) {
	if !c.HasTokens() {
		return nil, nil
	}
	o := auth.Options{
		KeySets: c.Tokens.Keys, Algorithm: c.Tokens.Algorithm, Issuers: c.Tokens.Issuers, Audiences: c.Tokens.Audiences,
		RequireExpiry: c.Tokens.RequireExpiry, Refresh: c.Tokens.Refresh, Logger: logger,
		Claims: auth.Claims{
			User: c.Tokens.UserClaim, Name: c.Tokens.NameClaim, Roles: c.Tokens.RolesClaim, Grants: c.Tokens.GrantsClaim,
		},
	}
	if c.Secret != "" {
		o.Keys = []auth.Key{{Algorithm: secretAlgorithm, Secret: []byte(c.Secret)}}
	}
	return auth.NewVerifier(ctx, o)
}

// secretAlgorithm is the algorithm of tokens that the configured secret signs.
const secretAlgorithm = "HS256"

// serverLimits returns the limits as the server wants them: in a configuration 0 is no limit, there it is the default,
// and a negative number is no limit.
func serverLimits(l config.Limits) wireroom.Limits {
	return wireroom.Limits{
		MaxMessage: orNone(int(l.MaxMessage)), MaxParts: orNone(l.MaxParts), Rooms: orNone(l.MaxRooms),
		PublishRate: orNone(l.PublishRate), PublishBurst: orNone(l.PublishBurst),
		JoinRate: orNone(l.JoinRate), JoinBurst: orNone(l.JoinBurst),
		ByteRate: orNone(float64(l.ByteRate)), ByteBurst: orNone(int(l.ByteBurst)),
		PendingBytes: orNone(int(l.PendingBytes)),
		AuthTimeout:  orNone(l.AuthTimeout), AuthAttempts: orNone(l.AuthAttempts),
		Refusals: orNone(l.Refusals), BlockTime: orNone(l.BlockTime), PublishWait: orNone(l.PublishWait),
		Connections: ofSystem(l.Connections),
		User: wireroom.UserLimits{
			Shared: l.User.Shared,
			Factor: orNone(l.User.Factor), Connections: orNone(l.User.Connections),
			ConnectRate: orNone(l.User.ConnectRate), ConnectBurst: orNone(l.User.ConnectBurst),
		},
		Address: wireroom.AddressLimits{
			Connections: orNone(l.Address.Connections),
			ConnectRate: orNone(l.Address.ConnectRate), ConnectBurst: orNone(l.Address.ConnectBurst),
			RequestRate: orNone(l.Address.RequestRate), RequestBurst: orNone(l.Address.RequestBurst),
			FailureRate: orNone(l.Address.FailureRate), FailureBurst: orNone(l.Address.FailureBurst),
		},
	}
}

// orNoPath returns paths, of which an empty one is none: not nil, which stands for the default.
func orNoPath(paths []string) []string {
	return slices.DeleteFunc(append([]string{}, paths...), func(path string) bool { return path == "" })
}

// orNone returns a limit, with -1 in the place of 0.
func orNone[T int | float64 | time.Duration](limit T) T {
	if limit == 0 {
		return -1
	}
	return limit
}

// ofSystem returns a limit for which -1 is what the system allows: the server's default.
func ofSystem(limit int) int {
	if limit == -1 {
		return 0
	}
	return orNone(limit)
}
