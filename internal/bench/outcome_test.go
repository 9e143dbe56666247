package bench

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// outcomeOf returns a report of a test that was not interrupted, in which 8 of 10 connections are left at the end.
func outcomeOf(t *testing.T, server usage) *Report {
	t.Helper()
	o := Options{Scenario: scenarioFanOut, Connections: 10, Window: 3, PIDs: []int{os.Getpid()}}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	at := func(seconds int, open, delivered int64, server usage) moment {
		return moment{at: begin.Add(time.Duration(seconds) * time.Second), counts: Counts{Open: open, Delivered: delivered}, server: server, tester: usage{Memory: 5000}}
	}
	x := &test{options: o, started: begin, window: 6}
	x.first = at(0, 0, 0, usage{Known: true, Memory: 1000})
	m := &measurement{
		connected: at(1, 10, 0, usage{Known: true, Memory: 11000}),
		from:      at(2, 10, 0, usage{Known: true, CPU: time.Second}),
		to:        at(4, 8, 1000, server),
	}
	x.counts = m.to.counts
	r := x.report(m)
	r.count(&x.counts, 0, 0, &o)
	return r
}

// TestMemoryIsOfTheConnectionsThatThereWere divides by those that were open when the memory was read.
func TestMemoryIsOfTheConnectionsThatThereWere(t *testing.T) {
	r := outcomeOf(t, usage{Known: true, CPU: 3 * time.Second})
	if r.Server == nil || r.Server.MemoryEach != 1000 || r.Tester.MemoryEach != 500 || r.Server.CPUPerDelivery != 2000 {
		t.Errorf("server %+v, tester %+v", r.Server, r.Tester)
	}
	if r.Options.Window != 6 {
		t.Errorf("a window of %d, and workers with 6", r.Options.Window)
	}
}

// TestNothingIsSaidOfAServerThatEnded: a process that has ended uses nothing, which is no measurement.
func TestNothingIsSaidOfAServerThatEnded(t *testing.T) {
	r := outcomeOf(t, usage{})
	if r.Server != nil || len(r.Errors) != 1 {
		t.Errorf("server %+v, errors %v", r.Server, r.Errors)
	}
	p := exec.Command(os.Args[0], "-test.run=^$")
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if u := usageOf(p.Process.Pid); u != (usage{}) {
		t.Errorf("%+v of a process that has ended", u)
	}
	if u := usageOf(os.Getpid(), p.Process.Pid); u.Known {
		t.Errorf("%+v of two, of which one has ended", u)
	}
	if u := usageOf(); u.Known {
		t.Errorf("%+v of none", u)
	}
}

// TestReportsSayWhatWentWrong shows what is not 0, and nothing else.
func TestReportsSayWhatWentWrong(t *testing.T) {
	r := &Report{
		Options: Setup{Scenario: scenarioFanOut}, Latency: map[string]Distribution{},
		Totals: Totals{
			Expected: 1e9, Delivered: 1e9 - 1, Missing: 1, Late: 11, Expired: 12, Unproven: 13, Failed: 14, Lost: 15, Refused: 16, Unsent: 17,
			Unanswered: 18, Foreign: 19,
		},
		Errors: map[string]int64{plain("\x1b[2J<script>"): 1},
	}
	var text, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"text": text.String(), "page": page.String()} {
		for _, want := range []string{"late", "expired", "unproven", "failed", "lost", "refused", "unsent", "not answered 18", "foreign", "99.9999 %"} {
			if !strings.Contains(got, want) {
				t.Errorf("the %s has no %q", name, want)
			}
		}
		if strings.Contains(got, "\x1b") || strings.Contains(got, "<script>") && name == "page" {
			t.Errorf("the %s has what a server says as it is", name)
		}
	}
	r.Totals, r.Errors = Totals{Expected: 5, Delivered: 5}, nil
	text.Reset()
	_ = r.WriteText(&text)
	for _, unwanted := range []string{"late", "unsent", "refused"} {
		if strings.Contains(text.String(), unwanted) {
			t.Errorf("%q where there was nothing", unwanted)
		}
	}
	if !strings.Contains(text.String(), "100 %") {
		t.Errorf("%s", text.String())
	}
}
