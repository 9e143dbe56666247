package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Pending is a message on its way to being settled. Its methods may be called at once from many goroutines.
type Pending struct {
	client *Client
	p      *publication
}

// Done returns a channel that is closed when the message is settled, which happens always: at the latest after
// Options.RetryFor or with Close.
func (p *Pending) Done() <-chan struct{} { return p.p.done }

// Result waits until the message is settled and returns what became of it, as Client.Publish does. It may be called
// any number of times. When ctx ends first nothing is taken back.
func (p *Pending) Result(ctx context.Context) (protocol.Published, error) {
	select {
	case <-p.p.done:
	default:
		select {
		case <-p.p.done:
		case <-ctx.Done():
			return protocol.Published{}, p.failed(uncertain(context.Cause(ctx)))
		}
	}
	if p.p.err != nil {
		return protocol.Published{}, p.failed(p.p.err)
	}
	return p.p.published, nil
}

// failed returns err with what was being done.
func (p *Pending) failed(err error) error {
	return fmt.Errorf("publish to %q: %w", p.p.request.Room, err)
}

// Publish publishes data to a room, which need not be joined, and returns when the server has committed it, or the
// error that settles it: a *protocol.Error that no retry can help, ErrGaveUp with the last such error, ErrClosed, or
// ctx's. ErrUncertain comes with it when the message may be stored nevertheless; without ErrUncertain it is not.
//
// A []byte is sent as a binary payload; a json.RawMessage, which must be JSON, as it is; everything else as JSON, by
// encoding/json. While the outbox is full, Publish waits for a place. Messages to one room are stored in the order of
// the calls. A message that was not sent yet when ctx ends is taken back; one that was is still sent again if need be,
// as others may follow it.
//
// An ephemeral message needs a connection, else ErrDisconnected, and may overtake others.
func (c *Client) Publish(ctx context.Context, room string, data any, options ...PublishOptions) (protocol.Published, error) {
	p, err := c.newPublication(room, data, options)
	if err != nil {
		return protocol.Published{}, err
	}
	pending := &Pending{client: c, p: p}
	for {
		if err := context.Cause(ctx); err != nil {
			return protocol.Published{}, pending.failed(err)
		}
		freed, err := c.enqueue(p, true)
		if err != nil {
			return protocol.Published{}, pending.failed(err)
		}
		if freed == nil {
			break
		}
		select {
		case <-freed:
		case <-ctx.Done():
		}
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if c.withdraw(p) {
			return protocol.Published{}, pending.failed(context.Cause(ctx))
		}
	}
	return pending.Result(ctx)
}

// PublishAsync publishes data to a room as Publish does, but does not wait: not for the result, which the Pending
// holds, and not for a place in the outbox, without which it returns ErrOutboxFull.
func (c *Client) PublishAsync(room string, data any, options ...PublishOptions) (*Pending, error) {
	p, err := c.newPublication(room, data, options)
	if err != nil {
		return nil, err
	}
	pending := &Pending{client: c, p: p}
	if _, err := c.enqueue(p, false); err != nil {
		return nil, pending.failed(err)
	}
	return pending, nil
}

// Send publishes data to the inbox of a user: see Publish.
func (c *Client) Send(ctx context.Context, user string, data any, options ...PublishOptions) (protocol.Published, error) {
	return c.Publish(ctx, protocol.Inbox(user), data, options...)
}

// Flush waits until nothing is left in the outbox: everything published so far is settled.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	o := &c.outbox
	if o.count == 0 {
		c.mu.Unlock()
		return nil
	}
	if o.empty == nil {
		o.empty = make(chan struct{})
	}
	empty := o.empty
	c.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush: %w", context.Cause(ctx))
	}
}

// newPublication checks what is to be published.
func (c *Client) newPublication(room string, data any, options []PublishOptions) (*publication, error) {
	o, err := only(options)
	switch {
	case err != nil:
	case !protocol.CheckRoom(room):
		err = &protocol.Error{Code: protocol.CodeInvalidRoom, Message: "not the name of a room", Field: "room"}
	case len(o.Event) > protocol.MaxEventLen || len(o.Key) > protocol.MaxEventLen:
		err = fmt.Errorf("Event and Key are at most %d bytes", protocol.MaxEventLen)
	case o.Ephemeral && o.Key != "":
		err = errors.New("an ephemeral message has no Key")
	}
	p := &publication{done: make(chan struct{})}
	q := &p.request
	if err == nil {
		q.Data, q.Bytes, err = encode(data)
	}
	if err != nil {
		return nil, fmt.Errorf("publish to %q: %w", room, err)
	}
	q.Type, q.Room = []byte(protocol.TypePublish), []byte(room)
	q.Has |= protocol.HasRoom
	if q.Bytes == nil {
		q.Has |= protocol.HasData
	}
	o.fillIn(q)
	p.size = plainSize + len(room) + len(q.Data) + len(q.Bytes) + len(o.Event) + len(o.Key)
	return p, nil
}

// fillIn sets what o says in a request.
func (o *PublishOptions) fillIn(q *protocol.Request) {
	if o.Event != "" {
		q.Event = []byte(o.Event)
		q.Has |= protocol.HasEvent
	}
	if o.Key != "" {
		q.Key = []byte(o.Key)
		q.Has |= protocol.HasKey
	}
	if o.NoEcho {
		q.NoEcho = true
		q.Has |= protocol.HasEcho
	}
	if o.Ephemeral {
		q.Ephemeral = true
		q.Has |= protocol.HasEphemeral
	}
}

// enqueue puts p in the outbox. When there is no place it returns ErrOutboxFull, or with wait a channel that is closed
// when it is worth trying again.
func (c *Client) enqueue(p *publication, wait bool) (freed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.outbox
	switch {
	case c.closing != nil:
		return nil, c.closing
	case p.request.Ephemeral && c.status.State != Open:
		return nil, ErrDisconnected
	case !o.fits(p.size) && (!wait || p.size > o.mostBytes):
		return nil, ErrOutboxFull
	case !o.fits(p.size):
		if o.freed == nil {
			o.freed = make(chan struct{})
		}
		return o.freed, nil
	}
	p.deadline = time.Now().Add(c.options.RetryFor)
	o.add(p)
	c.poke()
	return nil, nil
}

// withdraw takes p back if it was never sent and is not settled.
func (c *Client) withdraw(p *publication) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.settled || p.writes > 0 || p.request.Ephemeral && p.onWay {
		return false
	}
	c.outbox.withdraw(p)
	return true
}

// encode returns what data is sent as: JSON, or bytes that are not nil.
func encode(data any) (text json.RawMessage, payload []byte, err error) {
	switch data := data.(type) {
	case []byte:
		return nil, append(make([]byte, 0, len(data)), data...), nil
	case json.RawMessage:
		if !json.Valid(data) {
			return nil, nil, errors.New("the json.RawMessage is not JSON")
		}
		return bytes.Clone(data), nil, nil
	}
	text, err = encodeJSON(data)
	return text, nil, err
}

// encodeJSON returns v as JSON without the escapes for HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
