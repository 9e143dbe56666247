// Package chart draws line charts as SVG that needs nothing else: no script, no font, no colour that is only right on
// one background.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Chart is a line chart. Points whose values are not above 0 are left out of a logarithmic axis.
type Chart struct {
	Title  string
	X, Y   string // what the axes are of, with the unit
	LogX   bool
	LogY   bool
	Lines  []Line
	Labels []string // under the x axis, at 0, 1, 2, ..., in the place of numbers
}

// Line is one line of a chart.
type Line struct {
	Name   string
	Points []Point
	Dashed bool
}

// Point is one point of a line.
type Point struct{ X, Y float64 }

// The measures of a chart, in the units of its viewBox.
const (
	width, height            = 480.0, 270.0
	left, right, top, bottom = 54.0, 14.0, 30.0, 58.0
	wantedTicks              = 5
	maxMarks                 = 80 // points of a line, up to which each is marked and tells its value
)

// Style is the style sheet that the charts of a page share; SVG includes it.
const Style = `.chart{--c0:#2563eb;--c1:#d97706;--c2:#059669;--c3:#c026d3;--c4:#dc2626;--c5:#0891b2;--ink:#374151;--grid:#d1d5db;--paper:#fff;` +
	`font:12px system-ui,sans-serif;color:var(--ink)}` +
	`@media(prefers-color-scheme:dark){.chart{--c0:#60a5fa;--c1:#fbbf24;--c2:#34d399;--c3:#e879f9;--c4:#f87171;--c5:#22d3ee;--ink:#d1d5db;--grid:#374151;--paper:#111827}}` +
	`.chart text{fill:var(--ink)}.chart .title{font-size:14px;font-weight:600}.chart .grid{stroke:var(--grid);stroke-width:1}` +
	`.chart .line{fill:none;stroke-width:2;stroke-linejoin:round}.chart .dashed{stroke-dasharray:5 4}.chart .paper{fill:var(--paper)}`

// SVG returns the chart as an SVG document.
func (c *Chart) SVG() string {
	return c.svg(` xmlns="http://www.w3.org/2000/svg"`, "<style>"+Style+`</style><rect class="paper" width="100%" height="100%"/>`)
}

// Inline returns the chart as an element of a page that has Style.
func (c *Chart) Inline() string { return c.svg("", "") }

func (c *Chart) svg(attributes, before string) string {
	b := &strings.Builder{}
	x, y := c.scales()
	fmt.Fprintf(b, `<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label=%q%s>%s`, width, height, html.EscapeString(c.Title), attributes, before)
	fmt.Fprintf(b, `<text class="title" x="%g" y="18">%s</text>`, left, html.EscapeString(c.Title))
	c.axes(b, x, y)
	for i := range c.Lines {
		c.line(b, i, x, y)
	}
	c.legend(b)
	b.WriteString("</svg>\n")
	return b.String()
}

// axes draws the grid and what it means.
func (c *Chart) axes(b *strings.Builder, x, y scale) {
	for _, v := range y.ticks() {
		at := y.at(v)
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, left, width-right, at, at)
		fmt.Fprintf(b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-6, at+4, short(v))
	}
	ticks := x.ticks()
	if c.Labels != nil {
		ticks = nil
		for i := range c.Labels {
			ticks = append(ticks, float64(i))
		}
	}
	for i, v := range ticks {
		text := short(v)
		if c.Labels != nil {
			text = c.Labels[i]
		}
		at, anchor := x.at(v), "middle"
		if at > width-right-1 { // what is longer than the margin would be cut
			at, anchor = width-1, "end"
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, at, height-bottom+15, anchor, html.EscapeString(text))
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="end">%s</text>`, width-right, height-bottom+30, html.EscapeString(c.X))
	fmt.Fprintf(b, `<text x="%g" y="18" text-anchor="end">%s</text>`, width-right, html.EscapeString(c.Y))
}

// line draws one line and, if there are few, its points.
func (c *Chart) line(b *strings.Builder, i int, x, y scale) {
	l := &c.Lines[i]
	if len(l.Points) == 0 {
		return
	}
	var path strings.Builder
	for _, p := range l.Points {
		if x.has(p.X) && y.has(p.Y) {
			fmt.Fprintf(&path, "%.1f,%.1f ", x.at(p.X), y.at(p.Y))
		}
	}
	class := "line"
	if l.Dashed {
		class = "line dashed"
	}
	fmt.Fprintf(b, `<polyline class="%s" stroke="var(--c%d)" points="%s"/>`, class, i%6, strings.TrimSpace(path.String()))
	if len(l.Points) > maxMarks {
		return
	}
	for _, p := range l.Points {
		if x.has(p.X) && y.has(p.Y) {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="var(--c%d)"><title>%s: %s at %s</title></circle>`,
				x.at(p.X), y.at(p.Y), i%6, html.EscapeString(l.Name), short(p.Y), short(p.X))
		}
	}
}

