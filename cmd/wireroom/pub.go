package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
)

// maxLine bounds a line that is published, in bytes; servers take less.
const maxLine = 16 << 20

// pubCommand is `wireroom pub`.
type pubCommand struct {
	connection
	Room  string `arg:"" help:"The room."`
	Text  string `arg:"" help:"What to publish. With -, each line of standard input is a message."`
	Event string `placeholder:"NAME" help:"The application's name for the message."`
	JSON  bool   `name:"json" help:"The text is JSON, and published as it is, not as a string."`

	API        string `name:"api" placeholder:"URL" help:"Publish by requests to the HTTP API of this server, such as http://127.0.0.1:8080, instead of connecting to --server. The environment variable WIREROOM_API_KEY has the key."`
	APIKeyFile string `name:"api-key-file" placeholder:"FILE" help:"File with the key, instead."`
}

// Run publishes, and prints one line for each message that the server has stored.
func (c *pubCommand) Run(ctx context.Context, p *program) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if c.Text != "-" {
		data, err := c.data(c.Text)
		if err != nil {
			return err
		}
		return c.publish(ctx, p, func(yield func(any) bool) error { yield(data); return nil })
	}
	return c.publish(ctx, p, func(yield func(any) bool) error { return c.lines(p.in, yield) })
}

// publish publishes what each calls its argument with.
func (c *pubCommand) publish(ctx context.Context, p *program, each func(yield func(any) bool) error) error {
	send, done, err := c.way(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	printed := json.NewEncoder(p.out)
	var failed error
	read := each(func(data any) bool {
		var published *protocol.Published
		if published, failed = send(data); failed != nil {
			return false
		}
		failed = printed.Encode(published)
		return failed == nil
	})
	if failed != nil {
		return explain(failed)
	}
	return read
}

// way returns how a message is published, and what ends it: by the API, or over a connection.
func (c *pubCommand) way(ctx context.Context, p *program) (send func(data any) (*protocol.Published, error), done func(), err error) {
	if c.API != "" {
		a, err := c.api(p)
		return func(data any) (*protocol.Published, error) {
			message := map[string]any{"room": c.Room, "data": data}
			if c.Event != "" {
				message["event"] = c.Event
			}
			return a.publish(ctx, message)
		}, func() {}, err
	}
	connected, err := c.dial(ctx, p, client.Options{NoInbox: true})
	if err != nil {
		return nil, nil, err
	}
	return func(data any) (*protocol.Published, error) {
		published, err := connected.Publish(ctx, c.Room, data, client.PublishOptions{Event: c.Event})
		return &published, err
	}, func() { connected.Close() }, nil
}

// data returns what a text is published as.
func (c *pubCommand) data(text string) (any, error) {
	if !c.JSON {
		return text, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, &failure{exitUsage, fmt.Errorf("publish in %q: the text is no JSON: %s", c.Room, text), "Without --json it is published as a string."}
	}
	return json.RawMessage(text), nil
}

// lines calls yield with what each line is published as, until it returns false.
func (c *pubCommand) lines(from io.Reader, yield func(any) bool) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		data, err := c.data(scanner.Text())
		if err != nil {
			return err
		}
		if !yield(data) {
			return nil
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}
