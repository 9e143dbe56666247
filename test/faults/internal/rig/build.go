package rig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs that trials run.
const (
	Product = "./cmd/wireroom"     // as users have it
	Node    = "./test/faults/node" // the same server over a file system that can be broken
)

// NoSymbols is the flag that has programs built without what debuggers need: they are linked in half the time.
const NoSymbols = "-ldflags=-s -w"

// ErrNotRun tells that a trial could not be made: nothing was broken, and nothing can be said of a promise.
var ErrNotRun = errors.New("the trial could not be made")

// Build builds a program with the trial's tags, unless it was built before, and returns where it is.
func (t *Trial) Build(ctx context.Context, program string) (string, error) {
	return t.build(ctx, program, filepath.Base(program), "-tags", t.Tags)
}

// build is Build with flags of its own, and a name.
func (t *Trial) build(ctx context.Context, program, name string, flags ...string) (string, error) {
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cmp.Or(t.Bin, t.Dir), name)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	build := exec.CommandContext(ctx, "go", append(append([]string{"build", NoSymbols}, flags...), "-o", binary, program)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: build %s: %w\n%s", ErrNotRun, program, err, out)
	}
	return binary, nil
}

// Root returns the root of the module.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
