package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// overloadOf is the size of F17, and what must hold.
type overloadOf struct {
	clients int
	wait    time.Duration // how long publishes may wait, as the server is told
	takes   time.Duration // that the server's engine takes for a message
	probe   time.Duration // how long it is looked how much can be stored
	peak    time.Duration // how long as much as may wait does
	over    time.Duration // how long much more is offered
	times   float64       // as much
}

const (
	goodputLeast = 0.8      // of the peak's
	slowerMost   = 2        // times the peak's p99
	memoryMost   = 64 << 20 // bytes that an overload may take
)

// overload is F17: five times what the server can store is offered, by clients that do not wait and heed nothing.
func overload(ctx context.Context, t *rig.Trial) error {
	o := overloadOf{
		clients: rig.Pick(t, 50, 200), wait: rig.Pick(t, 250*time.Millisecond, time.Second),
		takes: rig.Pick(t, 2*time.Millisecond, time.Millisecond), probe: rig.Pick(t, 3*time.Second, 20*time.Second),
		peak: rig.Pick(t, 5*time.Second, time.Minute), over: rig.Pick(t, 12*time.Second, 5*time.Minute), times: 5,
	}
	server, err := t.Serve(ctx, rig.ServerOptions{
		Program: rig.Node, Args: []string{"--publish-wait", o.wait.String(), "--store-time", o.takes.String()},
	})
	if err != nil {
		return err
	}
	flood, err := rig.RunFlood(ctx, server.Addr, o.clients)
	if err != nil {
		return err
	}
	defer flood.Stop()
	err = o.compare(ctx, t, server, flood)
	return errors.Join(err, server.Panicked())
}

// compare offers as much as the server can store, then more, and compares.
func (o *overloadOf) compare(ctx context.Context, t *rig.Trial, server *rig.Server, flood *rig.Flood) error {
	probed, err := flood.Keep(ctx, o.clients, o.probe)
	if err != nil {
		return err
	}
	// At the peak three quarters of what may wait does, and nothing has to be refused.
	waiting := max(o.clients, int(probed.PerSecond()*o.wait.Seconds()*3/4))
	peak, err := flood.Keep(ctx, waiting, o.peak)
	if err != nil {
		return err
	}
	t.Say("at the peak: %v", peak)
	before, err := server.Usage()
	if err != nil {
		return err
	}
	if _, err := flood.Offer(ctx, o.times*peak.PerSecond(), o.over/4); err != nil { // until the server has noticed
		return err
	}
	over, err := flood.Offer(ctx, o.times*peak.PerSecond(), o.over)
	if err != nil {
		return err
	}
	t.Say("offered %v times as much: %v", o.times, over)
	after, err := server.Usage()
	if err != nil {
		return err
	}
	after.Peak -= before.Peak
	t.Figure("clients", o.clients)
	t.Figure("offered_times", o.times)
	t.Figure("goodput_ratio", ratio(over.PerSecond(), peak.PerSecond()))
	t.Figure("p99_ratio", ratio(over.P99.Seconds(), peak.P99.Seconds()))
	t.Figure("refused_share", ratio(float64(over.Refused), float64(over.Refused+over.Stored)))
	t.Figure("memory_more_mib", after.Peak>>20)
	return errors.Join(o.judge(peak, over, after.Peak), o.calm(ctx, flood, peak))
}

// judge says whether an overload was met as promised.
func (o *overloadOf) judge(peak, over rig.Flow, memory int64) error {
	var err error
	if peak.Refused > 0 {
		err = errors.Join(err, fmt.Errorf("%d were refused at the peak", peak.Refused))
	}
	if over.Refused == 0 {
		err = errors.Join(err, errors.New("nothing was refused"))
	}
	if r := over.PerSecond() / peak.PerSecond(); r < goodputLeast {
		err = errors.Join(err, fmt.Errorf("%.0f are stored a second, of %.0f at the peak", over.PerSecond(), peak.PerSecond()))
	}
	if over.P99 > slowerMost*peak.P99 {
		err = errors.Join(err, fmt.Errorf("what is let in takes %v, %v at the peak", over.P99, peak.P99))
	}
	if memory > memoryMost {
		err = errors.Join(err, fmt.Errorf("the server took %d MiB more", memory>>20))
	}
	return err
}

// calm says whether all are let in again when the overload is over.
func (o *overloadOf) calm(ctx context.Context, flood *rig.Flood, peak rig.Flow) error {
	if _, err := flood.Offer(ctx, peak.PerSecond()/4, 5*time.Second); err != nil {
		return err
	}
	after, err := flood.Offer(ctx, peak.PerSecond()/4, 2*time.Second)
	if err == nil && after.Refused > 0 {
		err = fmt.Errorf("%d of %d were refused after the overload", after.Refused, after.Refused+after.Stored)
	}
	return err
}
