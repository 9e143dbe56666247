package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// mutants builds the suite and the servers with each seeded bug, and wants the faults that name it to fail.
func mutants(ctx context.Context, tags []string) error {
	root, err := rig.Root(ctx)
	if err != nil {
		return err
	}
	type bug struct {
		fault fault
		tag   string
	}
	var bugs []bug
	for _, f := range faults() {
		for _, tag := range f.Mutants {
			if len(tags) == 0 || slices.Contains(tags, tag) {
				bugs = append(bugs, bug{f, tag})
			}
		}
	}
	var missed []string
	began := time.Now()
	for i, b := range bugs {
		fmt.Printf("%2d/%d %-4s %-16s ", i+1, len(bugs), b.fault.Name, b.tag)
		start := time.Now()
		caught, said := caught(ctx, root, b.fault, b.tag)
		fmt.Printf("%4.0f s  %s\n", time.Since(start).Seconds(), said)
		if !caught {
			missed = append(missed, b.tag)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(missed, " "))
	}
	fmt.Printf("all %d caught, after %.0f s\n", len(bugs), time.Since(began).Seconds())
	return nil
}

// notAsPromised is how a run begins to tell what failed.
const notAsPromised = " FAILED: "

// caught reports whether a fault fails with a bug, and what it says.
func caught(ctx context.Context, root string, f fault, tag string) (bool, string) {
	c := exec.CommandContext(ctx, "go", "run", "-tags", tag, "./test/faults", "run", f.Name)
	c.Dir = root
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch i := bytes.Index(out, []byte(f.Name+notAsPromised)); {
	case bytes.Contains(out, []byte(context.DeadlineExceeded.Error())): // the machine may be too slow for it
		return false, "did not end in time"
	case err == nil:
		return false, "NOT CAUGHT"
	case !errors.As(err, &exit) || i < 0:
		return false, fmt.Sprintf("did not run: %v\n%s", err, out)
	default:
		said, _, _ := strings.Cut(string(out[i+len(f.Name+notAsPromised):]), "\n")
		return true, "caught: " + said[:min(len(said), 150)]
	}
}
