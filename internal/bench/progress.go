package bench

import (
	"fmt"
	"io"
	"strings"
)

// PrintProgress returns a Progress that prints a line a second.
func PrintProgress(w io.Writer) Progress {
	header := false
	return func(phase string, s *Sample, c *Counts) {
		if phase == PhaseSettle {
			return
		}
		if !header {
			header = true
			fmt.Fprintf(w, "%7s %-8s %7s %7s %10s %12s %9s %9s %6s %8s %s\n",
				"second", "phase", "open", "joined", "published", "delivered", "p50 ms", "p99 ms", "cpu", "memory", "faults and errors")
		}
		cpu, memory := "-", "-"
		if s.Memory > 0 {
			cpu, memory = fmt.Sprintf("%.2f", s.CPU), fmt.Sprintf("%.1fM", float64(s.Memory)/1e6)
		}
		fmt.Fprintf(w, "%7.1f %-8s %7d %7d %8.0f/s %10.0f/s %9.2f %9.2f %6s %8s %s\n",
			s.Second, phase, s.Open, s.Joined, s.Published, s.Delivered, s.P50, s.P99, cpu, memory, c.troubles())
	}
}

// troubles says what went wrong so far.
func (c *Counts) troubles() string {
	var all []string
	for _, t := range []struct {
		n    int64
		what string
	}{
		{c.Failed, "failed"},
		{c.Lost, "lost"},
		{c.Refused, "refused"},
		{c.Expired, "expired"},
		{c.Duplicated, "twice"},
		{c.Skipped, "skipped"},
		{c.Unproven, "unproven"},
		{c.Late, "late"},
		{c.Unsent, "unsent"},
	} {
		if t.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", t.n, t.what))
		}
	}
	return strings.Join(all, ", ")
}
