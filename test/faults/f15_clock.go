package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// clockJumps is F15: the wall clock of a server is set an hour ahead and back, and an hour back and ahead, while clients
// publish; then the server is killed while its clock is an hour ahead, and comes back with one that is right.
func clockJumps(ctx context.Context, t *rig.Trial) error {
	if err := jumpUnderLoad(ctx, t); err != nil {
		return err
	}
	part, err := t.Part("admission")
	if err != nil {
		return err
	}
	if err := admission(ctx, part); err != nil {
		return fmt.Errorf("who is let in: %w", err)
	}
	return nil
}

// briefRoom is a room that keeps its messages for half an hour, in the rules of the program Node.
const briefRoom = "brief/a"

// jumps is a server whose clock jumps under those who use it.
type jumps struct {
	trial      *rig.Trial
	server     *rig.Server
	crowd      *rig.Crowd
	publishers []*rig.Publisher
	acked      atomic.Int64
	keeper     *keeper
}

// jumpUnderLoad has the clock of a server jump while members and publishers, whose connections are dropped each time,
// write down what they see.
func jumpUnderLoad(ctx context.Context, t *rig.Trial) error {
	o := ordeal{members: 4, rooms: 2}
	j := &jumps{trial: t}
	var err error
	if j.server, err = t.Serve(ctx, rig.ServerOptions{Program: rig.Node, Movable: true, Data: filepath.Join(t.Dir, "data")}); err != nil {
		return err
	}
	if j.crowd, err = o.crowd(ctx, t, j.server); err != nil {
		return err
	}
	defer j.crowd.Stop()
	stop := make(chan struct{})
	published := make(chan error, o.rooms)
	for i, room := range o.names() {
		p := &rig.Publisher{Name: fmt.Sprint(i), Room: room, Pause: time.Millisecond, Random: t.Random(uint64(i)), OnAck: func() { j.acked.Add(1) }}
		j.publishers = append(j.publishers, p)
		go func() { published <- p.Run(ctx, t, j.server.URL(), 1<<30, stop) }()
	}
	err = j.all(ctx)
	close(stop)
	for range j.publishers {
		err = errors.Join(err, <-published)
	}
	if err != nil {
		return err
	}
	t.Figure("publishes", int(j.acked.Load()))
	return errors.Join(j.crowd.Finish(ctx, t, j.server.URL()), j.server.Panicked())
}

// all has the clock jump, again and again.
func (j *jumps) all(ctx context.Context) (err error) {
	if j.keeper, err = keep(ctx, j.server, ""); err != nil {
		return err
	}
	defer func() { j.keeper.raw.Drop() }()
	people := &house{fleet: &fleet{servers: []*rig.Server{j.server}}}
	defer people.close()
	watching, left, err := people.watched(ctx)
	if err != nil {
		return err
	}
	defer watching()
	clocks := []time.Duration{time.Hour, 0, -time.Hour, 0, time.Hour}
	for range rig.Pick(j.trial, 1, 10) {
		for i, ahead := range clocks {
			if err := j.jump(ctx, ahead); err != nil {
				return fmt.Errorf("jump %d, to %v: %w", i+1, ahead, err)
			}
		}
	}
	select {
	case who := <-left:
		return fmt.Errorf("the presence of %s ended with a jump of the clock", who)
	default:
	}
	late, stored := "late", time.Now()
	if err := j.keeper.store(late); err != nil {
		return err
	}
	j.keeper.raw.Drop()
	if err := errors.Join(j.server.Kill(), j.server.Start(ctx)); err != nil {
		return err
	}
	again, err := keep(ctx, j.server, j.keeper.token)
	if err != nil {
		return err
	}
	again.first, j.keeper = j.keeper.first, again
	j.trial.Figure("jumps", rig.Pick(j.trial, 1, 10)*len(clocks)+1)
	if err := j.holds(ctx); err != nil {
		return fmt.Errorf("after a restart with a clock an hour behind: %w", err)
	}
	if j.trial.Long {
		return j.keeper.forgets(ctx, late, stored)
	}
	return nil
}

// jump sets the clock and breaks connections: what was published before is sent again after it.
func (j *jumps) jump(ctx context.Context, ahead time.Duration) error {
	for _, p := range j.publishers {
		p.Link.Drop()
	}
	if err := j.server.SetClock(ctx, ahead); err != nil {
		return err
	}
	for _, m := range j.crowd.Members[:2] {
		m.Drop()
	}
	return j.holds(ctx)
}

