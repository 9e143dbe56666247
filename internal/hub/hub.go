// Package hub holds the rooms of one node: their members, the tail of each, its presence. What the engine feeds is
// appended to the tail of its room once, and delivered from there to every member: at once to those whose socket
// takes it, later to those that are behind. Live delivery, catching up and joining at a position are one path.
//
// Locks are taken in this order: a room of the engine, then a room of the hub, then a connection.
package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

const (
	shards       = 64
	maxRunBytes  = 64 << 10 // of one write to one member
	tickInterval = 250 * time.Millisecond
	// linger is how long a room without members stays subscribed with its tail, so that members who come back
	// together find it.
	linger = 10 * time.Second
)

// DefaultTailBytes bounds the tails of a node.
const DefaultTailBytes = 256 << 20

// Errors of the hub; a session turns them into codes.
var (
	ErrClosed           = errors.New("hub closed")
	ErrKicked           = errors.New("kicked")
	ErrNotMember        = errors.New("not a member any more")
	ErrPresenceDisabled = errors.New("presence is disabled in this room")
)

// Options are the settings of a Hub.
type Options struct {
	Engine engine.Engine // not opened yet; required
	Rules  *rule.Set     // required
	Logger *slog.Logger  // required
	// Metrics, if not nil, is what the hub counts in.
	Metrics *metrics.Set
	// Tracer, if not nil, is told of messages.
	Tracer Tracer
	// Observer, if not nil, is told of memberships.
	Observer Observer
	// TailBytes bounds the memory of all tails, in bytes; 0 = DefaultTailBytes.
	TailBytes int64
	// Occupied, if not nil, is told when a room gets its first member on this node and when it loses its last one,
	// in that order for one room, one call at a time.
	Occupied func(room string, occupied bool)
}

// Hub holds the rooms of this node. Its methods may be called at once.
type Hub struct {
	engine engine.Engine
	inline bool
	rules  atomic.Pointer[rule.Set]
	logger *slog.Logger
	observed
	tailLimit int64
	tailBytes atomic.Int64
	seed      maphash.Seed
	shards    [shards]shard
	dirty     dirty
	graces    graces
	kicks     kicks
	events    events
	heads     heads
	parts     parts
	outage    outage
	cluster
	work   work
	ctx    context.Context // ends with Close: background work belongs to the hub, not to a caller
	cancel context.CancelCauseFunc
}

// observed is who is told of what the hub does; each may be nil.
type observed struct {
	metrics  *metrics.Set
	tracer   Tracer
	observer Observer
}

// shard is a part of the rooms.
type shard struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// New opens the engine and returns a hub that it feeds.
func New(ctx context.Context, o Options) (*Hub, error) {
	_, inline := o.Engine.(engine.Inline)
	h := &Hub{
		engine: o.Engine, inline: inline, logger: o.Logger, observed: observed{o.Metrics, o.Tracer, o.Observer},
		tailLimit: o.TailBytes, seed: maphash.MakeSeed(),
	}
	h.rules.Store(o.Rules)
	if h.tailLimit == 0 {
		h.tailLimit = DefaultTailBytes
	}
	for i := range h.shards {
		h.shards[i].rooms = make(map[string]*room)
	}
	h.parts.init()
	h.presence, _ = o.Engine.(engine.Presence)
	h.herald.init(h)
	h.kicks.until = make(map[kickKey]time.Time)
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	h.events.start(o.Occupied)
	if err := o.Engine.Open(ctx, h); err != nil {
		return nil, errors.Join(err, h.events.stop(ctx))
	}
	if err := h.loadKicks(ctx); err != nil {
		return nil, errors.Join(err, h.events.stop(ctx), o.Engine.Close(ctx))
	}
	if err := h.startReserved(ctx); err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	h.background(h.tickLoop)
	if h.presence != nil {
		h.background(h.herald.run)
	}
	return h, nil
}

// Close ends the hub's work and its engine. It waits for what is being told of rooms until ctx ends.
func (h *Hub) Close(ctx context.Context) error {
	h.cancel(ErrClosed)
	h.work.stop()
	return errors.Join(h.events.stop(ctx), h.engine.Close(ctx))
}

