package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// TestChartsAreWholeWhateverTheyShow draws what is hard to draw.
func TestChartsAreWholeWhateverTheyShow(t *testing.T) {
	for name, c := range map[string]Chart{
		"nothing":      {Title: "a < b & c"},
		"one point":    {LogX: true, LogY: true, Lines: []Line{{Name: "<x>", Points: []Point{{5, 5}}}}},
		"no numbers":   {Lines: []Line{{Points: []Point{{math.NaN(), 1}, {1, math.Inf(1)}, {2, 2}}}}},
		"zero and log": {LogY: true, Lines: []Line{{Points: []Point{{0, 0}, {1, -5}, {2, 10}}}}},
		"flat":         {Lines: []Line{{Points: []Point{{1, 3}, {2, 3}}}}},
		"wide":         {LogX: true, LogY: true, Lines: []Line{{Points: []Point{{1e-6, 1e-9}, {1e9, 1e12}}}}},
		"labels":       {Labels: []string{"a", "b"}, Lines: []Line{{Dashed: true, Points: []Point{{0, 1}, {1, 2}}}}},
	} {
		svg := c.SVG()
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v in %s", name, err, svg)
				break
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: a place that is no number: %s", name, svg)
		}
		if strings.Count(svg, "<text") > 60 {
			t.Errorf("%s: %d texts", name, strings.Count(svg, "<text"))
		}
	}
}

func TestPointsStandWhereTheirValuesAre(t *testing.T) {
	s := scale{log: true, low: 1, high: 100, from: 0, to: 200}
	for v, want := range map[float64]float64{1: 0, 10: 100, 100: 200} {
		if got := s.at(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%g stands at %g, not at %g", v, got, want)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 5000: "5000", 19000: "19k", 2.5e6: "2.5M", 123456: "123k", 3e9: "3G"} {
		if got := short(v); got != want {
			t.Errorf("%g is written %s, not %s", v, got, want)
		}
	}
}
