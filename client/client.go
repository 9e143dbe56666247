package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Client is a client of one server. Its methods may be called at once from many goroutines.
type Client struct {
	options Options
	address *address
	cancel  context.CancelFunc
	opened  chan struct{} // closed at the first welcome
	done    chan struct{} // closed when the client's goroutines have ended
	wake    chan struct{}

	mu       sync.Mutex
	status   Status
	closing  error // why the client ends; nil while it does not
	identity identity
	welcome  protocol.Welcome
	session  *session
	roster   roster
	calls    []*call // not written yet
	outbox   outbox
	customs  customs
}

// Dial connects to the server at url, such as ws://host:8080/ws or wss://host/ws; http and https stand for ws and wss,
// and without a path it is /ws. It returns when the server has welcomed the client, with the reason of the first
// failure, or when ctx ends, which later has no effect on the client. The application must Close what it has dialled.
func Dial(ctx context.Context, url string, options Options) (*Client, error) {
	o, err := options.complete()
	if err == nil && o.Inbox.State != nil {
		_, err = encodeJSON(o.Inbox.State)
	}
	if err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	a, err := parseAddress(url, o.Name)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{
		options:  o,
		address:  a,
		cancel:   cancel,
		opened:   make(chan struct{}),
		done:     make(chan struct{}),
		wake:     make(chan struct{}, 1),
		identity: identity{token: o.Token},
		roster:   roster{rooms: make(map[string]*Room)},
		outbox:   newOutbox(&o),
		customs:  customs{ready: make(chan struct{}, 1)},
	}
	go c.run(life)
	select {
	case <-c.opened:
		return c, nil
	case <-c.done:
		return nil, fmt.Errorf("dial %s: %w", a, c.Err())
	case <-ctx.Done():
	}
	last := c.Status().Err
	_ = c.Close()
	err = fmt.Errorf("dial %s: %w", a, context.Cause(ctx))
	if last != nil {
		return nil, fmt.Errorf("%w (the last attempt: %w)", err, last)
	}
	return nil, err
}

// farewell bounds how long Close waits for the server to confirm.
const farewell = 2 * time.Second

// Close says goodbye to the server, settles everything that was not settled with ErrClosed, and returns when the
// client's goroutines have ended; it waits up to 2 s for the server to confirm. The client never comes back. Close
// may be called more than once; it always returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.shut(ErrClosed)
	s := c.session
	talking := s != nil && s.greeted
	if talking {
		s.goodbye = true
	}
	c.mu.Unlock()
	c.poke()
	if talking {
		timer := time.NewTimer(farewell)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
		}
	}
	c.cancel()
	<-c.done
	return nil
}

// shut settles everything with err, once. c.mu is held.
func (c *Client) shut(err error) {
	if c.closing != nil {
		return
	}
	c.closing = err
	if c.session != nil {
		c.session.lost()
	}
	for _, q := range c.calls {
		if q.sent {
			q.settle(nil, uncertain(err))
			continue
		}
		q.settle(nil, err)
	}
	c.calls = nil
	c.outbox.close(err)
	c.customs.signal()
	for _, r := range c.roster.rooms {
		c.roster.end(r, err)
	}
}

// Done returns a channel that is closed when the client is closed for good: by Close, or because the server told
// it to stop.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client is closed, ErrClosed after Close, or nil while it is not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// Status returns where the client stands.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Welcome returns what the server said at the start of the newest connection.
func (c *Client) Welcome() protocol.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

// Token returns the token with which an anonymous client comes back as the same user in a later run, given as
// Options.Token; it is empty for a client that is not anonymous.
func (c *Client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.identity.anonymous {
		return ""
	}
	return c.identity.token
}

// Inbox returns the client's inbox, the room with what was sent to its user, which the client joins by itself. It is
// nil with Options.NoInbox. When the client comes back as another user, it is that user's inbox from then on, after a
// Gap.
func (c *Client) Inbox() *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.inbox
}

// Join joins a room and returns when the server has confirmed it, or its refusal as a *protocol.Error. An error that
// may pass is not one: Join tries again until ctx ends. A room that the client is in already is refused with ErrJoined;
// its own inbox is one.
func (c *Client) Join(ctx context.Context, room string, options ...JoinOptions) (*Room, error) {
	r, err := c.newMembership(room, options)
	if err != nil {
		return nil, fmt.Errorf("join room %q: %w", room, err)
	}
	select {
	case <-r.joined:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.isSettling() {
		c.leave(r)
		return nil, fmt.Errorf("join room %q: %w", room, context.Cause(ctx))
	}
	if r.stage == stageEnded && r.place.position.IsZero() {
		return nil, fmt.Errorf("join room %q: %w", room, r.ended)
	}
	return r, nil
}

// newMembership puts a room on the roster, to be joined.
func (c *Client) newMembership(name string, options []JoinOptions) (*Room, error) {
	o, err := only(options)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if !protocol.CheckRoom(name) {
		return nil, &protocol.Error{Code: protocol.CodeInvalidRoom, Message: "not the name of a room", Field: "room"}
	}
	var state []byte
	if o.State != nil {
		if state, err = encodeJSON(o.State); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil {
		return nil, c.closing
	}
	if c.roster.rooms[name] != nil {
		return nil, ErrJoined
	}
	r := newRoom(c, name, o, state)
	c.roster.rooms[name] = r
	c.roster.soon()
	c.poke()
	return r, nil
}

// leaveCall returns the request to leave a room.
func leaveCall(room string) *call {
	q := newCall(protocol.TypeLeave)
	q.request.Room, q.request.Has = []byte(room), protocol.HasRoom
	return q
}

// leave takes a room off the roster. It returns the call that tells the server; nil when there is nothing to tell.
// c.mu is held.
func (c *Client) leave(r *Room) *call {
	told := r.stage == stageJoined || r.asked
	c.roster.end(r, ErrLeft)
	if !told || c.session == nil || !c.session.greeted {
		return nil
	}
	q := leaveCall(r.name)
	c.session.calls = append(c.session.calls, q)
	c.poke()
	return q
}
