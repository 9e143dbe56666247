//go:build unix

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/wireroom/wireroom/internal/bench"
)

// step is one point of a growing quantity.
type step struct {
	X    float64 `json:"x"`
	Runs []run   `json:"runs"`
}

// curve is how the cost grows with something, for one contestant.
type curve struct {
	stamp
	Chart      string `json:"chart"`
	Contestant string `json:"contestant"`
	Steps      []step `json:"steps"`
}

// growth is what is kept of how everything grows.
type growth struct {
	Machine bench.Machine `json:"machine"`
	Curves  []curve       `json:"curves"`
}

// grown is a quantity that grows.
type grown struct {
	chart  string
	unit   string
	values []int
	args   func(value int) []string
}

// The charts' names.
const (
	growConnections = "connections"
	growRooms       = "members of a room"
	growPayload     = "bytes of a message"
)

func grows() []grown {
	return []grown{
		{growConnections, "connections, in rooms of 10, 64 outstanding", []int{100, 300, 1000, 3000, 10000, 19000}, func(v int) []string {
			return []string{"rooms", "-n", strconv.Itoa(v), "--rooms", strconv.Itoa(v / 10), "--window", "64", "--presence"}
		}},
		{growRooms, "members of a room, 10,000 connections, 20,000 deliveries outstanding (of one room of 10,000 these are two publications)", []int{2, 5, 10, 30, 100, 300, 1000, 3000, 10000}, func(v int) []string {
			return []string{"rooms", "-n", "10000", "--rooms", strconv.Itoa(10000 / v), "--window", strconv.Itoa(max(2, 20000/v)), "--publishers", "1"}
		}},
		{growPayload, "bytes of a message's data, one room of 500, 4 outstanding", []int{16, 64, 256, 1024, 4096, 16384, 65000}, func(v int) []string {
			return []string{"fan-out", "-n", "500", "--window", "4", "--publishers", "1", "--size", strconv.Itoa(v)}
		}},
	}
}

// growth measures how the cost of a delivery grows.
func (o *options) growth(ctx context.Context) error {
	g := &growth{}
	if o.only != "" { // the others stay
		_ = readJSON(o.file("growth"), g) // there may be none yet
	}
	for _, q := range grows() {
		if !o.wanted(q.chart) {
			continue
		}
		contestants := o.contestants(nameWireroom, nameBare)
		curves := make([]curve, len(contestants))
		for i, c := range contestants {
			curves[i] = curve{stamp: now(), Chart: q.chart, Contestant: c.name}
		}
		for _, v := range q.values {
			for i := range contestants {
				curves[i].Steps = append(curves[i].Steps, step{X: float64(v)})
			}
			if err := o.grow(ctx, g, q.args(v), contestants, curves); err != nil {
				return fmt.Errorf("%s %d: %w", q.chart, v, err)
			}
		}
		g.Curves = append(slices.DeleteFunc(g.Curves, func(k curve) bool { return k.Chart == q.chart }), curves...)
		if err := writeJSON(o.file("growth"), g); err != nil {
			return err
		}
	}
	return nil
}

// grow measures the newest step of each curve.
func (o *options) grow(ctx context.Context, g *growth, args []string, contestants []contestant, curves []curve) error {
	for range o.repeat {
		for i, c := range contestants {
			before := loadAverage()
			report, err := o.measure(ctx, c, args)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			g.Machine = report.Machine
			s := &curves[i].Steps[len(curves[i].Steps)-1]
			s.Runs = append(s.Runs, runOf(report, before))
			n := s.Runs[len(s.Runs)-1]
			fmt.Printf("%-20s %6.0f %-12s %8.3f us a delivery   %9.0f a second   p99 %8.2f ms   faults %d\n",
				curves[i].Chart, s.X, c.name, n.CPU, n.Delivered, n.P99, n.Faults)
		}
	}
	return nil
}
