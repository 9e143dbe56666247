// Command faults breaks a server on purpose and judges whether it keeps its promises.
//
//	go run ./test/faults list
//	go run ./test/faults run F1 F2            # the short forms
//	go run ./test/faults run -long F1         # the long form
//	go run ./test/faults run -seed 7 -keep F1 # another run, with its histories kept
//	go run ./test/faults mutants              # each fault must catch its seeded bugs
//	go run ./test/faults mutants -part 2/4    # a part of them
//	go run ./test/faults figures              # writes what was measured into the documents
//
// A fault is a row of the table in table.go. A run prints what it does, and fails when something is not as promised;
// with -record FILE what was measured goes into that file.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/result"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command does what the command line asks for.
func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: faults list | run [-long] [-seed N] [-keep] [-record FILE] [FAULT ...] | mutants [-control] [-part I/N] [-record FILE] [-record-runs FILE] [TAG ...] | figures")
	}
	switch args[0] {
	case "list":
		for _, f := range faults() {
			fmt.Printf("%-4s %-28s %s\n", f.Name, f.About, strings.Join(f.Mutants, " "))
		}
		return nil
	case "run":
		return runCommand(ctx, args[1:])
	case "mutants":
		return mutants(ctx, args[1:])
	case "figures":
		return figures(ctx)
	case "hold", "attend": // a part of a fault that runs in a process of its own
		return part(ctx, args)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// runOptions are the flags of run.
type runOptions struct {
	long, keep bool
	seed       uint64
	count      int
	record     string
	bin        string // has the programs that are built
	tags       string // that they are built with
}

// runCommand runs the faults that are named, or all.
func runCommand(ctx context.Context, args []string) error {
	var o runOptions
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.BoolVar(&o.long, "long", false, "the long form")
	flags.BoolVar(&o.keep, "keep", false, "keep the histories")
	flags.Uint64Var(&o.seed, "seed", 1, "of all that is random")
	flags.IntVar(&o.count, "count", 1, "how often each fault is run, with another seed each time")
	flags.StringVar(&o.record, "record", "", "file that gets what was measured")
	flags.StringVar(&o.bin, "bin", "", "directory for the servers that are built, of which those that are there are used as they are; empty: one for this run")
	flags.StringVar(&o.tags, "tags", "", "build tags of the servers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if o.bin == "" {
		if o.bin, err = os.MkdirTemp("", "wireroom-faults-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.bin) }()
	}
	failed, err := o.runAll(ctx, chosen)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("not as promised: %s", strings.Join(failed, " "))
	}
	return err
}

// runAll runs faults, and returns the names of those that failed.
func (o runOptions) runAll(ctx context.Context, chosen []fault) (failed []string, err error) {
	for _, f := range chosen {
		for again := o; again.count > 0; again.count, again.seed = again.count-1, again.seed+1 {
			if err := run(ctx, f, again, os.Stdout); err != nil {
				how := notAsPromised
				if errors.Is(err, rig.ErrNotRun) {
					how = couldNotRun
				}
				fmt.Printf("%s%s%v\n", f.Name, how, err)
				failed = append(failed, f.Name)
				if errors.Is(err, errHangs) {
					return failed, nil // what hangs would be in the way of the others
				}
			}
			if ctx.Err() != nil {
				return failed, context.Cause(ctx)
			}
		}
	}
	return failed, nil
}

// run runs one fault.
func run(ctx context.Context, f fault, o runOptions, out io.Writer) error {
	_, _ = fmt.Fprintf(out, "%s %s, seed %d\n", f.Name, f.About, o.seed)
	t, err := rig.NewTrial(o.seed, o.long, out)
	if err != nil {
		return err
	}
	t.Bin, t.Tags = o.bin, o.tags
	began := time.Now()
	if err := bounded(ctx, f, t, o.keep); err != nil {
		return err
	}
	took := time.Since(began)
	_, _ = fmt.Fprintf(out, "%s holds, after %.1f s\n", f.Name, took.Seconds())
	if o.record == "" {
		return nil
	}
	return result.Record(o.record, result.Run{
		Fault: f.Name, About: f.About, Form: rig.Pick(t, "short", "long"), Seed: o.seed, Seconds: took.Seconds(), Figures: t.Figures(),
	})
}

// grace is how long after its time a run may end by itself.
const grace = time.Minute

// errHangs tells that a run does not end, though its time is over: it goes on, until the process ends.
var errHangs = fmt.Errorf("%w: it does not end", rig.ErrNotRun)

// bounded runs a fault and ends its trial. It returns in time, whatever the fault waits for.
func bounded(ctx context.Context, f fault, t *rig.Trial, keep bool) error {
	limit := rig.Pick(t, shortLimit(f), 100*time.Minute)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := f.Run(ctx, t)
		t.End(keep)
		ended <- err
	}()
	late := time.NewTimer(limit + grace)
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-late.C:
	}
	_ = pprof.Lookup("goroutine").WriteTo(t.Out, 1) // what it waits for
	over := make(chan struct{})
	go func() {
		t.End(keep)
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(grace / 6):
	}
	return fmt.Errorf("%w within %v", errHangs, limit+grace)
}

// shortLimit returns how long the short form of a fault may take.
func shortLimit(f fault) time.Duration { return cmp.Or(f.Short, 6*time.Minute) }

// choose returns the faults with the given names, or all.
func choose(names []string) ([]fault, error) {
	if len(names) == 0 {
		return faults(), nil
	}
	var chosen []fault
	for _, name := range names {
		n := len(chosen)
		for _, f := range faults() {
			if strings.EqualFold(f.Name, name) {
				chosen = append(chosen, f)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("unknown fault %q", name)
		}
	}
	return chosen, nil
}

// part runs a part of a fault.
func part(ctx context.Context, args []string) error {
	switch {
	case args[0] == "hold" && len(args) == 3:
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return hold(ctx, args[1], n)
	case args[0] == "attend" && len(args) > 3:
		return attend(ctx, args[1], args[2], args[3:])
	}
	return fmt.Errorf("parts of faults are not for use by hand: %q", args)
}

// figures writes what was measured into the documents.
func figures(ctx context.Context) error {
	root, err := rig.Root(ctx)
	if err != nil {
		return err
	}
	runs, err := result.Read(filepath.Join(root, "test/results/faults.json"))
	if err != nil {
		return err
	}
	bugs, err := result.ReadBugs(filepath.Join(root, "test/results/mutants.json"))
	if err != nil {
		return err
	}
	for _, name := range result.Documents() {
		path := filepath.Join(root, name)
		document, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := result.Insert(string(document), runs, bugs)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
