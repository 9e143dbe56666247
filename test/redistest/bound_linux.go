package redistest

import (
	"os/exec"
	"syscall"
)

// bound has the process of a command end with this one, whatever becomes of it.
func bound(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
