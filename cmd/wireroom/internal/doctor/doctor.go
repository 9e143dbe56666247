// Package doctor looks at a machine and a configuration for what would trouble a server, and says what to do about it.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warn    Level = "warn"    // it will do for now
	Fail    Level = "fail"    // it will not
	Skipped Level = "skipped" // it cannot be told here
)

// Finding is the outcome of one check.
type Finding struct {
	Check  string `json:"check"`
	Level  Level  `json:"level"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do; empty where there is nothing to
}

// Probe is what an engine said when it was asked to carry something.
type Probe struct {
	Durability string
	RoundTrip  time.Duration
	Ahead      time.Duration // the engine's clock before this machine's, as far as the round trip can tell
}

// Options are what is looked at.
type Options struct {
	Config *config.Config // required
	// Engine asks the configured engine; nil where that must not be done.
	Engine func(ctx context.Context) (Probe, error)
	System System
	Now    time.Time // zero: now
}

// System is what a machine says of itself. The zero value is this one.
type System struct {
	Proc        string                                                 // the folder in the place of /proc
	Descriptors func() (soft, hard uint64, ok bool)                    // limits of this process
	Clock       func() (synchronised bool, off time.Duration, ok bool) // what the kernel knows of its clock
	FreeBytes   func(dir string) (free, size uint64, ok bool)
}

// Examine makes every check.
func Examine(ctx context.Context, o Options) []Finding {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.System = o.System.orOwn()
	return slices.Concat(
		o.System.descriptors(o.Config), o.System.kernel(), o.System.clock(), o.System.memory(),
		checkListener(ctx, o.Config), o.checkCertificate(), o.checkEngine(ctx), o.checkData(),
	)
}

// Worst returns the worst level of the findings.
func Worst(findings []Finding) Level {
	worst := OK
	for _, f := range findings {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

func ok(check, format string, arguments ...any) []Finding {
	return []Finding{{Check: check, Level: OK, Found: fmt.Sprintf(format, arguments...)}}
}

func skipped(check, why string) []Finding {
	return []Finding{{Check: check, Level: Skipped, Found: why}}
}

func found(check string, level Level, what, advice string) []Finding {
	return []Finding{{check, level, what, advice}}
}
