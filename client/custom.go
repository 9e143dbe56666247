package client

import (
	"context"
	"encoding/json"

	"github.com/wireroom/wireroom/protocol"
)

// customs are the envelopes of the application's own types that wait to be read. The client's mu guards the queue.
type customs struct {
	queue []*protocol.Custom
	ready chan struct{} // wakes one reader
}

// NextCustom returns the next envelope of an application's own type that the server has sent to this client alone,
// waiting for it if need be. Such envelopes have no position: what is sent while the client is away is lost, and while
// Options.RoomBuffer of them wait to be read what comes is dropped, with a warning in the log. When the client is closed
// and none is left it returns Err.
func (c *Client) NextCustom(ctx context.Context) (*protocol.Custom, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		e, err := c.popCustom()
		if e != nil || err != nil {
			return e, err
		}
		select {
		case <-c.customs.ready:
		case <-ctx.Done():
		}
	}
}

// popCustom takes an envelope from the queue, or returns why there will be none. It wakes another reader if there is
// something left for it.
func (c *Client) popCustom() (*protocol.Custom, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.customs
	if len(q.queue) == 0 {
		if c.closing != nil {
			q.signal()
		}
		return nil, c.closing
	}
	e := q.queue[0]
	q.queue = q.queue[1:]
	if len(q.queue) == 0 {
		q.queue = nil
	}
	q.signal()
	return e, nil
}

// custom takes an envelope of an application's own type.
func (c *Client) custom(e *protocol.Envelope) {
	var fields struct{ Data json.RawMessage }
	if err := json.Unmarshal(e.Raw, &fields); err != nil {
		c.options.Logger.Debug("an envelope that cannot be read was left aside", "type", e.Type)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.customs
	if len(q.queue) >= c.options.RoomBuffer {
		c.options.Logger.Warn("an envelope that nobody reads was dropped", "type", e.Type)
		return
	}
	q.queue = append(q.queue, &protocol.Custom{Kind: e.Type, Data: fields.Data})
	q.signal()
}

// signal wakes a reader.
func (q *customs) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
