package rig

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// RunWithin runs a program in a folder and returns what it has said. It is killed with all that it has started if it does
// not end in time, or within 20 s when ctx has ended.
func RunWithin(ctx context.Context, limit time.Duration, folder, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = folder
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that those that it starts can be found
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 20 * time.Second // then it is killed
	out, err := c.CombinedOutput()
	if err == nil {
		return out, nil
	}
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // who is left of them, if anybody is
	}
	return out, errors.Join(err, ctx.Err())
}
