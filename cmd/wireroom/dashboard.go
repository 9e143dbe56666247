package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/host"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// dashboardRule is the rule of the rooms that the dashboard shows. Whoever may join them is a matter of access, as
// anywhere; nobody but the server publishes there.
func dashboardRule() wireroom.Rule {
	return wireroom.Rule{
		Pattern:  host.Pattern,
		Delivery: wireroom.Latest,
		History:  engine.Retention{Messages: 1000, Bytes: 1 << 20, Age: 20 * time.Minute},
		Content: wireroom.Content{Validate: func(json.RawMessage) error {
			return &protocol.Error{Code: protocol.CodeForbidden, Message: "what is here is the server's own"}
		}},
	}
}

// withDashboard returns rules with that of the dashboard, where there is one, before them: it holds whatever they say.
func withDashboard(c *config.Config, rules []wireroom.Rule) []wireroom.Rule {
	if !servesDashboard(c) {
		return rules
	}
	return append([]wireroom.Rule{dashboardRule()}, rules...)
}

// dashboard is what publishes readings of this machine while somebody looks; nil where there is no dashboard.
type dashboard struct {
	publisher *host.Publisher
	server    *wireroom.Server
}

// newDashboard returns the dashboard of a configuration, and has the server that options will make tell it who looks.
func newDashboard(c *config.Config, options *wireroom.Options, logger *slog.Logger) *dashboard {
	if !servesDashboard(c) {
		return nil
	}
	if options.Node == "" {
		options.Node, _ = os.Hostname() // as the server would; its readings stand under this name
	}
	d := new(dashboard)
	d.publisher = host.New(host.Options{Node: options.Node, Logger: logger, Publish: d.publish})
	options.Rules = withDashboard(c, options.Rules)
	options.Hooks.OnFirstMember = d.publisher.FirstMember
	options.Hooks.OnLastMember = d.publisher.LastMember
	return d
}

// run publishes in the rooms of server until ctx ends.
func (d *dashboard) run(ctx context.Context, server *wireroom.Server) {
	if d == nil {
		return
	}
	d.server = server
	d.publisher.Run(ctx)
}

func (d *dashboard) publish(ctx context.Context, room, event string, reading any) error {
	ctx, cancel := context.WithTimeout(ctx, host.Interval)
	defer cancel()
	_, err := d.server.Publish(ctx, room, reading, wireroom.PublishOptions{Event: event})
	return err
}