// Inline reports whether no call of the hub waits for anything.
func (h *Hub) Inline() bool { return h.inline }

// Rule returns the rule of a room.
func (h *Hub) Rule(room string) *rule.Rule {
	if r := h.lookup(room); r != nil {
		return r.rule()
	}
	return h.rules.Load().For(room)
}

// Validates reports whether any rule looks into what is published.
func (h *Hub) Validates() bool { return h.rules.Load().Validates() }

// Publish hands p to the engine, with the retention of its room. done as engine.Engine says. What comes back through
// the feed is delivered by the next Flush.
func (h *Hub) Publish(ctx context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	p.Retention = h.Rule(p.Message.Room).History
	if h.tracer != nil {
		done = h.traced(ctx, p.Message, done)
	}
	h.engine.Publish(ctx, p, done)
}

// History reads a room's log. Where the rule is latest, the messages after a position are the newest per event.
func (h *Hub) History(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	if q.Since.IsZero() || h.Rule(room).Delivery != rule.Latest {
		return h.engine.Read(ctx, room, q)
	}
	page, err := h.engine.Read(ctx, room, engine.Query{Since: q.Since, Latest: true})
	if err == nil {
		newest(&page, q)
	}
	return page, err
}

// newest bounds a page of the newest per event as q says. That Since has left the log is no matter: they are kept apart
// from it.
func newest(page *engine.Page, q engine.Query) {
	switch page.Refused {
	case "":
	case protocol.ReasonExpired:
		page.Refused, page.Messages = "", newerThan(page.Messages, q.Since)
	default:
		page.Messages = nil
	}
	page.Count = len(page.Messages)
	size := 0
	for i, m := range page.Messages {
		if size += m.Size(); i >= q.Limit || q.MaxBytes > 0 && size > q.MaxBytes && i > 0 {
			page.Messages, page.More = page.Messages[:i], true
			return
		}
	}
}

// Deliver implements engine.Feed: it appends m to the tail of its room.
func (h *Hub) Deliver(m *protocol.Message) {
	r := h.lookup(m.Room)
	if r == nil {
		h.probe.hear(m)
		h.hearRelayed(m)
		return
	}
	r.mu.Lock()
	r.accept(m)
	r.mu.Unlock()
}

// Flush implements engine.Feed: it delivers whatever was appended since the last Flush. Whoever publishes calls it
// afterwards; the event loop calls it at the end of its turn, so that what came in one turn goes out in one write.
func (h *Hub) Flush() {
	for r := h.dirty.take(); r != nil; r = h.dirty.take() {
		r.flush()
	}
}

// lookup returns a room of this node, or nil.
func (h *Hub) lookup(name string) *room {
	s := h.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[name]
}

func (h *Hub) shard(name string) *shard {
	return &h.shards[maphash.String(h.seed, name)%shards]
}

// all returns the rooms of this node, in no order.
func (h *Hub) all() []*room {
	var rooms []*room
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for _, r := range s.rooms {
			rooms = append(rooms, r)
		}
		s.mu.Unlock()
	}
	return rooms
}

// background runs f in a goroutine that Close waits for; once Close was called it does not.
func (h *Hub) background(f func()) { h.work.start(f) }

// work is the hub's goroutines.
type work struct {
	mu    sync.Mutex
	group sync.WaitGroup
	over  bool // nothing more is started
}

func (w *work) start(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.group.Go(f)
	}
}

// stop returns when everything has ended.
func (w *work) stop() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.group.Wait()
}

// dirty is the rooms that wait for a flush.
type dirty struct {
	mu    sync.Mutex
	rooms []*room
	count atomic.Int32
}

func (d *dirty) add(r *room) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rooms = append(d.rooms, r)
	d.count.Store(int32(len(d.rooms)))
}

func (d *dirty) take() *room {
	if d.count.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rooms) == 0 {
		return nil
	}
	r := d.rooms[len(d.rooms)-1]
	d.rooms[len(d.rooms)-1] = nil
	d.rooms = d.rooms[:len(d.rooms)-1]
	d.count.Store(int32(len(d.rooms)))
	return r
}
