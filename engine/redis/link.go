package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	maxOrders = 256                    // subscriptions asked for at once
	retryLink = 200 * time.Millisecond // before a server is tried again
	sayAgain  = 10 * time.Second       // that the same is wrong with it as before
	lookAgain = time.Second            // whether the server is still the one in charge
)

// errReplaced ends the connection to a server in whose place Sentinels have put another one. Who gave it up may have been
// cut off from it while this node is not: it goes on to answer, and nobody publishes there any more.
var errReplaced = errors.New("another server is in charge now")

// link is the connection over which one server feeds this node. It is made anew whenever it breaks, with all of its
// subscriptions, and the feed is told then.
//
// A link ends with the engine, and in a cluster when its server has no part of it any more.
type link struct {
	engine  *Engine
	address string // of the server in a cluster; otherwise empty
	wake    chan struct{}
	ctx     context.Context // of all that the link does
	cancel  context.CancelFunc

	mu     sync.Mutex
	orders []order
	ended  bool
}

// order asks for a room to be subscribed, or not any more: whether it is wanted is the feeder's to say.
type order struct {
	room  string
	done  chan<- error // nil, or room for one
	moved bool         // from another server: what was published meanwhile may be lost
}

// ask queues an order, unless the link has ended.
func (l *link) ask(o order) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.orders = append(l.orders, o)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// end ends the link, whose server is none of the cluster's any more. What it was asked for others are asked for.
func (l *link) end() {
	l.mu.Lock()
	l.ended = true
	orders := l.orders
	l.orders = nil
	l.mu.Unlock()
	l.cancel()
	for _, o := range orders {
		l.engine.links.ask(o)
	}
}

// take returns the orders to be carried out next.
func (l *link) take() []order {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.orders), maxOrders)
	batch := make([]order, n)
	copy(batch, l.orders)
	clear(l.orders[:n])
	if l.orders = l.orders[n:]; len(l.orders) == 0 {
		l.orders = nil
	}
	return batch
}

// run keeps the link until it ends.
func (l *link) run() {
	ctx := l.ctx
	defer l.cancel()
	var told time.Time
	said := ""
	for again := false; ctx.Err() == nil; again = true {
		err := l.serve(ctx, again)
		if ctx.Err() != nil {
			return
		}
		if now := time.Now(); err.Error() != said || now.Sub(told) >= sayAgain {
			l.engine.options.Logger.Warn("the feed of a server broke", "server", l.address, "error", err)
			told, said = now, err.Error()
		}
		wait(ctx, retryLink)
	}
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// serve makes a connection, subscribes what is wanted, and carries out orders until it breaks. again tells that there
// was one before.
func (l *link) serve(ctx context.Context, again bool) error {
	e := l.engine
	node, err := e.links.node(l.address)
	if err != nil {
		return err
	}
	server := e.links.inCharge()
	client, release := node.Dedicate()
	defer release()
	f := &feedConn{link: l, server: server, client: client, rooms: make(map[string]bool)}
	broken := client.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: e.feeder.push,
		OnSubscription: func(s rueidis.PubSubSubscription) {
			switch s.Kind {
			case "subscribe", "ssubscribe":
				e.feeder.confirm(s.Channel)
			case "sunsubscribe": // perhaps unasked for: the room has another server now
				f.dropped(s.Channel)
				e.links.moved(s.Channel)
			}
		},
	})
	defer client.Close()
	if err := f.subscribeAll(ctx); err != nil {
		return err
	}
	if again {
		e.feeder.interrupted()
	}
	return f.follow(ctx, broken)
}

// feedConn is one connection of a link.
type feedConn struct {
	link   *link
	server string // that was in charge when it was made, where there is no cluster
	client rueidis.DedicatedClient
	rooms  map[string]bool // what it is subscribed to

	mu   sync.Mutex
	lost []string // rooms that were unsubscribed, by the server perhaps, and are in rooms yet
}

