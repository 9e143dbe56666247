package main

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// How long Sentinel waits until it takes the primary for down: for good, at first, so that it is seen what nodes say of
// themselves while nobody is in charge. (With less than a tenth of how long the replica has heard nothing from the primary
// it would not promote that.)
const (
	neverDown = "3600000" // ms
	soonDown  = "10000"
)

// failOver is F7: the primary is lost while its replica has not got all that was acknowledged, and Sentinel promotes that.
// It hands out the same offsets again, for other messages: everybody who has got what is lost now must be told. The primary
// is killed; or its network is, so that nobody is told that connections to it have ended, and it comes back as it was.
func failOver(ctx context.Context, t *rig.Trial) error {
	killed, err := startPair(t, nil)
	if err != nil {
		return err
	}
	killed.lose = func(context.Context) error {
		killed.primary.Kill()
		return nil
	}
	if err := killed.run(ctx, t); err != nil {
		return fmt.Errorf("the primary is killed: %w", err)
	}
	part, err := t.Part("vanished")
	if err != nil {
		return err
	}
	i, err := newIsland(ctx, part)
	if err != nil {
		return err
	}
	vanished, err := startPair(part, i)
	if err != nil {
		return err
	}
	vanished.lose, vanished.find = i.vanish, i.reappear
	if err := vanished.run(ctx, part); err != nil {
		return fmt.Errorf("the primary's network is lost: %w", err)
	}
	return nil
}

// pair is a primary and its replica, with Sentinel.
type pair struct {
	primary, replica, sentinel *redistest.Server
	lose                       func(context.Context) error // the primary
	find                       func(context.Context) error // nil: it is lost for good
}

// startPair starts a pair, whose primary is on an island where there is one.
func startPair(t *rig.Trial, i *island) (*pair, error) {
	s, p := stage{t}, new(pair)
	if i == nil {
		p.primary = redistest.Start(s)
	} else {
		p.primary = redistest.StartIn(s, i.name, i.there)
	}
	p.primary.Must("ACL", "SETUSER", "replica", "on", ">replica", "~*", "&*", "+@all")
	p.replica = redistest.Start(s, "--masteruser", "replica", "--masterauth", "replica")
	p.replica.Must("REPLICAOF", host(p.primary.Address), port(p.primary.Address))
	p.sentinel = redistest.Sentinel(s, p.primary)
	p.takesForDownAfter(neverDown)
	redistest.Await(s, p.sentinel, "num-slaves\r\n$1\r\n1", "SENTINEL", "MASTER", "wireroom")
	return p, nil
}

func (p *pair) takesForDownAfter(ms string) {
	p.sentinel.Must("SENTINEL", "SET", "wireroom", "down-after-milliseconds", ms)
}

// run has members see messages that are lost with the primary.
func (p *pair) run(ctx context.Context, t *rig.Trial) error {
	f := new(fleet)
	for range 3 {
		server, err := t.Serve(ctx, withEngine(rig.ServerOptions{}, "redis://"+p.sentinel.Address+"?master_set=wireroom"))
		if err != nil {
			return err
		}
		f.servers = append(f.servers, server)
	}
	crowd, err := f.crowd(ctx, t, rig.Pick(t, 12, 60), "a")
	if err != nil {
		return err
	}
	defer crowd.Stop()
	if err := f.publish(ctx, t, "both-", 100, 0, "a").wait(ctx); err != nil {
		return err
	}
	redistest.Await(stage{t}, p.replica, "master_link_status:up", "INFO", "replication")
	if err := rig.Wait(ctx, "the replica has everything", time.Minute, func() bool {
		return p.primary.Must("GET", "wireroom:{a}:meta") == p.replica.Must("GET", "wireroom:{a}:meta")
	}); err != nil {
		return err
	}
	p.primary.Must("ACL", "SETUSER", "replica", "off") // from now on the replica gets nothing any more
	p.primary.Must("CLIENT", "KILL", "TYPE", "replica")
	if err := f.publish(ctx, t, "lost-", 50, 0, "a").wait(ctx); err != nil {
		return err
	}
	if err := crowd.Settle(ctx, t, f.servers[0].URL()); err != nil {
		return err
	}
	if err := p.failsOver(ctx, t, f); err != nil {
		return err
	}
	if err := toldAll(ctx, t, crowd); err != nil {
		return err
	}
	if err := f.publish(ctx, t, "after-", 100, 0, "a").wait(ctx); err != nil {
		return err
	}
	if err := p.comesBack(ctx, t, f); err != nil {
		return err
	}
	return f.finish(ctx, t, crowd)
}

// failsOver loses the primary, which every node must be seen to notice before Sentinel does, and has the replica promoted:
// then every node must be ready again.
func (p *pair) failsOver(ctx context.Context, t *rig.Trial, f *fleet) error {
	if err := f.ready(ctx); err != nil {
		return err
	}
	if err := p.lose(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := f.unready(ctx, "from the engine"); err != nil {
		return err
	}
	t.Figure("seconds_until_red", time.Since(began).Seconds())
	t.Say("without a primary every node was red after %v", time.Since(began))
	p.takesForDownAfter(soonDown)
	began = time.Now()
	if err := f.publish(ctx, t, "fewer-", 10, 0, "a").wait(ctx); err != nil { // than were lost
		return err
	}
	t.Figure("seconds_until_published_again", time.Since(began).Seconds())
	if err := f.ready(ctx); err != nil {
		return err
	}
	t.Figure("seconds_until_green", time.Since(began).Seconds())
	t.Say("every node was green %v after Sentinel took the primary for down", time.Since(began))
	return nil
}

// comesBack has the primary come back, which Sentinel makes a replica, and something published afterwards.
func (p *pair) comesBack(ctx context.Context, t *rig.Trial, f *fleet) error {
	if p.find == nil {
		return nil
	}
	if err := p.find(ctx); err != nil {
		return err
	}
	redistest.Await(stage{t}, p.primary, "role:slave", "INFO", "replication")
	t.Say("the primary came back, and is none any more")
	if err := f.publish(ctx, t, "again-", 50, 0, "a").wait(ctx); err != nil {
		return err
	}
	return f.ready(ctx)
}
