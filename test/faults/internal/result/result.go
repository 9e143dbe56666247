// Package result keeps what runs of faults have measured in one file of JSON.
package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Run is one run of a fault that held.
type Run struct {
	Fault   string         `json:"fault"`
	About   string         `json:"about"`
	Form    string         `json:"form"` // short or long
	Seed    uint64         `json:"seed"`
	Date    string         `json:"date"`
	Seconds float64        `json:"seconds"`
	Build   string         `json:"build"`
	Machine string         `json:"machine"`
	Figures map[string]any `json:"figures"`
}

// Record puts a run in a file, in the place of the last one of the same fault and form.
func Record(path string, r Run) error {
	runs, err := Read(path)
	if err != nil {
		return err
	}
	r.Date = time.Now().UTC().Format(time.DateOnly)
	r.Seconds = float64(int(r.Seconds*10)) / 10
	r.Build, r.Machine = build(), machine()
	runs = slices.DeleteFunc(runs, func(old Run) bool { return old.Fault == r.Fault && old.Form == r.Form })
	runs = append(runs, r)
	slices.SortFunc(runs, func(a, b Run) int {
		return strings.Compare(fmt.Sprintf("%4s%s", a.Fault, a.Form), fmt.Sprintf("%4s%s", b.Fault, b.Form))
	})
	text, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Read returns the runs in a file; none, if it is not there.
func Read(path string) (runs []Run, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &runs)
	}
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	return runs, nil
}

// build says what was tested.
func build() string {
	text := runtime.Version()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			text += " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			text += " and changes"
		case s.Key == "-tags" || s.Key == "-race" && s.Value == "true":
			text += " " + s.Key + " " + s.Value
		}
	}
	return text
}

// machine says where.
func machine() string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(fmt.Sprintf("%s/%s, %d CPUs, kernel %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), release))
}
