package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// errSilent ends a connection of which nothing is heard any more.
var errSilent = errors.New("the server is silent")

// pump writes what there is to write, and keeps the times, until ctx ends.
func (c *Client) pump(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var out frames
	for ctx.Err() == nil {
		out.reset()
		s, next, failed := c.gather(&out)
		if failed != nil {
			s.link.abort(failed)
			continue
		}
		if len(out.buf) > 0 {
			c.write(s, out.buf)
			continue
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-c.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// poke makes the pump look for something to write.
func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes frames to the session's connection.
func (c *Client) write(s *session, frames []byte) {
	if err := s.link.write(frames); err != nil {
		c.mu.Lock()
		s.mute = true
		c.mu.Unlock()
		s.link.abort(err)
	}
}

// gather appends to out what is to be written now, in the session that it returns. When that is nothing, next is when
// to look again; zero for not before poke. With failed the session is to be ended.
func (c *Client) gather(out *frames) (s *session, next time.Time, failed error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	next = c.outbox.expire(now, c.options.RetryFor)
	s = c.session
	if s == nil || s.mute {
		return s, next, nil
	}
	s.writeControl(out)
	if s.goodbye {
		out.buf = appendClose(out.buf, ws.CloseNormal, "")
		s.mute = true
		return s, next, nil
	}
	s.writeCalls(out, &s.calls)
	if !s.greeted {
		return s, next, nil
	}
	probe, dead := s.live.check(now)
	if dead {
		s.mute = true
		return s, next, errSilent
	}
	if probe {
		out.request(&protocol.Request{Type: []byte(protocol.TypePing)}, 0)
	}
	c.roster.write(s, out, now)
	s.writeCalls(out, &c.calls)
	next = earlier(next, c.outbox.write(s, out, now))
	return s, earlier(earlier(next, c.roster.due), s.live.due()), nil
}

// writeControl appends the answers to pings.
func (s *session) writeControl(out *frames) {
	for _, payload := range s.pongs {
		out.pong(payload)
	}
	s.pongs = nil
	if s.jsonPong {
		s.jsonPong = false
		out.request(&protocol.Request{Type: []byte(protocol.TypePong)}, 0)
	}
}

// writeCalls appends calls, in order, and takes them out of the list.
func (s *session) writeCalls(out *frames, calls *[]*call) {
	for len(*calls) > 0 && !out.full() {
		q := (*calls)[0]
		*calls = (*calls)[1:]
		if !s.request(out, &q.request, q) {
			q.settle(nil, s.tooLarge())
			continue
		}
		q.sent = true
	}
}

// tooLarge returns the error of a request that is longer than the server takes.
func (s *session) tooLarge() *protocol.Error {
	return &protocol.Error{
		Code:    protocol.CodeTooLarge,
		Message: fmt.Sprintf("longer than the %d bytes that the server takes", s.welcome.MaxMessage),
	}
}
