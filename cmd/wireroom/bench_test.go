package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/internal/bench"
)

// measure runs bench against a server of its own and returns the report.
func measure(t *testing.T, arguments ...string) bench.Report {
	t.Helper()
	server, url := serve(t)
	return measureAt(t, url, append(arguments, "--pid", strconv.Itoa(server.command.Process.Pid))...)
}

func measureAt(t *testing.T, url string, arguments ...string) (r bench.Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	got := run(t, append([]string{"bench", "--server", url, "--json", file, "--warmup", "0s"}, arguments...)...)
	if got.status != exitDone {
		t.Fatalf("bench %v: status %d: %s", arguments, got.status, got.err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBenchFindsNoFault runs every scenario for a moment: with a server that keeps its promises, whatever is published
// reaches everybody once and in order, also those that were cut, moved on or stopped reading.
func TestBenchFindsNoFault(t *testing.T) {
	t.Parallel()
	for _, scenario := range bench.Scenarios() {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			r := measure(t, scenario, "-n", "60", "--rooms", "3", "-d", "2s", "--stay", "500ms")
			if r.Totals.Faults() != 0 || r.Totals.Delivered != r.Totals.Expected || r.Totals.Foreign != 0 || r.Totals.Lost != 0 {
				t.Errorf("%+v, errors %v", r.Totals, r.Errors)
			}
			if published := scenario != "idle"; (r.Totals.Published > 0) != published || (r.Totals.Delivered > 0) != published {
				t.Errorf("published %d, delivered %d", r.Totals.Published, r.Totals.Delivered)
			}
			if r.Totals.Connected < 60 || r.Server == nil || r.Server.MemoryConnected == 0 || len(r.Series) == 0 {
				t.Errorf("%d connected, server %+v, %d seconds", r.Totals.Connected, r.Server, len(r.Series))
			}
			if scenario == "storm" && r.Totals.Returned != 60 {
				t.Errorf("%d of 60 came back after the storm", r.Totals.Returned)
			}
		})
	}
}

// TestBenchOfLargeMessages has more outstanding than a socket takes.
func TestBenchOfLargeMessages(t *testing.T) {
	t.Parallel()
	r := measure(t, "fan-out", "-n", "30", "--size", "65000", "--window", "24", "--publishers", "1", "-d", "1s")
	delete(r.Errors, "publish: rate_limited") // the server's bound on bytes
	if r.Totals.Faults() != 0 || len(r.Errors) != 0 || r.Totals.Delivered == 0 {
		t.Errorf("%+v, errors %v", r.Totals, r.Errors)
	}
}

// TestBenchOfSeveralProcesses shares one room out to three processes: every message reaches all, whichever process
// published it.
func TestBenchOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	r := measure(t, "fan-out", "-n", "30", "--processes", "3", "--window", "6", "-d", "1s", "--publishers", "2", "--replies")
	if r.Options.Processes != 3 || r.Totals.Faults() != 0 || r.Totals.Delivered != 30*(r.Totals.Published-r.Totals.Refused) || r.Totals.Published == 0 {
		t.Errorf("%+v, errors %v", r.Totals, r.Errors)
	}
}

// TestBenchSaysWhatWasRefused publishes more than a client may: what is refused is counted, and not expected.
func TestBenchSaysWhatWasRefused(t *testing.T) {
	t.Parallel()
	_, url := serve(t, "--limits-publish-rate", "1", "--limits-publish-burst", "5")
	r := measureAt(t, url, "fan-out", "-n", "2", "--rate", "100", "-d", "1s")
	if r.Totals.Refused < 50 || r.Totals.Faults() != 0 || r.Errors["publish: rate_limited"] != r.Totals.Refused {
		t.Errorf("%+v, errors %v", r.Totals, r.Errors)
	}
}

// TestBenchReportsWhatItHas interrupts a long test.
func TestBenchReportsWhatItHas(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	folder := t.TempDir()
	files := make(map[string]string)
	arguments := []string{"bench", "fan-out", "--server", url, "-n", "10", "--rate", "50", "-d", "1h", "--warmup", "0s"}
	for _, kind := range []string{"json", "csv", "html"} {
		files[kind] = filepath.Join(folder, "report."+kind)
		arguments = append(arguments, "--"+kind, files[kind])
	}
	p := start(t, command(t, nil, arguments...))
	p.says("measure")
	p.signal(os.Interrupt)
	if status := p.status(); status != exitDone {
		t.Fatalf("status %d: %s", status, p.errors)
	}
	for kind, wants := range map[string][]string{
		"json": {`"interrupted": true`, `"scenario": "fan-out"`},
		"csv":  {"second,phase,", ",measure,"},
		"html": {"<svg", "Interrupted", "fan-out"},
	} {
		content, err := os.ReadFile(files[kind])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(content), want) {
				t.Errorf("the %s has no %q: %.300s", kind, want, content)
			}
		}
	}
}

// TestBenchWithoutAServer says that there is none.
func TestBenchWithoutAServer(t *testing.T) {
	t.Parallel()
	p, url := serve(t)
	_ = p.command.Process.Kill()
	<-p.ended
	got := run(t, "bench", "echo", "--server", url, "-n", "3")
	if got.status != exitUnreachable || !strings.Contains(got.err, "connection refused") {
		t.Errorf("status %d: %s", got.status, got.err)
	}
	for _, wrong := range [][]string{{"nonsense"}, {"fan-out", "--rate", "1", "--window", "1"}, {"chat", "--speak", "echo"}} {
		if got := run(t, append([]string{"bench"}, wrong...)...); got.status != exitUsage {
			t.Errorf("bench %v: status %d: %s", wrong, got.status, fmt.Sprint(got.err))
		}
	}
}
