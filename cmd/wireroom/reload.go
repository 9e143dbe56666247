package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// reloader replaces what can be replaced while the server serves, when the process is told to (SIGHUP).
type reloader struct {
	server   *wireroom.Server
	verifier *auth.Verifier // nil without tokens
	logger   *slog.Logger
	load     func() (*config.Loaded, error)
	began    config.Config // what everything else keeps until the server is started anew
	secure   *security     // nil without TLS
	names    *locality
	madeUp   string // the key of administrators, where none is configured
}

// run reloads at each signal until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			r.reload(ctx)
		}
	}
}

// hangups returns the signals to reload, and what stops them.
func hangups() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() { signal.Stop(signals) }
}

// reload takes a configuration that is right; with one that is wrong everything stays as it was.
func (r *reloader) reload(ctx context.Context) {
	if r.secure != nil {
		if err := r.secure.reload(); err != nil {
			r.logger.Error("the new certificate is refused; the old one stays", "error", err)
		}
	}
	loaded, err := r.load()
	if err != nil {
		r.logger.Error("the configuration is wrong: nothing was reloaded, the old one stays", "error", err)
		return
	}
	c := &loaded.Config
	changed, err := changes(c)
	changed.APIKeys = c.APIKeys(r.madeUp)
	if err == nil {
		err = r.server.Reload(changed)
	}
	if err != nil {
		r.logger.Error("the configuration is wrong: nothing was reloaded, the old one stays", "error", err)
		return
	}
	r.names.judge(c)
	if r.verifier != nil {
		if err := r.verifier.Refresh(ctx); err != nil {
			r.logger.Warn("keys for tokens cannot be read; those of before are kept", "error", err)
		}
	}
	for _, text := range loaded.Warnings {
		r.logger.Warn(text)
	}
	for _, key := range config.Differences(&r.began, c) {
		if !reloads(key) {
			r.logger.Warn("this setting is another one now, but holds from the next start on", "setting", key)
		}
	}
	if c.NoLimits {
		r.logger.Warn("NO LIMITS: any client can use up this server")
	}
	r.logger.Info("reloaded rules, keys, origins, proxies and limits", "rules", len(c.Rules))
}

// changes returns what a configuration means for Server.Reload.
func changes(c *config.Config) (wireroom.Changes, error) {
	rules, err := c.RoomRules()
	return wireroom.Changes{
		Rules: withDashboard(c, rules), Access: wireroom.Access(c.Access),
		Origins: c.Origins, TrustedProxies: c.TrustedProxies, ForwardedHeader: c.ForwardedHeader,
		Cookie: c.Tokens.Cookie, Limits: serverLimits(c.ActiveLimits()),
	}, err
}

// reloads reports whether changes has a setting.
func reloads(key string) bool {
	switch key {
	case "limits.pending_bytes", "limits.auth_timeout", "limits.handshake_timeout":
		return false
	}
	return strings.HasPrefix(key, "limits.") ||
		slices.Contains([]string{"rules", "access", "origins", "trusted_proxies", "forwarded_header", "no_limits", "tokens.cookie", "api.keys", "admin.key", "admin.key_file"}, key)
}
