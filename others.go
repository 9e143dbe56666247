package wireroom

import (
	"context"
	"errors"
	"net/http"

	"github.com/wireroom/wireroom/internal/transport/longpoll"
	"github.com/wireroom/wireroom/internal/transport/post"
	"github.com/wireroom/wireroom/internal/transport/sse"
)

// others are the transports for clients that have no WebSocket.
type others struct {
	sse  *sse.Transport
	poll *longpoll.Transport
	send *post.Transport
}

func (s *Server) newOthers() others {
	o := &s.options
	return others{
		sse: sse.New(sse.Options{
			Node: s.node, Poller: s.poller, Gate: s.gate, Logger: o.Logger, PingInterval: o.PingInterval,
		}),
		poll: longpoll.New(longpoll.Options{Node: s.node, Gate: s.gate}),
		send: post.New(post.Options{Node: s.node, Gate: s.gate, MaxMessage: o.Limits.MaxMessage}),
	}
}

// route adds their paths to a mux.
func (t *others) route(mux *http.ServeMux, o *Options) {
	for _, path := range o.SSEPaths {
		mux.Handle(path, t.sse)
	}
	for _, path := range o.PollPaths {
		mux.Handle(path, t.poll)
	}
	for _, path := range o.SendPaths {
		mux.Handle(path, t.send)
	}
}

// drain sends the clients of all of them elsewhere, at once.
func (t *others) drain(ctx context.Context) error {
	polls := make(chan error, 1)
	go func() { polls <- t.poll.Drain(ctx) }()
	return errors.Join(t.sse.Drain(ctx), <-polls)
}

// close ends them.
func (t *others) close() error { return errors.Join(t.sse.Close(), t.poll.Close()) }

// recheck has their sessions see anew what they may do.
func (t *others) recheck() {
	t.sse.Recheck()
	t.poll.Recheck()
}
