package redis

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// links are the links of this node: one, or one to each server of a cluster that has rooms.
type links struct {
	engine *Engine

	mu        sync.Mutex
	only      *link            // where there is no cluster
	byAddress map[string]*link // by address, in a cluster
	slots     slots
}

func (s *links) init(e *Engine) {
	s.engine = e
	if !e.cluster {
		s.only = s.link("")
		s.start(s.only)
		return
	}
	s.byAddress = make(map[string]*link)
	s.refresh(e.ctx)
	e.work.Go(func() {
		for e.ctx.Err() == nil {
			wait(e.ctx, refreshEvery)
			s.refresh(e.ctx)
		}
	})
}

func (s *links) link(address string) *link {
	return &link{engine: s.engine, address: address, wake: make(chan struct{}, 1)}
}

// start keeps a link up until the engine is closed.
func (s *links) start(l *link) {
	s.engine.work.Go(func() { l.run(s.engine.ctx) })
}

// of returns the link of a room.
func (s *links) of(room string) *link {
	if s.only != nil {
		return s.only
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	address := s.slots.address(room)
	l := s.byAddress[address]
	if l == nil {
		l = s.link(address)
		s.byAddress[address] = l
		s.start(l)
	}
	return l
}

// node returns the client of the server at an address.
func (s *links) node(address string) (rueidis.Client, error) {
	if s.only != nil {
		return s.engine.client, nil
	}
	node := s.engine.client.Nodes()[address]
	if node == nil {
		return nil, fmt.Errorf("no server of the cluster is at %q", address)
	}
	return node, nil
}

// commands makes a command for each room.
func (s *links) commands(client rueidis.DedicatedClient, rooms []string, subscribe bool) []rueidis.Completed {
	commands := make([]rueidis.Completed, len(rooms))
	for i, room := range rooms {
		channel, b := s.engine.names.channel(room), client.B()
		switch {
		case s.engine.cluster && subscribe:
			commands[i] = b.Ssubscribe().Channel(channel).Build()
		case s.engine.cluster:
			commands[i] = b.Sunsubscribe().Channel(channel).Build()
		case subscribe:
			commands[i] = b.Subscribe().Channel(channel).Build()
		default:
			commands[i] = b.Unsubscribe().Channel(channel).Build()
		}
	}
	return commands
}

// moved has a room looked for at another server. It is called from a client's callback too, and does not wait.
func (s *links) moved(channel string) {
	room, ok := s.engine.names.roomOf(channel)
	if !ok || s.only != nil || !s.engine.feeder.wants(room) {
		return
	}
	s.engine.work.Go(func() {
		s.refresh(s.engine.ctx)
	})
}

// refresh asks the cluster which server has which slots. Where that has changed, what is wanted is asked for where it
// now belongs, and the feed is told.
func (s *links) refresh(ctx context.Context) {
	e := s.engine
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	now, err := readSlots(e.client.Do(ctx, e.client.B().ClusterSlots().Build()))
	if err != nil {
		if e.ctx.Err() == nil {
			e.options.Logger.Warn("the cluster does not say which server has what", "error", err)
		}
		return
	}
	s.mu.Lock()
	before := s.slots
	s.slots = now
	all := maps.Clone(s.byAddress)
	s.mu.Unlock()
	changed := false
	for _, room := range e.feeder.wanted() {
		was, is := before.address(room), now.address(room)
		if was == is {
			continue
		}
		changed = true
		if l := all[was]; l != nil {
			l.ask(order{room: room})
		}
		s.of(room).ask(order{room: room})
	}
	if changed {
		e.work.Go(func() {
			wait(e.ctx, time.Second) // the subscriptions are there by then, or their link breaks and tells
			e.feeder.interrupted()
		})
	}
}
