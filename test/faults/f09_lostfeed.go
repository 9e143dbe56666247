package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// lastWithin is when the end of a burst must be there, with a second for the way there and back on a busy machine.
const lastWithin = 7 * time.Second

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
	c, err := client.Dial(ctx, f.servers[0].URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	slowest, bursts := time.Duration(0), rig.Pick(t, 10, 100)
	for i := range bursts {
		took, err := f.burst(ctx, t, fmt.Sprint("burst-", i, "-"), c, crowd)
		if err != nil {
			return err
		}
		slowest = max(slowest, took)
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
	t.Figure("slowest_burst_seconds", slowest.Seconds())
	t.Say("%d messages were lost of the feeds; the slowest burst was complete after %v", lost, slowest)
	switch {
	case lost == 0:
		return errors.New("nothing was lost: this proves nothing")
	case slowest > lastWithin:
		return fmt.Errorf("the end of a burst was repaired after %v", slowest)
	}
	return f.finish(ctx, t, crowd)
}

// burst publishes some messages, and returns how long it took until every member had the last one.
func (f *fleet) burst(ctx context.Context, t *rig.Trial, name string, c *client.Client, crowd *rig.Crowd) (time.Duration, error) {
	if err := f.publish(ctx, t, name, 10, 0, "a").wait(); err != nil {
		return 0, err
	}
	began := time.Now()
	page, err := c.History(ctx, "a", client.HistoryOptions{Limit: 1})
	if err != nil {
		return 0, err
	}
	head := page.Position
	err = rig.Wait(ctx, "every member has the last message of a burst", 30*time.Second, func() bool {
		return !slices.ContainsFunc(crowd.Members, func(m rig.Member) bool { return m.At("a") != head })
	})
	return time.Since(began), err
}
