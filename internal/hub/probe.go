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
	probesOut  = 16               // messages that may be on their way at once: older ones prove nothing any more
)

// probe publishes a message in rooms of its own, again and again, and waits for it to come back as any other would: a node
// to which nothing is delivered any more must not look well. There is a room for each path on which the engine feeds the
// node. The zero value is well.
type probe struct {
	mu    sync.Mutex
	paths map[string]*path // by room; nil: there is no probe
}

// path is a path on which the engine feeds a node, as its probe finds it.
type path struct {
	room       string
	subscribed bool
	number     uint64               // of the newest message
	sent       [probesOut]time.Time // the newest messages, by number
	heard      time.Time            // when the newest one was sent that came back; zero before the first
	failure    error                // of the newest one that was answered
}

// startReserved starts what has rooms of its own, where the engine is one that nodes share. What is fed is looked at from
// the first subscription on.
func (h *Hub) startReserved(ctx context.Context) error {
	if h.presence == nil {
		return nil
	}
	h.relay.init(h.presence.Node())
	return errors.Join(h.startProbe(ctx), h.startRelay(ctx))
}

// startProbe has the engine probed until the hub is closed: its feed can fail by itself. It fails when there is no path.
func (h *Hub) startProbe(ctx context.Context) error {
	p := &h.probe
	p.mu.Lock()
	p.paths = make(map[string]*path)
	p.mu.Unlock()
	found, _ := p.follow(h.witnesses(), time.Time{})
	var failed error
	some := false
	for _, room := range found {
		err := h.engine.Subscribe(ctx, room)
		p.subscribed(room, err)
		failed, some = errors.Join(failed, err), some || err == nil
	}
	if !some {
		return failed
	}
	h.background(func() {
		for h.ctx.Err() == nil {
			h.probePaths()
			h.sleep(probeEvery)
		}
	})
	return nil
}

// witnesses returns the rooms of the probe.
func (h *Hub) witnesses() []string {
	name := probeRoom + h.presence.Node()
	if paths, ok := h.engine.(engine.Paths); ok {
		return paths.Witnesses(name)
	}
	return []string{name}
}

// probePaths sends a message on every path, of which there may be others now.
func (h *Hub) probePaths() {
	p := &h.probe
	_, lost := p.follow(h.witnesses(), time.Now())
	for _, room := range lost {
		h.engine.Unsubscribe(room)
	}
	for room, subscribed := range p.rooms() {
		if subscribed {
			h.sendProbe(room)
			continue
		}
		h.background(func() {
			p.subscribed(room, h.engine.Subscribe(h.ctx, room))
			h.sendProbe(room)
		})
	}
}

// follow takes on the rooms of new paths, and gives up those of paths that are gone. A path that comes later counts as heard
// of then.
func (p *probe) follow(rooms []string, heard time.Time) (found, lost []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := make(map[string]bool, len(rooms))
	for _, room := range rooms {
		if there[room] = true; p.paths[room] == nil {
			p.paths[room] = &path{room: room, heard: heard}
			found = append(found, room)
		}
	}
	for room := range p.paths {
		if !there[room] {
			delete(p.paths, room)
			lost = append(lost, room)
		}
	}
	return found, lost
}

// rooms returns the rooms of the paths, and whether they are subscribed. Those that are not are to be subscribed now.
func (p *probe) rooms() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rooms := make(map[string]bool, len(p.paths))
	for room, to := range p.paths {
		rooms[room] = to.subscribed
		to.subscribed = true // nobody else is to try meanwhile
	}
	return rooms
}

// subscribed notes whether a room could be subscribed.
func (p *probe) subscribed(room string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to := p.paths[room]; to != nil {
		to.subscribed = err == nil
	}
}

// sendProbe sends a message on a path.
func (h *Hub) sendProbe(room string) {
	p := &h.probe
	p.mu.Lock()
	to := p.paths[room]
	if to == nil {
		p.mu.Unlock()
		return
	}
	to.number++
	to.sent[to.number%probesOut] = time.Now()
	message := &protocol.Message{Room: room, Data: strconv.AppendUint(nil, to.number, 10)}
	p.mu.Unlock()
	h.engine.Publish(h.ctx, &engine.Publication{Message: message}, func(_ engine.Receipt, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		to.failure = err
	})
}

// hear takes note of a message that came back, if it is one of the probe's.
func (p *probe) hear(m *protocol.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.paths[m.Room]
	if to == nil {
		return
	}
	number, err := strconv.ParseUint(string(m.Data), 10, 64)
	if err != nil || number > to.number || number+probesOut <= to.number {
		return
	}
	if sent := to.sent[number%probesOut]; sent.After(to.heard) {
		to.heard = sent
	}
}

// ErrStalled reports an engine that takes messages and does not deliver them.
var ErrStalled = errors.New("it takes messages, and does not deliver them")

// err returns why nothing is delivered, on some path, or nil.
func (p *probe) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, to := range p.paths {
		if err := to.err(); err != nil {
			return err
		}
	}
	return nil
}

// err returns why nothing is delivered on the path, or nil.
func (to *path) err() error {
	failure := to.failure
	if failure == nil {
		failure = ErrStalled
	}
	switch since := time.Since(to.heard); {
	case to.heard.IsZero():
		return fmt.Errorf("no message has come back from the engine yet: %w", failure)
	case since > probeLimit:
		return fmt.Errorf("no message has come back from the engine for %d s: %w", int(since.Seconds()), failure)
	}
	return nil
}

// Ready returns nil, or why what is published may not be delivered on this node: the engine does not answer, or a message
// did not come back from it within 10 s.
func (h *Hub) Ready() error { return h.probe.err() }

// Reachable returns nil, or why the engine took none of the newest messages that it was asked to.
func (h *Hub) Reachable() error {
	p := &h.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	var failure error
	for _, to := range p.paths {
		if to.failure == nil {
			return nil
		}
		failure = to.failure
	}
	return failure
}
