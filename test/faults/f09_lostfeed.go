package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
	"github.com/wireroom/wireroom/test/redistest"
)

// Bounds of F9: since the next message, which shows that one is missing, for half of them, and besides what the engine itself
// took for half of what was read, since the machine may be busy, which has a bound of its own; and since the loss where nothing follows, with a second for
// the machine.
const (
	repairedAfterNext = 100 * time.Millisecond
	engineTakes       = time.Second
	repairedAtEnd     = 6*time.Second + time.Second
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
	messages, atEnd := rig.Pick(t, 250, 5_000), false
	for burst := 0; !atEnd && burst < 10; burst++ {
		if err := f.publish(ctx, t, fmt.Sprint(burst, "-"), messages, 2*time.Millisecond, rooms...).wait(ctx); err != nil {
			return err
		}
		if atEnd, err = f.fetched(ctx); err != nil {
			return err
		}
		messages = 10 // if the ends were lucky
	}
	if err := f.repaired(ctx, t); err != nil {
		return err
	}
	return f.finish(ctx, t, crowd)
}

// fetched waits until the nodes have fetched what was lost, before anybody else reads a log. It returns whether the end of a
// burst was among it.
func (f *fleet) fetched(ctx context.Context) (atEnd bool, err error) {
	for _, s := range f.servers {
		if err := rig.Wait(ctx, "what was lost last is fetched", 30*time.Second, func() bool {
			open, err := s.Counter(ctx, "holes")
			return err == nil && open == 0
		}); err != nil {
			return false, err
		}
		longest, err := s.Counter(ctx, "repair-end")
		if err != nil {
			return false, err
		}
		atEnd = atEnd || longest > 0
	}
	return atEnd, nil
}

// repaired judges how long it took until what was lost was fetched.
func (f *fleet) repaired(ctx context.Context, t *rig.Trial) error {
	sum, most := make(map[string]int64), make(map[string]time.Duration)
	for _, s := range f.servers {
		for _, name := range []string{"lost", "repair", "repair-engine", "repair-p95", "repair-max", "repair-end"} {
			n, err := s.Counter(ctx, name)
			if err != nil {
				return err
			}
			sum[name], most[name] = sum[name]+n, max(most[name], time.Duration(n)*time.Microsecond)
		}
	}
	t.Figure("lost_of_the_feed", sum["lost"])
	t.Figure("repair_after_the_next_median_ms", most["repair"].Milliseconds())
	t.Figure("repair_engine_median_ms", most["repair-engine"].Milliseconds())
	t.Figure("repair_after_the_next_p95_ms", most["repair-p95"].Milliseconds())
	t.Figure("repair_after_the_next_slowest_ms", most["repair-max"].Milliseconds())
	t.Figure("repair_at_the_end_slowest_seconds", most["repair-end"].Seconds())
	t.Say("%d messages were lost of the feeds; fetched %v after the next one (median; the engine took %v), %v (19 in 20), %v (all), and %v after the loss where there was none",
		sum["lost"], most["repair"], most["repair-engine"], most["repair-p95"], most["repair-max"], most["repair-end"])
	switch {
	case sum["lost"] == 0 || most["repair-end"] == 0:
		return errors.New("nothing was lost, or nothing at the end: this proves nothing")
	case most["repair-engine"] > engineTakes:
		return fmt.Errorf("the engine took %v to read what was lost, want %v", most["repair-engine"], engineTakes)
	case most["repair"] > repairedAfterNext+most["repair-engine"]:
		return fmt.Errorf("fetched %v after the next one, want %v and what the engine took, %v",
			most["repair"], repairedAfterNext, most["repair-engine"])
	case most["repair-end"] > repairedAtEnd:
		return fmt.Errorf("fetched %v after it was lost, want %v", most["repair-end"], repairedAtEnd)
	}
	return nil
}
