package main

import (
	"context"
	"errors"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// lostFeed is F9: a part of what the engine feeds is lost on its way to a node. What follows shows it, and where nothing
// follows, the comparison of heads does.
func lostFeed(ctx context.Context, t *rig.Trial) error {
	store := redistest.Start(stage{t}, lasting...)
	f, err := launch(ctx, t, store.Address, 2, rig.ServerOptions{Program: rig.Node, Args: []string{"--lose", "0.2"}})
	if err != nil {
		return err
	}
	rooms := []string{"a", "b", "c", "d", "e", "f", "g", "h"} // each ends with a message that may be lost
	crowd, err := f.crowd(ctx, t, 8, rooms...)
	if err != nil {
		return err
	}
	defer crowd.Stop()
	if err := f.publish(ctx, t, "", rig.Pick(t, 250, 5_000), 2*time.Millisecond, rooms...).wait(); err != nil {
		return err
	}
	var lost int64
	for _, s := range f.servers {
		n, err := s.Counter(ctx, "lost")
		if err != nil {
			return err
		}
		lost += n
	}
	t.Figure("lost_of_the_feed", lost)
	t.Say("%d messages were lost of the feeds", lost)
	if lost == 0 {
		return errors.New("nothing was lost: this proves nothing")
	}
	return f.finish(ctx, t, crowd)
}
