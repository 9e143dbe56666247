//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/wireroom/wireroom/internal/bench"
)

// row is something that is measured of several contestants.
type row struct {
	name        string
	args        []string // of the load tester
	contestants []string
	against     string  // which the ratio is of
	bar, aim    float64 // of the ratio; 0: it is only reported
	latency     float64 // bar of the ratio of the 99th percentiles; 0: none
}

// rows returns what is measured.
func rows() []row {
	rooms := []string{nameWireroom, nameBare, nameWS, nameSocketIO}
	one := []string{nameWireroom, nameBare}
	fanOut := func(n, window string) []string {
		return []string{"fan-out", "-n", n, "--window", window, "--publishers", "1", "--presence"}
	}
	return []row{
		{name: "fan-out to 10,000, 4 outstanding", args: fanOut("10000", "4"), contestants: rooms, against: nameBare, bar: 0.40, aim: 0.37},
		{name: "fan-out to 1,000, 16 outstanding", args: fanOut("1000", "16"), contestants: rooms, against: nameBare, bar: 0.12, aim: 0.10},
		{
			name:        "1,000 rooms of 10, 256 outstanding",
			args:        []string{"rooms", "-n", "10000", "--rooms", "1000", "--window", "256", "--presence"},
			contestants: rooms, against: nameBare, bar: 1.45, aim: 1.27,
		},
		{
			name:        "fan-out to 1,000 at 30 a second",
			args:        []string{"fan-out", "-n", "1000", "--rate", "30", "--publishers", "1", "--presence"},
			contestants: rooms, against: nameBare, bar: 1.15, aim: 1.08, latency: 1.3,
		},
		{name: "fan-out to 1,000, 1 outstanding", args: fanOut("1000", "1"), contestants: one, against: nameBare, aim: 1.2},
		{name: "fan-out to 10,000, 1 outstanding", args: fanOut("10000", "1"), contestants: one, against: nameBare, aim: 1.2},
		{
			name: "WebSocket echo, 1,000 connections", args: []string{"echo", "-n", "1000"},
			contestants: []string{nameConn, nameBareEcho, nameConnOne, nameWSEcho, nameWireroom}, against: nameBareEcho, bar: 1.10, aim: 1.00,
		},
		{
			name:        "1 KiB to 2,000, compressed",
			args:        []string{"fan-out", "-n", "2000", "--window", "4", "--publishers", "1", "--size", "1024"},
			contestants: []string{nameDeflated, nameWireroom}, against: nameWireroom, bar: 1.15,
		},
	}
}

