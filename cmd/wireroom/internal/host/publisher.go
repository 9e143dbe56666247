// Package host publishes how the machine fares, a room for each kind of reading, while somebody is in that room.
package host

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// The rooms, and what is published in each.
const (
	RoomCPU     = "host/cpu"     // CPU
	RoomMemory  = "host/memory"  // Memory
	RoomNetwork = "host/network" // Network
	RoomDisk    = "host/disk"    // Disk
)

// Rooms returns the names of the rooms.
func Rooms() []string { return []string{RoomCPU, RoomMemory, RoomNetwork, RoomDisk} }

// Interval is the time between two readings.
const Interval = time.Second

// maxEvent is how long the name of a message may be, in bytes.
const maxEvent = 64

// Meter reads once. It returns nil while there is nothing to tell, as rates need two readings. One goroutine calls it.
type Meter func(ctx context.Context) (any, error)

// Options are the settings of a Publisher.
type Options struct {
	Node    string                  // whose readings these are: the event of each message
	Open    func(room string) Meter // a new meter; nil reads this machine
	Logger  *slog.Logger            // nil is slog.Default
	Publish func(ctx context.Context, room, event string, reading any) error
}

// Publisher reads and publishes while there are members. FirstMember and LastMember may be called at once, and return
// at once.
type Publisher struct {
	options Options
	changed chan struct{} // has a token when watched is another one

	mu      sync.Mutex
	watched map[string]bool
}

// New returns a publisher, which does nothing before Run.
func New(o Options) *Publisher {
	if o.Open == nil {
		o.Open = Open
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Node = strings.ToValidUTF8(o.Node[:min(len(o.Node), maxEvent)], "")
	return &Publisher{options: o, changed: make(chan struct{}, 1), watched: make(map[string]bool)}
}

// FirstMember takes note that a room has its first member.
func (p *Publisher) FirstMember(room string) { p.note(room, true) }

// LastMember takes note that a room has lost its last member.
func (p *Publisher) LastMember(room string) { p.note(room, false) }

func (p *Publisher) note(room string, watched bool) {
	if !slices.Contains(Rooms(), room) {
		return
	}
	p.mu.Lock()
	p.watched[room] = watched
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default: // Run will look anyway
	}
}

// Run reads and publishes until ctx ends. While nobody is in the rooms it waits and reads nothing.
func (p *Publisher) Run(ctx context.Context) {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	ticker.Stop()
	meters := make(map[string]*meter)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
			if len(meters) == 0 {
				ticker.Reset(Interval)
			}
			for _, room := range p.follow(meters) {
				p.read(ctx, room, meters[room])
			}
			if len(meters) == 0 {
				ticker.Stop()
			}
		case <-ticker.C:
			for room, m := range meters {
				p.read(ctx, room, m)
			}
		}
	}
}

// meter is a Meter, and whether it failed the last time.
type meter struct {
	read    Meter
	failing bool
}

// follow opens meters for the rooms that have members now and had none, and returns those rooms. It forgets the meters
// of rooms without members: a rate is never one over a time in which nobody looked.
func (p *Publisher) follow(meters map[string]*meter) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var opened []string
	for room, watched := range p.watched {
		switch {
		case !watched:
			delete(meters, room)
			delete(p.watched, room)
		case meters[room] == nil:
			meters[room] = &meter{read: p.options.Open(room)}
			opened = append(opened, room)
		}
	}
	return opened
}

// read reads and publishes once. A failure is told once, until it is over.
func (p *Publisher) read(ctx context.Context, room string, m *meter) {
	reading, err := m.read(ctx)
	if err == nil && reading != nil {
		err = p.options.Publish(ctx, room, p.options.Node, reading)
	}
	if err != nil && !m.failing && ctx.Err() == nil {
		p.options.Logger.Warn("a reading of this machine cannot be published", "room", room, "error", err)
	}
	m.failing = err != nil
}
