package rig

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// Programs that trials run.
const (
	Product = "./cmd/wireroom"     // as users have it
	Node    = "./test/faults/node" // the same server over a file system that can be broken
)

// Tags returns the build tags of this program: the servers that it builds have the same.
func Tags() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-tags" {
				return s.Value
			}
		}
	}
	return ""
}

// Build builds a program with this program's tags, and returns where it is.
func (t *Trial) Build(ctx context.Context, program string) (string, error) {
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(t.Dir, filepath.Base(program))
	build := exec.CommandContext(ctx, "go", "build", "-tags", Tags(), "-o", binary, program)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", program, err, out)
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
