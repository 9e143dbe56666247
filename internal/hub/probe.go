package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

const (
	probeEvery = 2500 * time.Millisecond
	probeLimit = 10 * time.Second // for a message to come back
	probeRoom  = "$probe/"        // and the node's name
)

// probe publishes a message in a room of its own, again and again, and waits for it to come back as any other would: a
// node to which nothing is delivered any more must not look well. The zero value is well.
type probe struct {
	room string // empty: there is none

	mu      sync.Mutex
	number  uint64
	sent    time.Time // the message with that number
	heard   time.Time // when the newest one was sent that came back; zero before the first
	failure error     // of the newest one that was answered
}

// startReserved starts what has rooms of its own, where the engine is one that nodes share. What is fed is looked at from
// the first subscription on.
func (h *Hub) startReserved(ctx context.Context) error {
	if h.presence == nil {
		return nil
	}
	h.probe.room = probeRoom + h.presence.Node()
	h.relay.init(h.presence.Node())
	return errors.Join(h.startProbe(ctx), h.startRelay(ctx))
}

// startProbe has the engine probed until the hub is closed: its feed can fail by itself.
func (h *Hub) startProbe(ctx context.Context) error {
	if err := h.engine.Subscribe(ctx, h.probe.room); err != nil {
		return err
	}
	h.background(func() {
		for h.ctx.Err() == nil {
			h.sendProbe()
			h.sleep(probeEvery)
		}
	})
	return nil
}

func (h *Hub) sendProbe() {
	p := &h.probe
	p.mu.Lock()
	p.number++
	p.sent = time.Now()
	number := p.number
	p.mu.Unlock()
	message := &protocol.Message{Room: p.room, Data: strconv.AppendUint(nil, number, 10)}
	h.engine.Publish(h.ctx, &engine.Publication{Message: message}, func(_ engine.Receipt, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failure = err
	})
}

// hear takes note of a message that came back, if it is the probe's.
func (p *probe) hear(m *protocol.Message) {
	if p.room == "" || m.Room != p.room {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if string(m.Data) == strconv.FormatUint(p.number, 10) {
		p.heard = p.sent
	}
}

// errStalled reports an engine that takes messages and does not deliver them.
var errStalled = errors.New("it takes messages, and does not deliver them")

// err returns why nothing is delivered, or nil.
func (p *probe) err() error {
	if p.room == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	failure := p.failure
	if failure == nil {
		failure = errStalled
	}
	switch since := time.Since(p.heard); {
	case p.heard.IsZero():
		return fmt.Errorf("no message has come back from the engine yet: %w", failure)
	case since > probeLimit:
		return fmt.Errorf("no message has come back from the engine for %d s: %w", int(since.Seconds()), failure)
	}
	return nil
}

// Ready returns nil, or why what is published may not be delivered on this node: the engine does not answer, or a message
// did not come back from it within 10 s.
func (h *Hub) Ready() error { return h.probe.err() }

// Reachable returns nil, or why the engine did not take the newest message that it was asked to.
func (h *Hub) Reachable() error {
	h.probe.mu.Lock()
	defer h.probe.mu.Unlock()
	return h.probe.failure
}
