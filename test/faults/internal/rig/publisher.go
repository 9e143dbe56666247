package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
)

// Link is how a client of the product connects here: its connection can be dropped.
type Link struct {
	mu   sync.Mutex
	conn *net.TCPConn
}

// Dial implements client.Options.Dial.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c.(*net.TCPConn)
	return c, nil
}

// Drop resets the connection.
func (l *Link) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.SetLinger(0) // without it the reset is an end
		l.conn.Close()
	}
}

// clientOptions are those of a client that comes back quickly.
func clientOptions(l *Link) client.Options {
	return client.Options{
		NoInbox: true, KeepDialing: true, Dial: l.Dial, MaxOutbox: 1 << 16, MaxOutboxBytes: 256 << 20, RetryFor: time.Minute,
		Backoff: client.Backoff{Base: 20 * time.Millisecond, Max: 500 * time.Millisecond},
	}
}

// Publisher publishes numbered messages to one room through the product's client, many at once, and writes down what
// it is told.
type Publisher struct {
	Name, Room string
	Window     int           // how many may be unanswered; default 64
	Pad        int           // up to so many more bytes a message, at random
	Pause      time.Duration // between two messages
	Random     *rand.Rand
	Acked      atomic.Int64
	OnAck      func() // nil: nothing
	Link       Link
}

// sent is a message that waits for its answer.
type sent struct {
	n       int
	pending *client.Pending
}

// Run publishes messages, until there were so many or stop is closed, and returns when all are answered.
func (p *Publisher) Run(ctx context.Context, t *Trial, url string, messages int, stop <-chan struct{}) error {
	w, err := t.Write("publisher-" + p.Name)
	if err != nil {
		return err
	}
	var c *client.Client
	if err := Within(ctx, "publisher "+p.Name+" is let in", joinTimeout, func(ctx context.Context) (err error) {
		c, err = client.Dial(ctx, url, clientOptions(&p.Link))
		return err
	}); err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if p.Window == 0 {
		p.Window = 64
	}
	waiting := make(chan sent, p.Window)
	answered := make(chan error, 1)
	go func() { answered <- p.collect(ctx, w, waiting) }()
	err = p.publish(ctx, c, w, messages, stop, waiting)
	close(waiting)
	return errors.Join(err, <-answered)
}

// publish publishes.
func (p *Publisher) publish(ctx context.Context, c *client.Client, w *history.Writer, messages int, stop <-chan struct{}, waiting chan<- sent) error {
	pad := strings.Repeat("x", p.Pad)
	for n := 1; n <= messages; n++ {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		w.Add(history.Record{Do: history.Send, Room: p.Room, Pub: p.Name, N: n})
		text := pad
		if p.Pad > 0 {
			text = pad[:p.Random.IntN(p.Pad+1)]
		}
		pending, err := c.PublishAsync(p.Room, json.RawMessage(history.Payload(p.Name, n, text)))
		if err != nil {
			return fmt.Errorf("publisher %s: %w", p.Name, err)
		}
		waiting <- sent{n, pending}
		if p.Pause > 0 {
			if err := Sleep(ctx, p.Pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect writes the answers down.
func (p *Publisher) collect(ctx context.Context, w *history.Writer, waiting <-chan sent) error {
	for s := range waiting {
		published, err := s.pending.Result(ctx)
		r := history.Record{Do: history.Ack, Room: p.Room, Pub: p.Name, N: s.n, At: published.Position}
		if err != nil {
			r.Do, r.Why = history.Fail, err.Error()
			var refused *protocol.Error
			if errors.As(err, &refused) {
				r.Why = string(refused.Code)
			}
			if errors.Is(err, client.ErrUncertain) {
				r.Do = history.Lost
			}
		}
		w.Add(r)
		if err == nil {
			p.Acked.Add(1)
			if p.OnAck != nil {
				p.OnAck()
			}
		}
	}
	return nil
}
