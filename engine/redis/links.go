package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// askAgain is how soon a cluster is asked again which server has what, however many rooms want to know.
const askAgain = 100 * time.Millisecond

// links are the links of this node: one, or one to each server of a cluster that has rooms.
type links struct {
	engine *Engine
	wake   chan struct{} // the cluster is to be asked now

	mu        sync.Mutex
	only      *link            // where there is no cluster
	byAddress map[string]*link // by address, in a cluster
	slots     slots
	stray     map[string]bool // rooms that a server does not feed any more, whatever the slots say
}

func (s *links) init(e *Engine) {
	s.engine = e
	if !e.cluster {
		s.only = s.link("")
		e.work.Go(s.only.run)
		return
	}
	s.wake = make(chan struct{}, 1)
	s.byAddress, s.stray = make(map[string]*link), make(map[string]bool)
	s.refresh(e.ctx)
	e.work.Go(s.run)
}

// run asks the cluster now and then which server has what, and when a room has moved.
func (s *links) run() {
	ctx := s.engine.ctx
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		s.refresh(ctx)
		wait(ctx, askAgain)
	}
}

// link makes a link, which does not run yet.
func (s *links) link(address string) *link {
	l := &link{engine: s.engine, address: address, wake: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(s.engine.ctx)
	return l
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
		s.engine.work.Go(l.run)
	}
	return l
}

// ask has an order carried out by the link of its room.
func (s *links) ask(o order) {
	for !s.of(o.room).ask(o) && s.engine.ctx.Err() == nil {
		continue // it has ended just now, and is not the room's any more
	}
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

// inCharge returns the address of the server that has all rooms: the one that Sentinels name. In a cluster there is none.
func (s *links) inCharge() string {
	if s.only == nil {
		return ""
	}
	for address := range s.engine.client.Nodes() {
		return address
	}
	return ""
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
	s.mu.Lock()
	s.stray[room] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// refresh asks the cluster which server has which slots. What is wanted and has another server now, or was given up by the
// one that had it, is asked for where it belongs; links to servers that have nothing any more end.
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
	before, stray, links := s.slots, s.stray, maps.Clone(s.byAddress)
	s.slots, s.stray = now, make(map[string]bool)
	over := s.superfluous()
	s.mu.Unlock()
	for _, l := range over {
		l.end()
	}
	if len(stray) == 0 && slices.Equal(before, now) {
		return
	}
	for _, room := range e.feeder.wanted() {
		was, is := before.address(room), now.address(room)
		if was == is && !stray[room] {
			continue
		}
		if l := links[was]; l != nil && was != is {
			l.ask(order{room: room}) // to be unsubscribed there
		}
		s.ask(order{room: room, moved: true})
	}
}

// superfluous takes out the links to servers that have no slots. The links are locked.
func (s *links) superfluous() []*link {
	var over []*link
	for address, l := range s.byAddress {
		if !slices.ContainsFunc(s.slots, func(r slotRange) bool { return r.address == address }) {
			over = append(over, l)
			delete(s.byAddress, address)
		}
	}
	return over
}

// Witnesses implements engine.Paths: every server of a cluster has one of the rooms.
func (e *Engine) Witnesses(prefix string) []string {
	if !e.cluster {
		return []string{prefix}
	}
	return e.links.servers().witnesses(prefix)
}

// servers returns which server has what, as far as is known.
func (s *links) servers() slots {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots
}
