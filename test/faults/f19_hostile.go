package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/conformance/hostile"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// longerThanAny is how long `go test` may take to build and run what it is asked for here, besides fuzzing.
const longerThanAny = time.Hour

// hostileInput is F19: every kind of input that has broken servers before is sent, by the tests that are named for it and
// by bare sockets to a server in a process of its own; then each parser is fuzzed.
func hostileInput(ctx context.Context, t *rig.Trial) error {
	root, err := rig.Root(ctx)
	if err != nil {
		return err
	}
	named := make(map[string]bool)
	inputs := hostile.Inputs()
	for _, input := range inputs {
		for _, name := range input.Tests {
			named[name] = true
		}
	}
	delete(named, "F19")
	server, err := t.Serve(ctx, rig.ServerOptions{Limits: true})
	if err != nil {
		return err
	}
	if err := errors.Join(rawInput(ctx, t, server), server.Panicked()); err != nil {
		return err
	}
	found, err := findTests(root, named)
	if err != nil {
		return err
	}
	if err := runTests(ctx, t, root, found, named); err != nil {
		return err
	}
	parsers, err := findFuzzTargets(root)
	if err != nil {
		return err
	}
	targets, tried, err := fuzz(ctx, t, root, parsers, rig.Pick(t, 2*time.Second, 10*time.Minute))
	if err != nil {
		return err
	}
	t.Figure("kinds_of_input", len(inputs))
	t.Figure("tests", len(named))
	t.Figure("parsers_fuzzed", targets)
	t.Figure("inputs_tried", tried)
	t.Figure("seconds_a_parser", rig.Pick(t, 2, 600))
	return nil
}

// findTests returns the folders with the tests that are named, and their names in each. One that is not there is an
// error.
func findTests(root string, named map[string]bool) (map[string][]string, error) {
	missing := maps.Clone(named)
	found, err := findFunctions(root, `(?:Test|Fuzz)\w+`, func(name string) bool { return named[name] })
	for _, names := range found {
		for _, name := range names {
			delete(missing, name)
		}
	}
	if len(missing) > 0 {
		err = errors.Join(err, fmt.Errorf("there is no %v", missing))
	}
	return found, err
}

// findFuzzTargets returns the folders with fuzz targets, and the names of all of them.
func findFuzzTargets(root string) (map[string][]string, error) {
	found, err := findFunctions(root, `Fuzz\w+`, func(string) bool { return true })
	if err == nil && len(found) == 0 {
		err = errors.New("there are no fuzz targets")
	}
	return found, err
}

// findFunctions returns the folders with tests whose names are of a form and wanted, and their names in each.
func findFunctions(root, form string, wanted func(name string) bool) (map[string][]string, error) {
	defined := regexp.MustCompile(`(?m)^func (` + form + `)\(`)
	found := make(map[string][]string)
	return found, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", "testdata", ".git", ".cache"}, entry.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, match := range defined.FindAllSubmatch(source, -1) {
			if name := string(match[1]); wanted(name) {
				found["./"+folder] = append(found["./"+folder], name)
			}
		}
		return err
	})
}

// runTests runs the tests, and the seeds of the fuzz targets. Each must be seen to pass: one that was skipped has sent
// nothing. Those that are there with the race detector alone are run with it.
func runTests(ctx context.Context, t *rig.Trial, root string, found map[string][]string, named map[string]bool) error {
	missing := maps.Clone(named)
	for _, flags := range [][]string{{"-count=1"}, {"-count=1", "-race"}} {
		if err := runMissing(ctx, root, found, missing, flags); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not seen to pass: %v", missing)
	}
	t.Say("%d tests in %d packages", len(named), len(found))
	return nil
}

// runMissing runs the tests that are missing, and takes away those that pass.
func runMissing(ctx context.Context, root string, found map[string][]string, missing map[string]bool, flags []string) error {
	args := append([]string{"test", "-json", "-run", "^(" + strings.Join(slices.Sorted(maps.Keys(missing)), "|") + ")$"}, flags...)
	folders := 0
	for folder, names := range found {
		if slices.ContainsFunc(names, func(name string) bool { return missing[name] }) {
			args = append(args, folder)
			folders++
		}
	}
	if folders == 0 {
		return nil
	}
	out, err := rig.RunWithin(ctx, longerThanAny, root, "go", args...)
	var said []string
	for line := range bytes.Lines(out) {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		switch {
		case e.Action == "pass":
			delete(missing, e.Test)
		case e.Action == "output" && strings.Contains(e.Output, "FAIL"):
			said = append(said, strings.TrimSpace(e.Output))
		}
	}
	if err != nil {
		return fmt.Errorf("tests of hostile input: %w: %s", err, strings.Join(said, "; "))
	}
	return nil
}

// fuzz fuzzes each target for a while, two for each processor at once, so that each has about half of one: on two
// processors the long form takes an hour and a half. It goes on when one breaks, and returns how many targets there are
// and how many inputs were tried, those kept of earlier runs included. What breaks one is kept under testdata of its
// package.
func fuzz(ctx context.Context, t *rig.Trial, root string, found map[string][]string, each time.Duration) (targets int, inputs int64, _ error) {
	var (
		mu      sync.Mutex
		errs    []error
		workers sync.WaitGroup
		places  = make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	)
	for _, folder := range slices.Sorted(maps.Keys(found)) {
		for _, name := range found[folder] {
			targets++
			places <- struct{}{}
			workers.Go(func() {
				defer func() { <-places }()
				tried, err := fuzzTarget(ctx, t, root, parser{folder, name}, each)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
				inputs += tried
			})
		}
	}
	workers.Wait()
	return targets, inputs, errors.Join(errs...)
}

// parser is a fuzz target, in a folder with its package.
type parser struct{ folder, name string }

// fuzzTarget fuzzes one target with one worker, and returns how many inputs were tried.
func fuzzTarget(ctx context.Context, t *rig.Trial, root string, p parser, each time.Duration) (int64, error) {
	out, err := rig.RunWithin(
		ctx, each+longerThanAny, root,
		"go", "test", "-run", "^$", "-fuzz", "^"+p.name+"$", "-fuzztime", each.String(), "-parallel", "1", p.folder,
	)
	if err != nil {
		return 0, fmt.Errorf("%s in %s: %w: %s", p.name, p.folder, err, out)
	}
	last := lastLine(out, "fuzz: elapsed")
	t.Say("%s: %s", p.name, last)
	if tried := executions.FindStringSubmatch(last); tried != nil {
		return strconv.ParseInt(tried[1], 10, 64)
	}
	if t.Long || !strings.Contains(last, "baseline coverage") {
		return 0, fmt.Errorf("%s in %s: not seen to try anything: %s", p.name, p.folder, out)
	}
	return 0, nil // the time went by with what is kept of earlier runs
}

// executions is how `go test -fuzz` tells of inputs that were tried.
var executions = regexp.MustCompile(`execs: (\d+)`)

// lastLine returns the last line with a word in it.
func lastLine(out []byte, word string) (last string) {
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte(word)) {
			last = string(bytes.TrimSpace(line))
		}
	}
	return last
}