// follow carries out orders until the connection breaks, or has the wrong server at its other end.
func (f *feedConn) follow(ctx context.Context, broken <-chan error) error {
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-broken:
			return err
		case <-look.C:
			if f.link.engine.links.inCharge() != f.server {
				return errReplaced
			}
		case <-f.link.wake:
		}
		for batch := f.link.take(); len(batch) > 0; batch = f.link.take() {
			if err := f.carryOut(ctx, batch); err != nil {
				return err
			}
		}
	}
}

// dropped notes that a channel is not subscribed any more. It is a client's callback.
func (f *feedConn) dropped(channel string) {
	room, _ := f.link.engine.names.roomOf(channel)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = append(f.lost, room)
}

// forget takes note of what is not subscribed any more.
func (f *feedConn) forget() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lost
	f.lost = nil
	for _, room := range lost {
		delete(f.rooms, room)
	}
	return lost
}

// subscribeAll subscribes what is wanted of this server, as after a break.
func (f *feedConn) subscribeAll(ctx context.Context) error {
	e := f.link.engine
	var orders []order
	for _, room := range e.feeder.wanted() {
		if e.links.of(room) == f.link {
			orders = append(orders, order{room: room})
		}
	}
	for len(orders) > 0 {
		n := min(len(orders), maxOrders)
		if err := f.carryOut(ctx, orders[:n]); err != nil {
			return err
		}
		orders = orders[n:]
	}
	return nil
}

// carryOut carries out orders, the last one of a room deciding. With an error the connection is of no use any more, or the
// server refuses what nobody waits for; the orders are then asked for again.
func (f *feedConn) carryOut(ctx context.Context, orders []order) error {
	e := f.link.engine
	var more, less []string
	confirm := make(map[string]bool, len(orders)) // whether somebody waits, by room
	for _, room := range f.forget() {
		confirm[room] = false
	}
	for _, o := range orders {
		confirm[o.room] = confirm[o.room] || o.done != nil
	}
	for room, waits := range confirm {
		switch wanted := e.feeder.wants(room) && e.links.of(room) == f.link; {
		case wanted && (waits || !f.rooms[room]):
			more = append(more, room)
		case !wanted && f.rooms[room]:
			less = append(less, room)
		}
	}
	failed, err := f.change(ctx, more, less)
	broken, moved := err, false
	for _, o := range orders {
		refused := failed[o.room]
		moved = moved || o.moved && err == nil && refused == nil
		switch {
		case err != nil:
			if o.done != nil || o.moved {
				e.links.ask(o) // for the next connection
			}
		case o.done != nil:
			o.done <- refused
		case refused != nil && !isMoved(refused):
			broken = refused
		}
	}
	if moved {
		e.feeder.interrupted()
	}
	return broken
}

// isMoved reports whether a room has another server now, which will be asked for.
func isMoved(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	_, moved := reply.IsMoved()
	return moved
}

// change subscribes and unsubscribes rooms. It returns which could not be, and an error if the connection is of no use
// any more.
func (f *feedConn) change(ctx context.Context, more, less []string) (map[string]error, error) {
	e := f.link.engine
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	failed := make(map[string]error)
	if len(less) > 0 {
		for i, r := range f.client.DoMulti(ctx, e.links.commands(f.client, less, false)...) {
			if err := r.NonRedisError(); err != nil {
				return nil, err
			}
			delete(f.rooms, less[i])
		}
	}
	if len(more) == 0 {
		return failed, nil
	}
	for i, r := range f.client.DoMulti(ctx, e.links.commands(f.client, more, true)...) {
		if err := r.NonRedisError(); err != nil {
			return nil, err
		}
		if err := r.Error(); err != nil {
			failed[more[i]] = err
			if isMoved(err) {
				e.links.moved(e.names.channel(more[i]))
			}
			continue
		}
		f.rooms[more[i]] = true
	}
	return failed, nil
}
