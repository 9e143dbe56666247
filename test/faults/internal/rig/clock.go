package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// movableTag is the build tag of programs whose wall clock can be moved. They use time.Jump, which is there in no other
// build.
const movableTag = "clockjump"

// What becomes of the package time of such a program: time.Now, from which a Go program has all its times of day, is as
// far ahead as time.Jump was told last. What measures how much time passes stays as it is, as with a clock that is set.
const (
	nowReads  = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	nowJumps  = "sec, nsec, mono := runtimeNow()\n\tsec += ahead.Load()\n\tif mono == 0 {"
	jumpAdded = `package time

import "sync/atomic"

// ahead is how many seconds the wall clock is ahead of the machine's.
var ahead atomic.Int64

// Jump has the wall clock be so many seconds ahead of the machine's.
func Jump(seconds int64) { ahead.Store(seconds) }
`
)

// buildMovable builds a program whose wall clock can be moved.
func (t *Trial) buildMovable(ctx context.Context, program string) (string, error) {
	overlay, err := t.overlayClock(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: a clock that can be moved: %w", ErrNotRun, err)
	}
	tags := strings.TrimPrefix(t.Tags+","+movableTag, ",")
	return t.build(ctx, program, filepath.Base(program)+"-"+movableTag, "-overlay", overlay, "-tags", tags)
}

// overlayClock writes the files that take the place of those of the package time, and returns where it says which.
func (t *Trial) overlayClock(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	of := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(of, "time.go"))
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), nowReads) != 1 {
		return "", fmt.Errorf("time.Now reads the clock in another way than is known here, in %s", of)
	}
	replace := make(map[string]string)
	for name, text := range map[string]string{"time.go": strings.Replace(string(source), nowReads, nowJumps, 1), "jump.go": jumpAdded} {
		path := filepath.Join(t.Dir, "clock-"+name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(of, name)] = path
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(t.Dir, "clock.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// SetClock has the wall clock of the program Node be so far ahead of the machine's; it must be one that can be moved.
func (s *Server) SetClock(ctx context.Context, ahead time.Duration) error {
	shows, err := s.Counter(ctx, fmt.Sprint("clock?ahead=", int64(ahead/time.Second)))
	if err != nil {
		return fmt.Errorf("%w: move the clock: %w", ErrNotRun, err)
	}
	if off := time.Unix(shows, 0).Sub(time.Now().Add(ahead)); off.Abs() > time.Minute {
		return fmt.Errorf("%w: the server's clock is %v from what it was set to", ErrNotRun, off)
	}
	return nil
}
