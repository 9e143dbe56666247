package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/tracing"
)

// tracesTimeout is how long the last traces may take to be sent.
const tracesTimeout = 5 * time.Second

// service is a server, and what it calls: what checks tokens, a back end.
type service struct {
	server   *wireroom.Server
	verifier *auth.Verifier   // nil without tokens
	board    *dashboard       // nil without one
	webhooks *webhooks        // nil without a back end
	traces   *tracing.Tracing // nil without
	adminKey string           // made up, for administrators where no key is configured
}

// newService makes a server of a configuration. What it returns with an error is to be closed, too.
func newService(ctx context.Context, c *config.Config, logger *slog.Logger) (*service, error) {
	s := &service{adminKey: rand.Text()}
	options, err := serverOptions(c, logger)
	if err != nil {
		return s, err
	}
	options.APIKeys = c.APIKeys(s.adminKey)
	if s.verifier, err = newVerifier(ctx, c, logger); err != nil {
		return s, err
	}
	if s.verifier != nil {
		options.Auth = s.verifier
	}
	if err := keep(&options, c); err != nil {
		return s, err
	}
	if c.Traces.Endpoint != "" {
		s.traces = tracing.New(tracing.Options{
			Endpoint: c.Traces.Endpoint, Ratio: c.Traces.Ratio, Node: options.Node, Version: versionName(), Logger: logger,
		})
		options.Tracer = s.traces
	}
	s.board = newDashboard(c, &options, logger)
	if s.webhooks, err = newWebhooks(c, &options, logger); err != nil {
		return s, err
	}
	if s.server, err = wireroom.New(ctx, options); err != nil {
		return s, engineFailure(c, err)
	}
	s.webhooks.handle(s.server)
	return s, nil
}

// close ends what the server calls; the server itself has been closed.
func (s *service) close() {
	if s.verifier != nil {
		s.verifier.Close()
	}
	_ = s.webhooks.close() // what was not sent is kept with --data, and otherwise lost
	if s.traces != nil {
		ctx, cancel := context.WithTimeout(context.Background(), tracesTimeout)
		defer cancel()
		_ = s.traces.Close(ctx) // what was not sent is lost
	}
}
