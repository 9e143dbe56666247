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

// dashboardRule is the rule of a room that the dashboard shows: of the configured rules it has who may do what; nobody
// but the server publishes there. What it keeps is for 16 nodes that share the room.
func dashboardRule(room string, rules []wireroom.Rule) wireroom.Rule {
	return wireroom.Rule{
		Pattern:  room,
		Allow:    config.First(rules, room).Allow,
		Delivery: wireroom.Latest,
		History:  engine.Retention{Messages: 16 * 1200, Bytes: 8 << 20, Age: 20 * time.Minute},
		Content: wireroom.Content{Validate: func(json.RawMessage) error {
			return &protocol.Error{Code: protocol.CodeForbidden, Message: "what is here is the server's own"}
		}},
	}
}

// withDashboard returns rules with those of the dashboard, where there is one, before them: they hold whatever the others
// say of how its rooms deliver, and what they keep.
func withDashboard(c *config.Config, rules []wireroom.Rule) []wireroom.Rule {
	if !servesDashboard(c) {
		return rules
	}
	var all []wireroom.Rule
	for _, room := range host.Rooms() {
		all = append(all, dashboardRule(room, rules))
	}
	return append(all, rules...)
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
	options.Hooks.OnFirstMember = after(options.Hooks.OnFirstMember, d.publisher.FirstMember)
	options.Hooks.OnLastMember = after(options.Hooks.OnLastMember, d.publisher.LastMember)
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
