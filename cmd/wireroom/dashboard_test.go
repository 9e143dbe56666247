package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/host"
)

func TestServesTheDashboard(t *testing.T) {
	for _, row := range []struct {
		flags []string
		want  int
	}{
		{nil, http.StatusOK},
		{[]string{"--no-chat"}, http.StatusOK},
		{[]string{"--no-dashboard"}, http.StatusNotFound},
		{[]string{"--paths", "/a"}, http.StatusNotFound}, // it connects to /ws
	} {
		_, url := serve(t, row.flags...)
		if status, _ := get(t, url, "/dashboard"); status != row.want {
			t.Errorf("with %q it is %d, want %d", row.flags, status, row.want)
		}
	}
}

// Readings are numbered, so what was read while nobody looked would be missing from the numbers of those who look.
func TestReadsTheMachineOnlyWhileSomebodyLooks(t *testing.T) {
	_, url := serve(t)
	before := look(t, url, "host/memory", 2)
	look(t, url, "host/cpu", 4) // three seconds
	if after := look(t, url, "host/memory", 1); after > before+1 {
		t.Errorf("the last reading seen is number %d, and the newest after three seconds without members %d", before, after)
	}
	if got := run(t, "pub", "host/memory", "0", "--server", url); got.status != exitRefused {
		t.Errorf("publishing there gives %+v", got)
	}
}

// look prints so many readings of a room, and returns the number of the last.
func look(t *testing.T, url, room string, count int) int {
	t.Helper()
	got := run(t, "sub", room, "--count", strconv.Itoa(count), "--server", url)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	var m struct {
		Pos   string
		Event string
		Data  map[string]any
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil || m.Event == "" || len(m.Data) == 0 {
		t.Fatalf("in %s there is %+v: %v", room, got, err)
	}
	number, err := strconv.Atoi(strings.Split(m.Pos, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestWhoMayLookAtReadingsIsAsTheRulesSay(t *testing.T) {
	c := config.Default()
	own := wireroom.Rule{Pattern: "host/*", Allow: wireroom.Allow{Join: "role:operator"}, Delivery: wireroom.Every}
	rules := withDashboard(&c, []wireroom.Rule{{Pattern: "chat/*"}, own, {Pattern: "**", Allow: wireroom.Allow{Join: "anyone"}}})
	for _, room := range host.Rooms() {
		first := config.First(rules, room)
		if first.Pattern != room || first.Allow.Join != "role:operator" || first.Delivery != wireroom.Latest || first.Content.Validate == nil {
			t.Errorf("%s: %+v", room, first)
		}
	}
	if other := config.First(rules, "host/other"); other.Pattern != "host/*" {
		t.Errorf("another room: %+v", other)
	}
}
