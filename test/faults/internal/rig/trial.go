// Package rig is what the fault suite is made of: the server as a process of its own that is killed and stopped
// (server.go), publishers (publisher.go) and members (member.go, rawmember.go) that write histories, and a WebSocket
// client of its own (raw.go), which hides nothing of what the server does.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/history"
)

// Trial is one run of a fault.
type Trial struct {
	Seed uint64
	Long bool
	Dir  string    // for everything that it needs; it goes with the trial
	Bin  string    // has the programs that were built for it or for other trials of the same process; empty: Dir
	Tags string    // build tags of those programs
	Out  io.Writer // what it says on the way

	part    string // of the trial; empty for all of it
	parent  *Trial
	begin   history.Begin
	mu      sync.Mutex
	figures map[string]any
	writers []*history.Writer
	verdict history.Verdict
	ends    []func() error
}

// NewTrial begins a trial in a new directory of its own.
func NewTrial(seed uint64, long bool, out io.Writer) (*Trial, error) {
	dir, err := os.MkdirTemp("", "wireroom-fault-")
	if err != nil {
		return nil, err
	}
	t := &Trial{Seed: seed, Long: long, Dir: dir, Out: out, begin: history.Begin(time.Now()), figures: make(map[string]any)}
	return t, os.Mkdir(t.HistoryDir(), 0o700)
}

// HistoryDir returns where the histories are.
func (t *Trial) HistoryDir() string { return filepath.Join(t.Dir, "history"+t.part) }

// Part returns a part of the trial with histories of its own. It ends with the trial.
func (t *Trial) Part(name string) (*Trial, error) {
	p := &Trial{Seed: t.Seed, Long: t.Long, Dir: t.Dir, Bin: t.Bin, Tags: t.Tags, Out: t.Out, part: "-" + name, parent: t, begin: t.begin, figures: make(map[string]any)}
	return p, os.Mkdir(p.HistoryDir(), 0o700)
}

// Say tells something on the way.
func (t *Trial) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.Out, "%7.1fs  %s\n", time.Since(time.Time(t.begin)).Seconds(), fmt.Sprintf(format, args...))
}

// Pick returns short for a short trial and long for a long one.
func Pick[T any](t *Trial, short, long T) T {
	if t.Long {
		return long
	}
	return short
}

// Random returns random numbers for one use: they depend on the trial's seed and the use alone.
func (t *Trial) Random(use uint64) *rand.Rand { return rand.New(rand.NewPCG(t.Seed, use)) }

// Figure notes what was measured.
func (t *Trial) Figure(name string, value any) {
	if t.parent != nil {
		t.parent.Figure(t.part[1:]+"_"+name, value)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures[name] = value
}

// Figures returns what was noted.
func (t *Trial) Figures() map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.figures
}

// Write begins the history of an actor.
func (t *Trial) Write(actor string) (*history.Writer, error) {
	w, err := history.Create(t.HistoryDir(), actor, t.begin)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writers = append(t.writers, w)
	return w, nil
}

// AtEnd has something done when the trial ends, the last first.
func (t *Trial) AtEnd(f func() error) {
	if t.parent != nil {
		t.parent.AtEnd(f)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends = append(t.ends, f)
}

// Judge ends the histories and asks the oracle.
func (t *Trial) Judge() error {
	t.mu.Lock()
	writers := t.writers
	t.writers = nil
	t.mu.Unlock()
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return err
		}
	}
	v, err := history.Judge(t.HistoryDir())
	if err != nil {
		return err
	}
	t.Say("%s", v.Summary())
	failure := v.Err()
	v.Examples = nil
	t.verdict = v
	t.Figure("verdict", v)
	return failure
}

// Verdict returns what the oracle found when Judge asked it.
func (t *Trial) Verdict() history.Verdict { return t.verdict }

// End ends what the trial began, and removes its directory unless it is to be kept.
func (t *Trial) End(keep bool) {
	t.mu.Lock()
	ends := t.ends
	t.ends = nil
	t.mu.Unlock()
	for i := len(ends) - 1; i >= 0; i-- {
		if err := ends[i](); err != nil {
			t.Say("end: %v", err)
		}
	}
	if !keep {
		_ = os.RemoveAll(t.Dir)
		return
	}
	t.Say("what happened is kept in %s", t.Dir)
}

// Wait waits until something holds. It fails when that takes longer than it may.
func Wait(ctx context.Context, what string, atMost time.Duration, holds func() bool) error {
	deadline := time.Now().Add(atMost)
	for !holds() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, atMost)
		}
		if err := Sleep(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// Within runs f with a context of its own, which ends when f takes longer than it may: the error says what was waited for,
// and what f made of it.
func Within(ctx context.Context, what string, atMost time.Duration, f func(context.Context) error) error {
	late := fmt.Errorf("%s: not within %v", what, atMost)
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, late)
	defer cancel()
	err := f(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, late):
		return err
	case errors.Is(context.Cause(ctx), late):
		return fmt.Errorf("%w: %w", late, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Stalls waits until as many have come as are expected, and fails when for too long nothing moves: nobody comes, and what
// progress returns stays as it is. Each that comes brings an error or none; all are returned.
func Stalls(ctx context.Context, what string, atMost time.Duration, expected int, come <-chan error, progress func() int64) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var failed error
	last, moved := progress(), time.Now()
	for n := 0; n < expected; {
		select {
		case err := <-come:
			failed, moved = errors.Join(failed, err), time.Now()
			n++
		case <-ticker.C:
			if now := progress(); now != last {
				last, moved = now, time.Now()
			}
			if time.Since(moved) > atMost {
				return errors.Join(failed, fmt.Errorf("%s: nothing moved for %v, at %d of %d and %d", what, atMost, n, expected, last))
			}
		case <-ctx.Done():
			return errors.Join(failed, fmt.Errorf("%s: %d of %d and %d: %w", what, n, expected, last, context.Cause(ctx)))
		}
	}
	return failed
}

// Sleep waits, or returns why ctx has ended.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
