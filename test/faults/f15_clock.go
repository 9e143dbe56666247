package main

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// clockJumps is F15: the wall clock jumps an hour either way. No process can have a wall clock of its own, so these are
// the tests of the packages that look at it, with a clock that they set.
func clockJumps(ctx context.Context, t *rig.Trial) error {
	root, err := rig.Root(ctx)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", "test", "-tags", rig.Tags(), "-count=1",
		"-run", "TestClockJumps|TestAuthenticatesByTheFirstMessage|TestSessionEndsWithItsToken",
		"./engine/memory", "./engine/disk", "./internal/session")
	c.Dir = root
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	t.Say("%s", out)
	return nil
}
