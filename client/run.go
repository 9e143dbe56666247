package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// errNoWelcomeInTime ends an attempt that takes too long.
var errNoWelcomeInTime = errors.New("no welcome in time")

// run keeps the client connected until it is closed, and ends its goroutines.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	defer c.cancel()
	var pump sync.WaitGroup
	pump.Go(func() { c.pump(ctx) })
	c.tell(Status{State: Connecting})
	err := c.stayConnected(ctx)
	c.mu.Lock()
	c.shut(err)
	err = c.closing
	c.mu.Unlock()
	c.cancel()
	pump.Wait()
	c.tell(Status{State: Closed, Err: err})
	c.options.Logger.Info("client closed", "server", c.address.String(), "reason", err)
}

// tell sets the client's status and tells it to the application.
func (c *Client) tell(s Status) {
	c.mu.Lock()
	s.User = c.welcome.User
	c.status = s
	c.mu.Unlock()
	if c.options.OnState != nil {
		c.options.OnState(s)
	}
}

// stayConnected connects, again and again, and returns why it is not to go on.
func (c *Client) stayConnected(ctx context.Context) error {
	back := newBackoff(c.options.Backoff)
	for {
		lasted, err := c.connect(ctx)
		back.lasted(lasted)
		if closing := c.Err(); closing != nil {
			return closing
		}
		v := c.judge(err)
		if v.stop {
			return err
		}
		wait, again := back.next()
		if !again {
			return fmt.Errorf("%w after %d failures: %w", ErrGaveUp, back.failures, err)
		}
		if v.told {
			wait = v.wait
		}
		c.options.Logger.Info("not connected", "server", c.address.String(), "reason", err, "failures", back.failures, "wait", wait)
		c.tell(Status{State: Connecting, Err: err, Failures: back.failures, Wait: wait})
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return c.Err()
		}
	}
}

// connect makes one connection, serves it to its end, and returns how long it was open and why it ended.
func (c *Client) connect(ctx context.Context) (open time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attempt, greeted := context.WithTimeoutCause(ctx, c.options.ConnectTimeout, errNoWelcomeInTime)
	defer greeted()
	l, err := c.reachServer(attempt)
	if err != nil {
		return 0, err
	}
	s := newSession(c, l)
	s.greet = context.AfterFunc(attempt, func() { l.abort(context.Cause(attempt)) })
	defer s.greet()
	defer context.AfterFunc(ctx, func() { l.abort(context.Canceled) })()
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	err = l.read(ctx, s)
	l.abort(err)
	close(s.done)
	open = c.disconnected(s)
	cancel()
	s.tasks.Wait()
	return open, s.told(err)
}

// reachServer shakes hands with the server.
func (c *Client) reachServer(ctx context.Context) (*link, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, lateError(ctx, err)
	}
	l, err := c.dial(ctx, token)
	return l, lateError(ctx, err)
}

// lateError returns err, and that it took too long if that is so.
func lateError(ctx context.Context, err error) error {
	if err == nil || context.Cause(ctx) != errNoWelcomeInTime || errors.Is(err, errNoWelcomeInTime) {
		return err
	}
	return fmt.Errorf("%w: %w", errNoWelcomeInTime, err)
}

// disconnected takes note that the session's connection has ended, and returns how long it was open.
func (c *Client) disconnected(s *session) (open time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = nil
	s.lost()
	c.outbox.disconnected()
	c.roster.disconnected()
	if s.greeted {
		open = time.Since(s.opened)
		c.status.State = Connecting
	}
	return open
}

// welcomed opens the session.
func (c *Client) welcomed(s *session, w *protocol.Welcome) error {
	if w.Protocol != protocol.Version {
		return fmt.Errorf("the server speaks version %d of the protocol, this client %d", w.Protocol, protocol.Version)
	}
	c.mu.Lock()
	late := s.greeted || c.closing != nil
	if late {
		c.mu.Unlock()
		return nil
	}
	s.greeted, s.opened, s.welcome = true, time.Now(), *w
	if w.PingInterval > 0 {
		s.live.interval = duration(w.PingInterval)
	}
	c.welcome = *w
	c.identity.welcomed(w, c.options.TokenFunc != nil)
	c.roster.welcomed(c, w.Inbox)
	c.roster.soon()
	c.mu.Unlock()
	s.greet()
	c.options.Logger.Info("connected", "server", c.address.String(), "user", w.User, "client", w.Client, "node", w.Node)
	c.tell(Status{State: Open})
	c.poke()
	select {
	case <-c.opened:
	default:
		close(c.opened)
	}
	return nil
}

// verdict is what the end of a connection means for the next one.
type verdict struct {
	stop bool
	wait time.Duration
	told bool // wait holds instead of the back-off
}

// judge says what err, with which a connection or an attempt ended, means.
func (c *Client) judge(err error) verdict {
	advice, v := advise(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.welcome.Protocol == 0 && !c.options.KeepDialing
	switch advice {
	case protocol.AdviceStop:
		v.stop = true
	case protocol.AdviceNewToken:
		v.stop = !c.identity.reject(c.options.TokenFunc != nil)
	case protocol.AdviceReconnect:
		v.stop = first
	}
	return v
}

// advise returns what a client does after err.
func advise(err error) (protocol.Advice, verdict) {
	var closed *CloseError
	var upgrade *UpgradeError
	var refused *protocol.Error
	switch {
	case errors.As(err, &closed):
		return closed.Code.Advice(), verdict{wait: closed.Retry, told: closed.told}
	case errors.As(err, &upgrade):
		v := verdict{wait: upgrade.RetryAfter, told: upgrade.RetryAfter > 0}
		switch upgrade.Status {
		case http.StatusUnauthorized:
			return protocol.AdviceNewToken, v
		case http.StatusForbidden:
			return protocol.AdviceStop, v
		}
		return protocol.AdviceReconnect, v
	case errors.Is(err, ErrUnauthorized):
		return protocol.AdviceStop, verdict{}
	case errors.As(err, &refused):
		switch {
		case refused.Code == protocol.CodeUnauthorized || refused.Code == protocol.CodeTokenExpired:
			return protocol.AdviceNewToken, verdict{}
		case !refused.Code.Retryable():
			return protocol.AdviceStop, verdict{}
		}
	}
	return protocol.AdviceReconnect, verdict{}
}
