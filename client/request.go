package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wireroom/wireroom/protocol"
)

// Request sends a request of a type of the application's own (see protocol.CheckType), with data as in Publish, and returns the data of the
// answer: nil when it has none. A refusal is a *protocol.Error. When the connection is lost before the answer came
// the error is ErrDisconnected with ErrUncertain: the client does not know whether such a request may be sent twice. A
// request that was not sent yet waits for the next connection.
func (c *Client) Request(ctx context.Context, name string, data any) (json.RawMessage, error) {
	if !protocol.CheckType(name) {
		return nil, fmt.Errorf("request %q: no type for an application's own requests", name)
	}
	q := newCall(name)
	var err error
	if q.request.Data, q.request.Bytes, err = encode(data); err != nil {
		return nil, fmt.Errorf("request %q: %w", name, err)
	}
	if q.request.Bytes == nil {
		q.request.Has = protocol.HasData
	}
	answer, err := resultOf[*protocol.Answer](c.ask(ctx, q))
	if err != nil {
		return nil, fmt.Errorf("request %q: %w", name, err)
	}
	return answer.Data, nil
}

// History reads a part of a room's log, which need not be joined; see HistoryOptions. When the position given cannot
// be proven to be one of the log, that is no error: Refused says why and Position is the room's head.
func (c *Client) History(ctx context.Context, room string, options ...HistoryOptions) (*protocol.History, error) {
	o, err := only(options)
	if err == nil && !o.Since.IsZero() && !o.Before.IsZero() {
		err = errors.New("both Since and Before are set")
	}
	if err != nil {
		return nil, fmt.Errorf("history of room %q: %w", room, err)
	}
	q := newCall(protocol.TypeHistory)
	q.request.Room, q.request.Has = []byte(room), protocol.HasRoom
	if !o.Since.IsZero() {
		q.request.Since = []byte(o.Since.String())
		q.request.Has |= protocol.HasSince
	}
	if !o.Before.IsZero() {
		q.request.Before = []byte(o.Before.String())
		q.request.Has |= protocol.HasBefore
	}
	if o.Limit > 0 {
		q.request.Limit = o.Limit
		q.request.Has |= protocol.HasLimit
	}
	q.again = true
	h, err := resultOf[*protocol.History](c.ask(ctx, q))
	if err != nil {
		return nil, fmt.Errorf("history of room %q: %w", room, err)
	}
	return h, nil
}

// presence lists who is in a room.
func (c *Client) presence(ctx context.Context, room string, options []PresenceOptions) (*protocol.Presence, error) {
	o, err := only(options)
	if err != nil {
		return nil, fmt.Errorf("presence of room %q: %w", room, err)
	}
	q := newCall(protocol.TypePresence)
	q.request.Room, q.request.Has = []byte(room), protocol.HasRoom
	if o.Limit > 0 {
		q.request.Limit = o.Limit
		q.request.Has |= protocol.HasLimit
	}
	if o.Next != "" {
		q.request.Next = []byte(o.Next)
		q.request.Has |= protocol.HasNext
	}
	q.again = true
	list, err := resultOf[*protocol.Presence](c.ask(ctx, q))
	if err != nil {
		return nil, fmt.Errorf("presence of room %q: %w", room, err)
	}
	return list, nil
}

// resultOf returns a result as what it must be.
func resultOf[T protocol.Result](result protocol.Result, err error) (T, error) {
	of, ok := result.(T)
	if err == nil && !ok {
		err = fmt.Errorf("the server answered with %T", result)
	}
	return of, err
}
