//go:build unix

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func measured(runs, against []run) *outcome {
	o := &outcome{Against: "b", Bar: 1.5, Order: []string{"a", "b"}, Runs: map[string][]run{"a": runs, "b": against}}
	o.Ratio = ratio(o, "a", func(n run) float64 { return n.CPU })
	return o
}

func TestOnlyWhatWasMeasuredWithoutFaultsHolds(t *testing.T) {
	for name, row := range map[string]struct {
		runs, against []run
		want          string
	}{
		"good":          {[]run{{CPU: 3}, {CPU: 1}, {CPU: 30}}, []run{{CPU: 2}, {CPU: 2}, {CPU: 2}}, "yes"},
		"bad":           {[]run{{CPU: 4}}, []run{{CPU: 2}}, "**no**, by 33 %"},
		"nothing came":  {[]run{{CPU: 0}}, []run{{CPU: 2}}, "**no**, it was not measured"},
		"no run":        {nil, []run{{CPU: 2}}, "**no**, it was not measured"},
		"no comparison": {[]run{{CPU: 3}}, nil, "**no**, it was not measured"},
		"faults":        {[]run{{CPU: 1}, {CPU: 1, Faults: 2}}, []run{{CPU: 2}, {CPU: 2}}, "**no**, with 2 faults"},
		"its faults":    {[]run{{CPU: 1}}, []run{{CPU: 2, Faults: 7}}, "yes"},
	} {
		o := measured(row.runs, row.against)
		if got := o.verdict(o.Ratio, o.Bar); got != row.want {
			t.Errorf("%s: %q of %v, want %q", name, got, o.Ratio, row.want)
		}
	}
}

func TestFiguresKeepWhenTheyWereMeasured(t *testing.T) {
	early := stamp{time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), "aaa"}
	late := stamp{early.When.Add(time.Hour), "bbb"}
	f := &figures{Rows: []outcome{{stamp: late, Name: "x"}}, Idle: &idle{stamp: early}}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var again figures
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	again.set(&outcome{stamp: stamp{late.When.Add(time.Hour), "ccc"}, Name: "y"}) // only this was measured anew
	if got := again.stamps(); !strings.HasPrefix(got, "2026-01-02 03:04 UTC at commit `aaa` to ") || !strings.HasSuffix(got, "`ccc`") || again.Rows[0].stamp != late {
		t.Errorf("%s, %+v", got, again.Rows)
	}
}
