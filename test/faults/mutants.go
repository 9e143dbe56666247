package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// mutants builds the suite and the servers with each seeded bug, and wants the faults that name it to fail.
func mutants(ctx context.Context, tags []string) error {
	root, err := rig.Root(ctx)
	if err != nil {
		return err
	}
	var missed []string
	for _, f := range faults() {
		for _, tag := range f.Mutants {
			if len(tags) > 0 && !slices.Contains(tags, tag) {
				continue
			}
			caught, said := caught(ctx, root, f, tag)
			fmt.Printf("%-4s %-16s %s\n", f.Name, tag, said)
			if !caught {
				missed = append(missed, tag)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(missed, " "))
	}
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
