package main

import (
	"context"
	"errors"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/chat"
)

// chatCommand is `wireroom chat`.
type chatCommand struct {
	connection
	Room string `arg:"" default:"lobby" help:"The room to begin with."`
	Last int    `default:"20" placeholder:"N" help:"How many of the newest messages to show at first."`
}

// Run chats until the person has enough of it. Input that is no terminal is said line by line.
func (c *chatCommand) Run(ctx context.Context, p *program) error {
	if c.Last < 0 {
		return &failure{exitUsage, errors.New("--last is a number of messages: it is not negative"), ""}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var talk atomic.Pointer[chat.Chat] // nil until there is a connection
	connected, err := c.dial(ctx, p, client.Options{OnState: func(s client.Status) {
		if t := talk.Load(); t != nil {
			t.Status(s)
		}
	}})
	if err != nil {
		return err
	}
	defer connected.Close()
	screen, terminal, err := chat.NewScreen(p.in, p.out, func() {
		if t := talk.Load(); t != nil {
			t.Typed()
		}
	})
	if err != nil {
		return err
	}
	defer screen.Close()
	t := chat.New(chat.Options{
		Client: connected, Screen: screen, Echoes: terminal, Room: c.Room, Last: c.Last,
		Colors: terminal && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb",
	})
	talk.Store(t)
	err = t.Run(ctx)
	if ctx.Err() != nil {
		return nil // this is how it ends
	}
	return explain(err)
}
