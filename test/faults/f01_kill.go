package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// ordeal is publishers that send again what was not acknowledged, members that lose their connections at random, and a
// server that is killed under them.
type ordeal struct {
	messages   int // in all
	kills      int
	members    int
	rooms      int
	publishers int // a room
	pad        int
	server     rig.ServerOptions
}

// killed is F1: kill -9 of the node.
func killed(ctx context.Context, t *rig.Trial) error {
	o := ordeal{
		messages: rig.Pick(t, 200_000, 1_000_000), kills: rig.Pick(t, 15, 60),
		members: rig.Pick(t, 4, 16), rooms: 4, publishers: 2, pad: 40,
		server: rig.ServerOptions{Data: filepath.Join(t.Dir, "data")},
	}
	return o.run(ctx, t)
}

// powerCut is F2: the power goes, and with it what was not synced.
func powerCut(ctx context.Context, t *rig.Trial) error {
	o := ordeal{
		messages: rig.Pick(t, 20_000, 200_000), kills: rig.Pick(t, 10, 20),
		members: rig.Pick(t, 4, 16), rooms: 4, publishers: 2, pad: 400,
		server: rig.ServerOptions{
			Program: rig.Node, Data: filepath.Join(t.Dir, "data"),
			Args: []string{"--cut-seed", fmt.Sprint(t.Seed), "--sync-time", "2ms"},
		},
	}
	return o.run(ctx, t)
}

// run runs the ordeal to its end, and judges.
func (o *ordeal) run(ctx context.Context, t *rig.Trial) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	server, err := t.Serve(ctx, o.server)
	if err != nil {
		return err
	}
	crowd, err := o.crowd(ctx, t, server)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	var acked atomic.Int64
	published := make(chan error, 1)
	go func() {
		err := o.publish(ctx, t, server, &acked)
		if err != nil {
			cancel(err) // nothing more will be acknowledged: nobody waits for it
		}
		published <- err
	}()
	cuts := make(chan error, 1)
	go func() {
		err := o.kill(ctx, t, server, &acked, t.Random(1))
		if err != nil {
			cancel(err)
		}
		cuts <- err
	}()
	stop := make(chan struct{})
	var dropping sync.WaitGroup
	dropping.Go(func() { drop(ctx, crowd, t.Random(2), stop) })
	err = errors.Join(<-published, <-cuts)
	close(stop)
	dropping.Wait()
	if err != nil {
		return err
	}
	t.Figure("publishes", o.messages)
	t.Figure("kills", o.kills)
	t.Figure("members", o.members)
	return errors.Join(crowd.Finish(ctx, t, server.URL()), server.Panicked())
}

// rooms returns the names of the rooms.
func (o *ordeal) names() []string {
	names := make([]string, o.rooms)
	for i := range names {
		names[i] = fmt.Sprint("room-", i)
	}
	return names
}

// crowd has the members join: one half through the product's client, one half bare.
func (o *ordeal) crowd(ctx context.Context, t *rig.Trial, server *rig.Server) (*rig.Crowd, error) {
	var members []rig.Member
	for i := range o.members {
		var m rig.Member
		var err error
		if i%2 == 0 {
			m, err = t.NewSDKMember(fmt.Sprint("sdk-", i), server.URL(), o.names()...)
		} else {
			m, err = t.NewRawMember(fmt.Sprint("raw-", i), server.Addr, rig.RawOptions{}, o.names()...)
		}
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return rig.RunCrowd(ctx, members...)
}

// publish has all publishers publish, and returns when all is acknowledged.
func (o *ordeal) publish(ctx context.Context, t *rig.Trial, server *rig.Server, acked *atomic.Int64) error {
	n := o.rooms * o.publishers
	errs := make(chan error, n)
	for i := range n {
		p := &rig.Publisher{
			Name: fmt.Sprint(i), Room: o.names()[i%o.rooms], Pad: o.pad, Random: t.Random(100 + uint64(i)),
			OnAck: func() { acked.Add(1) },
		}
		go func() { errs <- p.Run(ctx, t, server.URL(), o.messages/n, nil) }()
	}
	for range n {
		if err := <-errs; err != nil {
			return err // the others end with ctx
		}
	}
	return nil
}

// kill kills the server after parts of the messages that differ at random, and starts it again.
func (o *ordeal) kill(ctx context.Context, t *rig.Trial, server *rig.Server, acked *atomic.Int64, random *rand.Rand) error {
	part := int64(o.messages / (o.kills + 1))
	for i := range int64(o.kills) {
		at := part*i + part/2 + random.Int64N(part)
		if err := rig.Wait(ctx, "messages are acknowledged", 3*time.Minute, func() bool { return acked.Load() >= at }); err != nil {
			return fmt.Errorf("after %d kills and %d messages: %w", i, acked.Load(), err)
		}
		if server.Exited() {
			return fmt.Errorf("the server ended by itself: %s", tail(server.Log()))
		}
		if err := server.Kill(); err != nil {
			return err
		}
		if err := server.Start(ctx); err != nil {
			return fmt.Errorf("after %d kills: %w\n%s", i+1, err, tail(server.Log()))
		}
		if i%10 == 9 {
			t.Say("%d kills, %d messages", i+1, acked.Load())
		}
	}
	return nil
}

// tail returns the end of a log.
func tail(log string) string { return log[max(0, len(log)-2000):] }

// drop drops a member's connection now and then.
func drop(ctx context.Context, crowd *rig.Crowd, random *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(50+random.IntN(300)) * time.Millisecond):
			crowd.Members[random.IntN(len(crowd.Members))].Drop()
		}
	}
}
