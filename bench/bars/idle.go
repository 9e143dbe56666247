//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/wireroom/wireroom/internal/bench"
)

// idle is what connections cost that do nothing.
type idle struct {
	stamp
	Connections int64 `json:"connections"`
	// Live is what one needs, in bytes, after a collection; of a server that an application embeds.
	Live     float64 `json:"live_bytes"`
	Resident float64 `json:"resident_bytes"`
	// Others is what one needs, resident, when all are connected, of servers that are started as for the bars: nothing
	// is collected before.
	Others map[string]float64 `json:"others_resident_bytes"`
	// Tester is what one costs the load tester, resident.
	Tester float64 `json:"tester_resident_bytes"`
}

// collector is what the garbage collector costs while messages go to many connections.
type collector struct {
	stamp
	Connections int64   `json:"connections"`
	Delivered   float64 `json:"delivered_per_second"`
	// Share is the collector's part of the CPU that the server used while it was measured.
	Share       float64 `json:"gc_share"`
	Collections float64 `json:"collections_per_second"`
}

// idleContestants are compared as they are.
func idleContestants() []string { return []string{nameWireroom, nameBare, nameWS, nameSocketIO} }

// idleConnections fit into one process with 20,000 descriptors.
const idleConnections = "19000"

// idle measures what a connection costs that has joined a room and does nothing.
func (o *options) idle(ctx context.Context) (*idle, error) {
	i := &idle{stamp: now(), Others: make(map[string]float64)}
	var live, resident []float64
	for range o.repeat {
		if err := o.idleOnce(ctx, i, &live, &resident); err != nil {
			return nil, fmt.Errorf("idle: %w", err)
		}
	}
	i.Live, i.Resident = median(live), median(resident)
	for _, c := range o.contestants(idleContestants()...) {
		var each []float64
		for range o.repeat {
			report, err := o.measure(ctx, c, []string{"idle", "-n", idleConnections, "--presence"})
			if err != nil {
				return nil, fmt.Errorf("idle: %w", err)
			}
			each = append(each, float64(report.Server.MemoryEach))
		}
		i.Others[c.name] = median(each)
	}
	fmt.Printf("idle: %.0f bytes live, %.0f resident, %v\n", i.Live, i.Resident, i.Others)
	return i, nil
}

// use is what the embedded server says of itself.
type use struct {
	Heap        int64   `json:"heap"`
	Stacks      int64   `json:"stacks"`
	Collecting  float64 `json:"gc_cpu_seconds"`
	Used        float64 `json:"cpu_seconds"`
	Collections float64 `json:"collections"`
}

func (o *options) idleOnce(ctx context.Context, i *idle, live, resident *[]float64) error {
	s, err := o.embed(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	before, rssBefore, err := s.use(syscall.SIGUSR1)
	if err != nil {
		return err
	}
	var after use
	var rssAfter int64
	var failed error
	report, err := o.tester(ctx, s, []string{"idle", "-n", idleConnections, "--presence", "--warmup", "3s"}, func(phase string) {
		if phase == bench.PhaseMeasure && after.Heap == 0 {
			after, rssAfter, failed = s.use(syscall.SIGUSR1)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	n := float64(joined(report))
	i.Connections, i.Tester = int64(n), float64(report.Tester.MemoryEach)
	*live = append(*live, float64(after.Heap+after.Stacks-before.Heap-before.Stacks)/n)
	*resident = append(*resident, float64(rssAfter-rssBefore)/n)
	return nil
}

// use asks the server what is in use: after a collection with SIGUSR1, and as it is with SIGUSR2.
func (s *server) use(how syscall.Signal) (u use, resident int64, err error) {
	if err := s.command.Process.Signal(how); err != nil {
		return u, 0, err
	}
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &u)
	}
	return u, bench.Resident(s.command.Process.Pid), err
}

// While the collector is measured there are so many messages a second to rooms of 10, for so long: it runs every few
// seconds.
const (
	collectorRate    = "3000"
	collectorSeconds = 30
)

// collector measures what the garbage collector costs.
func (o *options) collector(ctx context.Context) (*collector, error) {
	var shares, collections, delivered []float64
	c := &collector{stamp: now()}
	for range o.repeat {
		if err := o.collectorOnce(ctx, c, &shares, &collections, &delivered); err != nil {
			return nil, fmt.Errorf("collector: %w", err)
		}
	}
	c.Share, c.Collections, c.Delivered = median(shares), median(collections), median(delivered)
	fmt.Printf("collector: %.4f of the CPU with %d connections, %.2f collections a second\n", c.Share, c.Connections, c.Collections)
	return c, nil
}

func (o *options) collectorOnce(ctx context.Context, c *collector, shares, collections, delivered *[]float64) error {
	s, err := o.embed(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	var began, ended use
	var failed error
	args := []string{"rooms", "-n", idleConnections, "--rate", collectorRate, "--presence", "--warmup", "3s"}
	longer := *o
	longer.seconds = max(o.seconds, collectorSeconds)
	report, err := longer.tester(ctx, s, args, func(phase string) {
		if phase != bench.PhaseMeasure || failed != nil {
			return
		}
		ended, _, failed = s.use(syscall.SIGUSR2)
		if began.Used == 0 {
			began = ended
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	c.Connections = joined(report)
	*shares = append(*shares, (ended.Collecting-began.Collecting)/max(ended.Used-began.Used, 1e-3))
	*collections = append(*collections, (ended.Collections-began.Collections)/max(report.Seconds, 1e-3))
	*delivered = append(*delivered, report.Rates.Delivered)
	return nil
}

// embed starts a server as an application embeds it.
func (o *options) embed(ctx context.Context) (*server, error) {
	c := contestant{name: "embed", args: []string{filepath.Join(o.bin, "embed")}}
	s, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.out.ReadString('\n'); err != nil { // where its profiles are
		s.stop()
		return nil, err
	}
	return s, nil
}

// joined returns how many clients were in their rooms when it began to be measured.
func joined(r *bench.Report) int64 {
	for _, s := range r.Series {
		if s.Phase == bench.PhaseMeasure {
			return max(s.Joined, 1)
		}
	}
	return 1
}
