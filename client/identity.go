package client

import (
	"context"
	"fmt"

	"github.com/wireroom/wireroom/protocol"
)

// identity is who a client is to the server. The client's mu guards it.
type identity struct {
	token     string
	anonymous bool // the server has made the token up
	stale     bool // the next connection needs another token
	renewed   bool // a token was taken in place of a refused one since the last welcome
}

// token returns what to present to the server with the next connection; empty for nothing.
func (c *Client) token(ctx context.Context) (string, error) {
	c.mu.Lock()
	token, fetch := c.identity.token, c.options.TokenFunc
	needed := fetch != nil && (token == "" || c.identity.stale)
	c.mu.Unlock()
	if !needed {
		return token, nil
	}
	token, err := fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity.token, c.identity.stale = token, false
	return token, nil
}

// reject takes the news that the server does not take the token, and reports whether there can be another.
func (i *identity) reject(fetch bool) bool {
	if i.renewed {
		return false
	}
	i.renewed = true
	switch {
	case fetch:
		i.stale = true
	case i.anonymous:
		i.token, i.anonymous = "", false
	default:
		return false
	}
	return true
}

// welcomed takes the token of an anonymous user.
func (i *identity) welcomed(w *protocol.Welcome, fetch bool) {
	i.renewed = false
	if w.Token != "" && !fetch {
		i.token, i.anonymous = w.Token, true
	}
}
