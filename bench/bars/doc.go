//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/internal/bench"
	"github.com/wireroom/wireroom/internal/bench/chart"
)

// What is between these lines of the document is written by this program.
const (
	beginMark = "<!-- measured: %s -->"
	endMark   = "<!-- end: %s -->"
)

// writeDoc writes tables and charts of the figures that there are into the document.
func (o *options) writeDoc() error {
	text, err := os.ReadFile(o.doc)
	if err != nil {
		return err
	}
	doc := string(text)
	var f figures
	switch err := readJSON(o.file("bars"), &f); {
	case err == nil:
		if doc, err = replace(doc, "bars", f.table()); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var g growth
	switch err := readJSON(o.file("growth"), &g); {
	case err == nil:
		if doc, err = o.growthDoc(doc, &g); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return os.WriteFile(o.doc, []byte(doc), 0o644)
}

// replace replaces what is between the marks of a name.
func replace(doc, name, with string) (string, error) {
	begin, end := fmt.Sprintf(beginMark, name), fmt.Sprintf(endMark, name)
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("the document has no %s ... %s", begin, end)
	}
	return head + begin + "\n\n" + strings.TrimSpace(with) + "\n\n" + end + tail, nil
}

// text is a document that grows.
type text struct{ strings.Builder }

func (t *text) line(format string, values ...any) { fmt.Fprintf(t, format+"\n", values...) }

func machineText(m *bench.Machine) string {
	return fmt.Sprintf("%s, %d cores, %s %s, %s", m.CPU, m.Cores, m.OS, m.Kernel, m.Go)
}

// table returns the tables of the bars.
func (f *figures) table() string {
	t := &text{}
	t.line("Measured on %s. Machine: %s. Medians; the load average before the runs was %s.\n", f.stamps(), machineText(&f.Machine), f.loads())
	t.line("| what | ratio | bar | aim | holds |")
	t.line("|---|---|---|---|---|")
	if i := f.Idle; i != nil {
		t.line("| idle joined connection, %d in one process | %.0f bytes | 1,000 bytes | 476 | %s |", i.Connections, i.Live, holds(i.Live, 1000))
	}
	if c := f.Collector; c != nil {
		t.line("| the collector's part of the CPU, %d connections in rooms of 10 | %.2f %% | 2 %% | | %s |", c.Connections, 100*c.Share, holds(c.Share, 0.02))
	}
	for _, r := range f.Rows {
		bar, verdict := "reported", ""
		if r.Bar > 0 {
			bar, verdict = fmt.Sprintf("%.2f", r.Bar), r.verdict(r.Ratio, r.Bar)
		}
		t.line("| %s, %s to %s | %.2f | %s | %s | %s |", r.Name, r.Order[0], r.Against, r.Ratio, bar, optional(r.Aim), verdict)
		if r.LatencyBar > 0 {
			t.line("| the same, 99th percentile of the latency | %.2f | %.2f | | %s |", r.LatencyRatio, r.LatencyBar, r.verdict(r.LatencyRatio, r.LatencyBar))
		}
	}
	t.line("\nThe figures behind the ratios, each the median of its runs:\n")
	t.line("| what | server | runs | CPU a delivery, µs | deliveries a second | p50, ms | p99, ms | faults |")
	t.line("|---|---|---|---|---|---|---|---|")
	for _, r := range f.Rows {
		for _, name := range r.Order {
			runs := r.Runs[name]
			faults := int64(0)
			for _, n := range runs {
				faults += n.Faults
			}
			t.line("| %s | %s | %d | %.2f | %s | %.2f | %.2f | %d |", r.Name, name, len(runs),
				median(values(runs, func(n run) float64 { return n.CPU })),
				thousands(median(values(runs, func(n run) float64 { return n.Delivered }))),
				median(values(runs, func(n run) float64 { return n.P50 })),
				median(values(runs, func(n run) float64 { return n.P99 })), faults)
		}
	}
	if i := f.Idle; i != nil {
		t.line("\nMemory of an idle connection that has joined a room, %d of them: %.0f bytes live after a collection, %.0f resident.", i.Connections, i.Live, i.Resident)
		if i.Tester > 0 {
			t.line("The load tester itself needs %.0f for one.", i.Tester)
		}
		var each []string
		for _, name := range idleContestants() {
			if v, ok := i.Others[name]; ok {
				each = append(each, fmt.Sprintf("%s %s", name, thousands(v)))
			}
		}
		t.line("Resident as it is when all are connected, garbage included, in bytes: %s.", strings.Join(each, ", "))
	}
	return t.String()
}

// stamps says when what was measured.
func (f *figures) stamps() string {
	var all []stamp
	for _, r := range f.Rows {
		all = append(all, r.stamp)
	}
	if f.Idle != nil {
		all = append(all, f.Idle.stamp)
	}
	if f.Collector != nil {
		all = append(all, f.Collector.stamp)
	}
	return span(all)
}

// span returns the first and the last of stamps.
func span(all []stamp) string {
	if len(all) == 0 {
		return "no day"
	}
	slices.SortFunc(all, func(a, b stamp) int { return a.When.Compare(b.When) })
	first, last := all[0], all[len(all)-1]
	if first.Commit == last.Commit {
		return first.String()
	}
	return first.String() + " to " + last.String()
}

// loads returns the smallest and the largest load average before the runs.
func (f *figures) loads() string {
	least, most := -1.0, 0.0
	for _, r := range f.Rows {
		for _, runs := range r.Runs {
			for _, n := range runs {
				if least < 0 || n.Load < least {
					least = n.Load
				}
				most = max(most, n.Load)
			}
		}
	}
	return fmt.Sprintf("%.1f to %.1f", max(least, 0), most)
}

func holds(value, bar float64) string {
	if value <= bar {
		return "yes"
	}
	return fmt.Sprintf("**no**, by %.0f %%", 100*(value/bar-1))
}

func optional(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}

func values(runs []run, value func(run) float64) []float64 {
	var all []float64
	for _, n := range runs {
		all = append(all, value(n))
	}
	return all
}

// thousands writes a number with commas.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// growthDoc writes the charts of how the cost grows, and the document's part about them.
func (o *options) growthDoc(doc string, g *growth) (string, error) {
	t := &text{}
	var all []stamp
	for _, k := range g.Curves {
		all = append(all, k.stamp)
	}
	t.line("Measured on %s. Machine: %s.\n", span(all), machineText(&g.Machine))
	for _, q := range grows() {
		c := chart.Chart{Title: "CPU of a delivery", X: q.chart, Y: "microseconds", LogX: true, LogY: true}
		for _, k := range g.Curves {
			if k.Chart != q.chart {
				continue
			}
			l := chart.Line{Name: k.Contestant, Dashed: k.Contestant == nameBare}
			for _, s := range k.Steps {
				l.Points = append(l.Points, chart.Point{X: s.X, Y: median(values(s.Runs, func(n run) float64 { return n.CPU }))})
			}
			c.Lines = append(c.Lines, l)
		}
		if len(c.Lines) == 0 {
			continue
		}
		file := "growth-" + strings.ReplaceAll(q.chart, " ", "-") + ".svg"
		folder := filepath.Join(filepath.Dir(o.doc), "images")
		if err := os.WriteFile(filepath.Join(folder, file), []byte(c.SVG()), 0o644); err != nil {
			return "", err
		}
		t.line("![CPU of a delivery by %s](images/%s)\n", q.chart, file)
		t.line("By %s; each point the median of %d.\n", q.unit, g.repeated(q.chart))
		g.steps(t, q.chart)
	}
	return replace(doc, "growth", t.String())
}

// steps writes the points of a chart as a table.
func (g *growth) steps(t *text, name string) {
	var curves []curve
	head, rule := "| "+name+" |", "|---|"
	faults := ""
	for _, k := range g.Curves {
		if k.Chart == name {
			curves = append(curves, k)
			head += " " + k.Contestant + ", µs |"
			rule += "---|"
		}
	}
	t.line("%s", head)
	t.line("%s", rule)
	for i, s := range curves[0].Steps {
		line := "| " + thousands(s.X) + " |"
		for _, k := range curves {
			line += fmt.Sprintf(" %.2f |", median(values(k.Steps[i].Runs, func(n run) float64 { return n.CPU })))
			for _, n := range k.Steps[i].Runs {
				if n.Faults > 0 {
					faults += fmt.Sprintf("%s, %s: %d faults. ", thousands(s.X), k.Contestant, n.Faults)
				}
			}
		}
		t.line("%s", line)
	}
	t.line("\n%s", faults)
}

// repeated returns how often each point of a chart was measured.
func (g *growth) repeated(name string) int {
	for _, k := range g.Curves {
		if k.Chart == name && len(k.Steps) > 0 {
			return len(k.Steps[0].Runs)
		}
	}
	return 0
}
