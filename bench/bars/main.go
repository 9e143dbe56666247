//go:build unix

// Command bars measures Wireroom beside the bare write loop, and beside ws and Socket.IO where they are installed, and
// writes what came of it: bench/results/*.json, and the tables and charts of docs/performance.md. `make bench` builds
// what it needs and runs it.
//
// Each contestant has a process of its own for each run; runs of contestants that are compared follow each other, and a
// ratio is of two such runs. What is reported is the median of the repetitions.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	bin     string // folder with the programs
	peers   string // folder with those for Node.js
	results string
	doc     string
	repeat  int
	seconds float64
	only    string
	what    string
}

func main() {
	o := &options{}
	flag.StringVar(&o.bin, "bin", ".cache", "folder with wireroom, bare, echo and embed")
	flag.StringVar(&o.peers, "peers", "bench/peers", "folder with the servers for Node.js; without its modules they are left out")
	flag.StringVar(&o.results, "results", "bench/results", "folder for the figures")
	flag.StringVar(&o.doc, "doc", "docs/performance.md", "document with the tables")
	flag.IntVar(&o.repeat, "repeat", 3, "repetitions of each run")
	flag.Float64Var(&o.seconds, "seconds", 6, "how long each run is measured")
	flag.StringVar(&o.only, "only", "", "rows whose names contain this")
	flag.StringVar(&o.what, "what", "bars", "bars, growth, or doc: only write the document from the figures that there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bars:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	err := os.MkdirAll(o.results, 0o755)
	if err != nil {
		return err
	}
	switch o.what {
	case "bars":
		err = o.bars(ctx)
	case "growth":
		err = o.growth(ctx)
	case "doc":
	default:
		return fmt.Errorf("there is nothing called %q to measure", o.what)
	}
	if err != nil {
		return err
	}
	return o.writeDoc()
}

// wanted reports whether a row is to be measured.
func (o *options) wanted(name string) bool { return strings.Contains(name, o.only) }

// median returns the middle one of values, or 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
