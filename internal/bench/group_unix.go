//go:build unix

package bench

import "syscall"

// ownGroup has a process be in a group of its own, so that it is not told what a terminal tells this one.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