// holds looks whether all goes on: what is published is stored, what was published is known, what was stored is there.
func (j *jumps) holds(ctx context.Context) error {
	more := j.acked.Load() + 300
	err := rig.Wait(ctx, "messages are acknowledged", time.Minute, func() bool { return j.acked.Load() > more })
	if err != nil {
		return err
	}
	if err := j.keeper.store(fmt.Sprint("key-", len(j.keeper.first))); err != nil {
		return err
	}
	if err := j.keeper.knows(); err != nil {
		return err
	}
	return j.keeper.has(ctx, j.server)
}

// keeper publishes with keys to a room, and remembers what it was told.
type keeper struct {
	raw   *rig.Raw
	token string
	first map[string]protocol.Position
}

// keep has a keeper connect, as the user with a token or as a new one.
func keep(ctx context.Context, server *rig.Server, token string) (*keeper, error) {
	path := "/ws"
	if token != "" {
		path += "?token=" + token
	}
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{Path: path})
	if err != nil {
		return nil, err
	}
	text, err := raw.Next(nil)
	if err != nil {
		return nil, err
	}
	var w protocol.Welcome
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, err
	}
	return &keeper{raw: raw, token: w.Token, first: make(map[string]protocol.Position)}, nil
}

// publish publishes with a key.
func (k *keeper) publish(key string) (replied, error) {
	r, err := answer(k.raw, fmt.Sprintf(`{"type":"publish","room":%q,"key":%q,"data":%q,"id":1}`, briefRoom, key, key))
	if err == nil && r.Type != protocol.TypeOK {
		err = fmt.Errorf("a publish was answered %+v", r)
	}
	return r, err
}

// store publishes with a key that is new.
func (k *keeper) store(key string) error {
	r, err := k.publish(key)
	if err == nil && r.Duplicate {
		err = fmt.Errorf("key %q is new, and was answered %+v", key, r)
	}
	k.first[key] = r.Pos
	return err
}

// knows publishes with all keys again: nothing is stored.
func (k *keeper) knows() error {
	for key, at := range k.first {
		r, err := k.publish(key)
		if err != nil {
			return err
		}
		if !r.Duplicate || r.Pos != at {
			return fmt.Errorf("key %q was stored at %v, and a moment later is answered %+v", key, at, r)
		}
	}
	return nil
}

// forgets waits until the window of a key is over: it is known within, and new behind it.
func (k *keeper) forgets(ctx context.Context, key string, stored time.Time) error {
	const early = 20 * time.Second
	for _, late := range []bool{false, true} {
		at := stored.Add(engine.KeyWindow - early)
		if late {
			at = stored.Add(engine.KeyWindow + early)
		}
		if err := listen(ctx, k.raw, at); err != nil {
			return err
		}
		r, err := k.publish(key)
		if err != nil {
			return err
		}
		if since := time.Since(stored); r.Duplicate == late && (late || since < engine.KeyWindow) {
			return fmt.Errorf("key %q is answered %+v after %v", key, r, since)
		}
	}
	return nil
}

// has reads the room: all that was stored is kept, and the time that messages show never falls.
func (k *keeper) has(ctx context.Context, server *rig.Server) error {
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	page, err := c.History(ctx, briefRoom, client.HistoryOptions{Limit: 500})
	if err != nil {
		return err
	}
	if len(page.Messages) != len(k.first) {
		return fmt.Errorf("%d messages are kept, of %d that are some minutes old", len(page.Messages), len(k.first))
	}
	var last int64
	for _, m := range page.Messages {
		if m.Time < last {
			return fmt.Errorf("the message at %v is of %d, behind one of %d", m.Position, m.Time, last)
		}
		last = m.Time
	}
	return nil
}

// watched has two users come in, of whom one is told when the other leaves.
func (h *house) watched(ctx context.Context) (stop func(), left <-chan string, err error) {
	watcher, err := h.enter(ctx, 0, "")
	if err != nil {
		return nil, nil, err
	}
	if _, err := h.enter(ctx, 0, ""); err != nil {
		return nil, nil, err
	}
	ctx, stop = context.WithCancel(ctx)
	gone := make(chan string, 1)
	go func() {
		for {
			e, err := watcher.room.Next(ctx)
			if err != nil {
				return
			}
			if u, ok := e.(*protocol.UserEvent); ok && u.Left {
				select {
				case gone <- u.User:
				default: // one is enough
				}
			}
		}
	}()
	return stop, gone, nil
}