// legend names the lines, from left to right.
func (c *Chart) legend(b *strings.Builder) {
	at := left
	for i, l := range c.Lines {
		if l.Name == "" {
			continue
		}
		fmt.Fprintf(b, `<line x1="%g" x2="%g" y1="%g" y2="%g" stroke="var(--c%d)" stroke-width="3"/>`, at, at+14, height-10, height-10, i%6)
		fmt.Fprintf(b, `<text x="%g" y="%g">%s</text>`, at+18, height-6, html.EscapeString(l.Name))
		at += 30 + 6.8*float64(len([]rune(l.Name)))
	}
}

func (c *Chart) scales() (x, y scale) {
	x = scale{log: c.LogX, from: left, to: width - right, low: math.Inf(1), high: math.Inf(-1)}
	y = scale{log: c.LogY, from: height - bottom, to: top, low: math.Inf(1), high: math.Inf(-1)}
	if !c.LogY {
		y.low = 0
	}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			x.cover(p.X)
			y.cover(p.Y)
		}
	}
	x.settle()
	y.settle()
	if !c.LogY {
		y.high += (y.high - y.low) / 20
	}
	return x, y
}

// scale turns values into places.
type scale struct {
	log       bool
	low, high float64 // values
	from, to  float64 // places
}

// has reports whether the scale has a place for v.
func (s *scale) has(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!s.log || v > 0)
}

func (s *scale) cover(v float64) {
	if s.has(v) {
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// settle makes the scale one that can be drawn, whatever it covers.
func (s *scale) settle() {
	if s.low > s.high {
		s.low, s.high = 1, 1
	}
	if s.low == s.high && s.log {
		s.low, s.high = s.low/2, s.high*2
	} else if s.low == s.high {
		s.high++
	}
}

// at returns the place of v.
func (s *scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return s.from + (v-low)/(high-low)*(s.to-s.from)
}

// ticks returns round values within the scale.
func (s *scale) ticks() []float64 {
	if s.log {
		return s.logTicks()
	}
	step := math.Pow(10, math.Floor(math.Log10((s.high-s.low)/wantedTicks)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (s.high-s.low)/(step*m) <= wantedTicks+1 {
			step *= m
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(s.low / step); i*step <= s.high*(1+1e-9); i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

func (s *scale) logTicks() []float64 {
	multiples := []float64{1, 2, 5}
	if decades := math.Log10(s.high / s.low); decades > 4 {
		multiples = []float64{1}
	} else if decades > 2.5 {
		multiples = []float64{1, 3}
	}
	var ticks []float64
	for decade := math.Floor(math.Log10(s.low)); decade <= math.Log10(s.high); decade++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, decade); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// short writes a number with at most three digits that count.
func short(v float64) string {
	suffix := ""
	for _, unit := range []struct {
		from   float64
		suffix string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if math.Abs(v) >= unit.from {
			divisor := unit.from
			if unit.suffix == "k" {
				divisor = 1e3
			}
			v, suffix = v/divisor, unit.suffix
			break
		}
	}
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64) + suffix
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + suffix
}
