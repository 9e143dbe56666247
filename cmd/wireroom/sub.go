package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// subCommand is `wireroom sub`.
type subCommand struct {
	connection
	Room     string `arg:"" help:"The room."`
	Last     int    `xor:"from" placeholder:"N" help:"Begin with the newest N messages."`
	Since    string `xor:"from" placeholder:"POSITION" help:"Begin after the message at this position: the 'pos' of a message that was printed before."`
	Presence bool   `help:"Print who is there, and who comes and goes."`
	Count    int    `placeholder:"N" help:"End after N messages."`
}

// Run prints what happens in the room: the envelopes of the protocol, one a line.
func (c *subCommand) Run(ctx context.Context, p *program) error {
	if c.Last < 0 || c.Count < 0 {
		return &failure{exitUsage, errors.New("--last and --count are numbers of messages: they are not negative"), ""}
	}
	options := client.JoinOptions{Last: c.Last, Presence: c.Presence}
	if c.Since != "" {
		since, err := protocol.ParsePosition(c.Since)
		if err != nil {
			return &failure{exitUsage, fmt.Errorf("--since %q: %w", c.Since, err), "A position is the 'pos' of a message, such as k3f9x2ab.1042.9c1d44b2."}
		}
		options.Since = since
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := c.follow(ctx, p, options)
	if ctx.Err() != nil {
		return nil // this is how it ends
	}
	return explain(err)
}

// follow joins the room and prints what happens there.
func (c *subCommand) follow(ctx context.Context, p *program, options client.JoinOptions) error {
	connected, err := c.dial(ctx, p, client.Options{NoInbox: true, OnState: p.watch()})
	if err != nil {
		return err
	}
	defer connected.Close()
	room, err := connected.Join(ctx, c.Room, options)
	if err != nil {
		return err
	}
	return c.print(ctx, room, p.out)
}

// print prints the events of a room until there are enough of them, or no more.
func (c *subCommand) print(ctx context.Context, room *client.Room, to io.Writer) error {
	var line []byte
	messages := 0
	for {
		event, err := room.Next(ctx)
		if err != nil {
			return err
		}
		line = append(protocol.AppendPush(line[:0], event), '\n')
		if _, err := to.Write(line); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		if _, ok := event.(*protocol.Message); ok {
			messages++
		}
		if c.Count > 0 && messages == c.Count {
			return nil
		}
	}
}

// watch returns what prints that the connection was lost, and that it is back.
func (p *program) watch() func(client.Status) {
	lost := false
	return func(s client.Status) {
		switch {
		case s.State == client.Connecting && s.Err != nil:
			lost = true
			fmt.Fprintf(p.err, "wireroom: no connection: %v; trying again\n", s.Err)
		case s.State == client.Open && lost:
			lost = false
			fmt.Fprintln(p.err, "wireroom: connected again")
		}
	}
}
