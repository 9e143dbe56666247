package main

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// failOver is F7: the primary is lost while its replica has not got all that was acknowledged, and Sentinel promotes that.
// It hands out the same offsets again, for other messages: everybody who has got what is lost now must be told.
func failOver(ctx context.Context, t *rig.Trial) error {
	s := stage{t}
	primary := redistest.Start(s)
	primary.Must("ACL", "SETUSER", "replica", "on", ">replica", "~*", "&*", "+@all")
	replica := redistest.Start(s, "--masteruser", "replica", "--masterauth", "replica")
	replica.Must("REPLICAOF", host(primary.Address), port(primary.Address))
	sentinel := redistest.Sentinel(s, primary)
	redistest.Await(s, sentinel, "num-slaves\r\n$1\r\n1", "SENTINEL", "MASTER", "wireroom")
	f := new(fleet)
	for range 3 {
		server, err := t.Serve(ctx, withEngine(rig.ServerOptions{}, "redis://"+sentinel.Address+"?master_set=wireroom"))
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
	if err := f.publish(ctx, t, "both-", 100, 0, "a").wait(); err != nil {
		return err
	}
	redistest.Await(s, replica, "master_link_status:up", "INFO", "replication")
	if err := rig.Wait(ctx, "the replica has everything", time.Minute, func() bool {
		return primary.Must("GET", "wireroom:{a}:meta") == replica.Must("GET", "wireroom:{a}:meta")
	}); err != nil {
		return err
	}
	primary.Must("ACL", "SETUSER", "replica", "off") // from now on the replica gets nothing any more
	primary.Must("CLIENT", "KILL", "TYPE", "replica")
	if err := f.publish(ctx, t, "lost-", 50, 0, "a").wait(); err != nil {
		return err
	}
	if err := crowd.Settle(ctx, t, f.servers[0].URL()); err != nil {
		return err
	}
	primary.Kill()
	began := time.Now()
	if err := f.publish(ctx, t, "fewer-", 10, 0, "a").wait(); err != nil { // than were lost
		return err
	}
	t.Figure("seconds_until_published_again", time.Since(began).Seconds())
	if err := f.ready(ctx); err != nil {
		return err
	}
	t.Figure("seconds_until_ready_again", time.Since(began).Seconds())
	if err := toldAll(ctx, t, crowd); err != nil {
		return err
	}
	if err := f.publish(ctx, t, "after-", 100, 0, "a").wait(); err != nil {
		return err
	}
	return f.finish(ctx, t, crowd)
}
