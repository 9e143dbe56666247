package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Room is a room that the client is in. It stays joined over reconnects until Leave, Close, a kick, or until the server
// refuses to let the client in again. Its methods may be called at once from many goroutines.
type Room struct {
	client *Client
	ready  chan struct{} // wakes one reader
	joined chan struct{} // closed when the first join was answered or the room has ended

	// The client's mu guards what follows.
	name    string
	options JoinOptions
	state   []byte // the member's own data, as JSON; nil for none
	stage   stage
	asked   bool      // a join is on its way
	hold    time.Time // nothing is asked of the server before
	tries   int       // requests in a row that failed in a way that may pass
	place   place
	queue   queue
	read    protocol.Position // where the reader stands
	ended   error
}

// stage says how far a membership has come.
type stage uint8

const (
	stageJoining stage = iota // the server is to be asked
	stageJoined
	stageEnded
)

// newRoom returns a room that is to be joined. The options must have been checked.
func newRoom(c *Client, name string, options JoinOptions, state []byte) *Room {
	return &Room{
		client:  c,
		ready:   make(chan struct{}, 1),
		joined:  make(chan struct{}),
		name:    name,
		options: options,
		state:   state,
		read:    options.Since,
		queue:   queue{most: c.options.RoomBuffer, mostBytes: c.options.RoomBufferBytes},
	}
}

// Name returns the room's name.
func (r *Room) Name() string {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return r.name
}

// Position returns where the reader stands: the position of the last Message or Gap that Next returned, at first where
// the join began. Given as JoinOptions.Since it continues right there, in a later run too. It is the zero Position
// before the join was answered.
func (r *Room) Position() protocol.Position {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return r.read
}

// Next returns the room's next event, waiting for it if need be. When no event is left and none will come, it
// returns why: ErrLeft, ErrClosed, a *KickedError, the *protocol.Error with which the server refused to let the client
// in again, or what closed the client.
func (r *Room) Next(ctx context.Context) (Event, error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		e, err := r.pop()
		if e != nil || err != nil {
			return e, err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
		}
	}
}

// pop takes an event from the queue, or returns the error that the room has ended with. It wakes another reader if
// there is something left for it.
func (r *Room) pop() (Event, error) {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	e := r.queue.pop()
	switch e := e.(type) {
	case nil:
		if r.ended == nil {
			return nil, nil
		}
		r.signal()
		return nil, r.ended
	case *protocol.Message:
		if !e.Position.IsZero() {
			r.read = e.Position
		}
	case *protocol.Gap:
		r.read = e.Position
	}
	if len(r.queue.events) > 0 || r.ended != nil {
		r.signal()
	}
	if r.wantsMore() {
		c.roster.soon()
		c.poke()
	}
	return e, nil
}

// Events iterates over what Next returns. It ends without an error when the application has left the room or closed
// the client; every other end is yielded as the last error.
func (r *Room) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			e, err := r.Next(ctx)
			if errors.Is(err, ErrLeft) || errors.Is(err, ErrClosed) {
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Messages iterates over the room's messages and drops its other events, save a Gap: that is yielded as a *GapError,
// after which the iteration goes on. Every other error is the last, as in Events.
func (r *Room) Messages(ctx context.Context) iter.Seq2[*protocol.Message, error] {
	return func(yield func(*protocol.Message, error) bool) {
		for e, err := range r.Events(ctx) {
			more := true
			switch e := e.(type) {
			case *protocol.Message:
				more = yield(e, nil)
			case *protocol.Gap:
				more = yield(nil, &GapError{*e})
			case nil:
				more = yield(nil, err)
			}
			if !more {
				return
			}
		}
	}
}

// Publish publishes data to the room: see Client.Publish.
func (r *Room) Publish(ctx context.Context, data any, options ...PublishOptions) (protocol.Published, error) {
	return r.client.Publish(ctx, r.Name(), data, options...)
}

// PublishAsync publishes data to the room without waiting: see Client.PublishAsync.
func (r *Room) PublishAsync(data any, options ...PublishOptions) (*Pending, error) {
	return r.client.PublishAsync(r.Name(), data, options...)
}

// Presence lists who is in the room, a page at a time: see PresenceOptions.
func (r *Room) Presence(ctx context.Context, options ...PresenceOptions) (*protocol.Presence, error) {
	return r.client.presence(ctx, r.Name(), options)
}

// SetState replaces the member's own data, encoded as JSON, which everyone sees who joined with Presence. It holds over
// reconnects.
func (r *Room) SetState(ctx context.Context, state any) error {
	text, err := encodeJSON(state)
	if err != nil {
		return fmt.Errorf("state of room %q: %w", r.Name(), err)
	}
	q := newCall(protocol.TypeState)
	q.request.Room, q.request.State = []byte(r.Name()), text
	q.request.Has = protocol.HasRoom | protocol.HasState
	q.again = true
	q.settled = func(err *protocol.Error) {
		if err == nil {
			r.state = text
		}
	}
	if _, err := r.client.ask(ctx, q); err != nil {
		return fmt.Errorf("state of room %q: %w", r.Name(), err)
	}
	return nil
}

// Leave leaves the room and returns when the server has confirmed it, or at once when there is no connection. What was
// received before can still be read, then Next returns ErrLeft. The room is left even if ctx ends first.
func (r *Room) Leave(ctx context.Context) error {
	c := r.client
	c.mu.Lock()
	if r.stage == stageEnded {
		c.mu.Unlock()
		return nil
	}
	q := c.leave(r)
	c.mu.Unlock()
	if q == nil {
		return nil
	}
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave room %q: %w", r.Name(), context.Cause(ctx))
	}
}
