package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// connection are the flags of the commands that are clients.
type connection struct {
	Server    string        `env:"WIREROOM_SERVER" default:"ws://127.0.0.1:8080/ws" placeholder:"URL" help:"Server to connect to."`
	Name      string        `env:"WIREROOM_NAME" placeholder:"NAME" help:"Display name, for a client without a token."`
	TokenFile string        `placeholder:"FILE" help:"File with the token that says who the client is. The environment variable WIREROOM_TOKEN can hold the token itself; there is no flag for it, which everybody on the machine could see."`
	Timeout   time.Duration `default:"10s" placeholder:"DURATION" help:"How long to try to connect."`
}

// dial connects, or fails with what to do. More options than those of the flags are taken from o.
func (c *connection) dial(ctx context.Context, p *program, o client.Options) (*client.Client, error) {
	var err error
	if o.Token, err = c.token(p); err != nil {
		return nil, err
	}
	o.Name = c.Name
	if o.Token != "" {
		o.Name = "" // the token says it
	}
	within, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no connection within %v", c.Timeout))
	defer cancel()
	connected, err := client.Dial(within, c.Server, o)
	if err == nil {
		return connected, nil
	}
	err = explain(err)
	var f *failure
	if !errors.As(err, &f) {
		err = &failure{exitUnreachable, err, "Is the server running, and --server its URL (ws://HOST:PORT/ws, or wss:// with TLS)?"}
	}
	return nil, err
}

// token returns the token, or "" for none.
func (c *connection) token(p *program) (string, error) {
	if c.TokenFile != "" {
		content, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return "", &failure{status: exitUsage, err: fmt.Errorf("read the token: %w", err)}
		}
		return strings.TrimSpace(string(content)), nil
	}
	return p.env("WIREROOM_TOKEN"), nil
}

// env returns an environment variable.
func (p *program) env(name string) string {
	for _, variable := range p.environ {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// explain returns the failure for what a client reports, or err itself where there is nothing to add, nil for nil.
func explain(err error) error {
	var status *client.UpgradeError
	var refused *protocol.Error
	var kicked *client.KickedError
	var closed *client.CloseError
	switch {
	case errors.Is(err, client.ErrUnauthorized):
		return &failure{exitRefused, err, "The server wants a token: --token-file FILE, or WIREROOM_TOKEN in the environment. If there is one, it is not valid (any more)."}
	case errors.As(err, &status) && status.Status == 404:
		return &failure{exitUnreachable, err, "There is a web server, and no Wireroom under this path. The path is /ws unless the server's configuration says otherwise: --server ws://HOST:PORT/ws."}
	case errors.As(err, &status):
		return &failure{exitRefused, err, "Is --server the URL of a Wireroom?"}
	case errors.As(err, &refused), errors.As(err, &kicked), errors.As(err, &closed):
		return &failure{exitRefused, err, ""}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{exitUnreachable, err, "Nothing listens there. `wireroom serve` starts a server on this machine; --server URL names another one."}
	}
	return err
}
