package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"

	"github.com/wireroom/wireroom/internal/bench/chart"
)

//go:embed report.html
var pageText string

// page is what the report's page shows.
type page struct {
	*Report
	Style  template.CSS
	Charts []template.HTML
	Facts  []fact
	Times  []timed
	Beside []trouble
	Load   string
}

// fact is one figure.
type fact struct{ Name, Value, Note string }

// timed is a row of the table of times.
type timed struct {
	Name string
	Distribution
}

// WriteHTML writes the report as a page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Parse(pageText)
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	p := page{Report: r, Style: template.CSS(chart.Style), Load: r.Options.load(), Beside: r.Totals.troubles()}
	for _, c := range r.charts() {
		p.Charts = append(p.Charts, template.HTML(c.Inline())) //nolint:gosec // the charts escape what is in them
	}
	p.Facts = r.facts()
	for _, kind := range kindNames {
		if d, ok := r.Latency[kind]; ok {
			p.Times = append(p.Times, timed{kind, d})
		}
	}
	return t.Execute(w, &p)
}

func (r *Report) facts() []fact {
	t := &r.Totals
	facts := []fact{
		{"published", fmt.Sprintf("%.1f/s", r.Rates.Published), fmt.Sprintf("%d in all, %d refused", t.Published, t.Refused)},
		{"delivered", fmt.Sprintf("%.0f/s", r.Rates.Delivered), fmt.Sprintf("%s of %d", percent(t.Share()), t.Expected)},
		{"faults", fmt.Sprint(t.Faults()), t.faults()},
		{"connections", fmt.Sprint(t.Connected), fmt.Sprintf("%d failed, %d lost", t.Failed, t.Lost)},
	}
	if s := r.Server; s != nil {
		facts = append(facts,
			fact{"server CPU", fmt.Sprintf("%.3f µs", s.CPUPerDelivery), fmt.Sprintf("a delivery; %.2f s in %.1f s", s.CPUSeconds, r.Seconds)},
			fact{"server memory", fmt.Sprintf("%d B", max(0, s.MemoryEach)), fmt.Sprintf("a connection, garbage included; %.1f MB at the most", float64(s.MemoryPeak)/1e6)})
	}
	return append(facts, fact{"this program", fmt.Sprintf("%.2f s", r.Tester.CPUSeconds), fmt.Sprintf("of CPU; %d B a connection", r.Tester.MemoryEach)})
}

// charts returns the charts of a report.
func (r *Report) charts() []chart.Chart {
	series := func(value func(s *Sample) float64) []chart.Point {
		var points []chart.Point
		for i := range r.Series {
			points = append(points, chart.Point{X: r.Series[i].Second, Y: value(&r.Series[i])})
		}
		return points
	}
	charts := []chart.Chart{
		{Title: "Delivered", X: "seconds", Y: "messages a second", Lines: []chart.Line{
			{Name: "delivered", Points: series(func(s *Sample) float64 { return s.Delivered })},
		}},
		{Title: "Latency", X: "seconds", Y: "milliseconds", LogY: true, Lines: []chart.Line{
			{Name: "p50", Points: series(func(s *Sample) float64 { return s.P50 })},
			{Name: "p99", Points: series(func(s *Sample) float64 { return s.P99 })},
			{Name: "slowest", Points: series(func(s *Sample) float64 { return s.Max })},
		}},
		r.curves(),
		{Title: "Connections", X: "seconds", Y: "", Lines: []chart.Line{
			{Name: "open", Points: series(func(s *Sample) float64 { return float64(s.Open) })},
			{Name: "joined", Dashed: true, Points: series(func(s *Sample) float64 { return float64(s.Joined) })},
		}},
	}
	if r.Server != nil {
		charts = append(
			charts,
			chart.Chart{Title: "Server CPU", X: "seconds", Y: "cores", Lines: []chart.Line{
				{Name: "user and system", Points: series(func(s *Sample) float64 { return s.CPU })},
			}},
			chart.Chart{Title: "Server memory", X: "seconds", Y: "megabytes", Lines: []chart.Line{
				{Name: "resident, anonymous", Points: series(func(s *Sample) float64 { return float64(s.Memory) / 1e6 })},
			}},
		)
	}
	return charts
}

// curves returns the distribution of what was timed. Each nine of a percentile is as wide as the one before.
func (r *Report) curves() chart.Chart {
	c := chart.Chart{Title: "Latency by percentile", X: "percentile", Y: "milliseconds", LogY: true}
	c.Labels = []string{"0", "90", "99", "99.9", "99.99", "99.999"}
	last := float64(len(c.Labels) - 1)
	for _, kind := range kindNames {
		d, ok := r.Latency[kind]
		if !ok {
			continue
		}
		l := chart.Line{Name: kind}
		for _, p := range d.Curve {
			if nines := -math.Log10(1 - min(p.Percentile, 99.99999)/100); nines <= last {
				l.Points = append(l.Points, chart.Point{X: nines, Y: p.Value})
			}
		}
		c.Lines = append(c.Lines, l)
	}
	c.Lines = append(c.Lines, chart.Line{Points: []chart.Point{{X: 0}, {X: last}}}) // the axis is whole
	return c
}

// When returns when the test was started.
func (r *Report) When() string { return r.Started.UTC().Format(time.RFC1123) }