// run is one run of one contestant, in the figures that are kept of it.
type run struct {
	CPU       float64 `json:"cpu_us_per_delivery"`
	Delivered float64 `json:"delivered_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Faults    int64   `json:"faults"` // of messages, and connections that failed or were lost
	Expected  int64   `json:"expected"`
	Memory    int64   `json:"memory_per_connection"`
	Load      float64 `json:"load_average"` // of the machine, before
}

// stamp says when something was measured, and of what.
type stamp struct {
	When   time.Time `json:"when"`
	Commit string    `json:"commit"`
}

func now() stamp { return stamp{time.Now().UTC().Truncate(time.Minute), commit()} }

func (s stamp) String() string {
	return s.When.Format("2006-01-02 15:04 UTC") + " at commit `" + s.Commit + "`"
}

// outcome is what came of a row.
type outcome struct {
	stamp
	Name         string           `json:"name"`
	Args         []string         `json:"args"`
	Against      string           `json:"against"`
	Bar          float64          `json:"bar,omitempty"`
	Aim          float64          `json:"aim,omitempty"`
	LatencyBar   float64          `json:"latency_bar,omitempty"`
	Order        []string         `json:"order"`
	Runs         map[string][]run `json:"runs"`
	Ratio        float64          `json:"ratio"` // of the CPU, the median
	LatencyRatio float64          `json:"latency_ratio,omitempty"`
}

// figures are what is kept of a whole measurement.
type figures struct {
	Machine bench.Machine `json:"machine"`
	Rows    []outcome     `json:"rows"`
	Idle    *idle         `json:"idle,omitempty"`

	Collector *collector `json:"collector,omitempty"`
}

// bars measures all rows.
func (o *options) bars(ctx context.Context) error {
	f := &figures{}
	if o.only != "" { // the others stay
		_ = readJSON(o.file("bars"), f) // there may be none yet
	}
	if o.wanted("idle") {
		i, err := o.idle(ctx)
		if err != nil {
			return err
		}
		f.Idle = i
	}
	if o.wanted("collector") {
		c, err := o.collector(ctx)
		if err != nil {
			return err
		}
		f.Collector = c
	}
	for _, r := range rows() {
		if !o.wanted(r.name) {
			continue
		}
		measured, machine, err := o.row(ctx, &r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		f.Machine = machine
		f.set(measured)
		if err := writeJSON(o.file("bars"), f); err != nil {
			return err
		}
	}
	return writeJSON(o.file("bars"), f)
}

// set replaces the outcome of a row, or adds it.
func (f *figures) set(n *outcome) {
	for i := range f.Rows {
		if f.Rows[i].Name == n.Name {
			f.Rows[i] = *n
			return
		}
	}
	f.Rows = append(f.Rows, *n)
}

// row measures one row.
func (o *options) row(ctx context.Context, r *row) (*outcome, bench.Machine, error) {
	out := &outcome{stamp: now(), Name: r.name, Args: r.args, Against: r.against, Bar: r.bar, Aim: r.aim, LatencyBar: r.latency, Runs: make(map[string][]run)}
	var machine bench.Machine
	contestants := o.contestants(r.contestants...)
	for _, c := range contestants {
		out.Order = append(out.Order, c.name)
	}
	for i := range o.repeat {
		for _, c := range contestants {
			before := loadAverage()
			report, err := o.measure(ctx, c, r.args)
			if err != nil {
				return nil, machine, err
			}
			machine = report.Machine
			n := runOf(report, before)
			out.Runs[c.name] = append(out.Runs[c.name], n)
			fmt.Printf("%-36s %-16s %d/%d   %8.3f us a delivery   %9.0f a second   p99 %8.2f ms   faults %d\n",
				r.name, c.name, i+1, o.repeat, n.CPU, n.Delivered, n.P99, n.Faults)
		}
	}
	out.Ratio = ratio(out, contestants[0].name, func(n run) float64 { return n.CPU })
	if r.latency > 0 {
		out.LatencyRatio = ratio(out, contestants[0].name, func(n run) float64 { return n.P99 })
	}
	fmt.Printf("%-36s %-16s ratio %.3f (bar %.2f)\n", r.name, "", out.Ratio, r.bar)
	return out, machine, nil
}

// verdict says whether a ratio of the row holds: what was not measured does not, nor what had faults.
func (o *outcome) verdict(ratio, bar float64) string {
	faults := int64(0)
	for _, n := range o.Runs[o.Order[0]] {
		faults += n.Faults
	}
	switch {
	case ratio <= 0:
		return "**no**, it was not measured"
	case faults > 0:
		return fmt.Sprintf("**no**, with %d faults", faults)
	}
	return holds(ratio, bar)
}

// ratio returns the median of the ratios of a contestant's runs to those that the row compares with; 0 without any.
func ratio(o *outcome, name string, value func(run) float64) float64 {
	var ratios []float64
	for i, n := range o.Runs[name] {
		if i < len(o.Runs[o.Against]) && value(n) > 0 && value(o.Runs[o.Against][i]) > 0 {
			ratios = append(ratios, value(n)/value(o.Runs[o.Against][i]))
		}
	}
	return median(ratios)
}

func runOf(r *bench.Report, before float64) run {
	d := r.Latency["delivery"]
	if d.Count == 0 {
		d = r.Latency["reply"]
	}
	return run{
		CPU: r.Server.CPUPerDelivery, Delivered: r.Rates.Delivered, P50: d.P50, P99: d.P99,
		Faults: r.Totals.Faults() + r.Totals.Failed + r.Totals.Lost, Expected: r.Totals.Expected, Memory: r.Server.MemoryEach, Load: before,
	}
}

func (o *options) file(name string) string { return filepath.Join(o.results, name+".json") }

func readJSON(path string, v any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, v)
}

func writeJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}

// commit returns what is measured; it has a + when there are changes besides.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// loadAverage returns how many processes wanted to run in the last minute.
func loadAverage() (one float64) {
	content, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(content), &one) // 0 where it is something else
	}
	return one
}
