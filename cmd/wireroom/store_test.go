package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wireroom/wireroom/engine/disk"
)

// damagedStore returns the directory of a server that was killed, and whose log is damaged in a message of room1, and
// the positions of what was published there.
func damagedStore(t *testing.T) (data string, positions []string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	server, url := serve(t, "--data", data)
	for i := range 6 {
		room := fmt.Sprint("room", i%2)
		published := read(t, run(t, "pub", room, fmt.Sprint("text-", i, "-"), "--server", url).out)
		if len(published) != 1 {
			t.Fatalf("published %+v", published)
		}
		if room == "room1" {
			positions = append(positions, published[0].Pos)
		}
	}
	if got := run(t, "log", "inspect", data); got.status != exitFailed || !strings.Contains(got.err, "a server has the store open") {
		t.Errorf("inspecting what is open gives %+v", got)
	}
	if got := run(t, "log", "repair", data); got.status != exitFailed || !strings.Contains(got.err, "a server has the store open") {
		t.Errorf("repairing what is open gives %+v", got)
	}
	server.signal(syscall.SIGKILL)
	server.status()
	logs, err := filepath.Glob(filepath.Join(data, messagesName, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the logs are %v, %v", logs, err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := strings.Index(string(text), "text-3-"); at >= 0 {
			text[at] ^= 1
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return data, positions
}

func TestDamagedStoreIsInspectedAndRepaired(t *testing.T) {
	data, positions := damagedStore(t)
	got := run(t, "serve", "--listen", "127.0.0.1:0", "--data", data)
	if got.status != exitFailed || !strings.Contains(got.err, ".log") || !strings.Contains(got.err, "offset ") {
		t.Fatalf("serving what is damaged gives %+v", got)
	}
	got = run(t, "log", "inspect", data)
	if got.status != exitFailed || !strings.Contains(got.out, "room1") || !strings.Contains(got.out, "offset ") || !strings.Contains(got.err, "repair") {
		t.Fatalf("inspecting gives %+v", got)
	}
	var report disk.Report
	got = run(t, "log", "inspect", data, "--json")
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || len(report.Damaged()) != 1 || report.Damaged()[0] != "room1" {
		t.Fatalf("the report is %+v, %v", report, err)
	}
	before, _ := filepath.Glob(filepath.Join(data, messagesName, "*"))
	got = run(t, "log", "repair", data, "--dry-run")
	after, _ := filepath.Glob(filepath.Join(data, messagesName, "*"))
	if got.status != exitDone || !strings.Contains(got.out, "room1 would get a new epoch") || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Fatalf("a dry run gives %+v, and leaves %v", got, after)
	}
	got = run(t, "log", "repair", data)
	if got.status != exitDone || !strings.Contains(got.out, "room1 got a new epoch") || !strings.Contains(got.out, "is kept in") {
		t.Fatalf("repairing gives %+v", got)
	}
	if got = run(t, "log", "inspect", data); got.status != exitDone || strings.Contains(got.out, "damage:") {
		t.Fatalf("inspecting what was repaired gives %+v", got)
	}
	_, url := serve(t, "--data", data)
	for room, want := range map[string]int{"room0": 3, "room1": 1} { // of the damaged one, what is behind the damage
		got := run(t, "sub", room, "--last", "10", "--count", fmt.Sprint(want), "--server", url)
		if messages := read(t, got.out); got.status != exitDone || len(messages) != want {
			t.Fatalf("%s has %+v, want %d messages", room, got, want)
		}
	}
	sub := start(t, command(t, nil, "sub", "room1", "--since", positions[0], "--server", url))
	if line := sub.line(); !strings.Contains(line, `"epoch"`) {
		t.Fatalf("since what was before the repair it says %s", line)
	}
}

func TestLogCommandsSayWhatIsWrong(t *testing.T) {
	for _, verb := range []string{"inspect", "repair"} {
		if got := run(t, "log", verb, filepath.Join(t.TempDir(), "nowhere")); got.status != exitFailed || !strings.Contains(got.err, "--data") && !strings.Contains(got.err, "serve") {
			t.Errorf("%s of what is not there gives %+v", verb, got)
		}
		if got := run(t, "log", verb, t.TempDir()); got.status != exitFailed || !strings.Contains(got.err, "no store is there") {
			t.Errorf("%s of an empty directory gives %+v", verb, got)
		}
	}
}
