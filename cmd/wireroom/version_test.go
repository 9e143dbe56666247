package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestDescribesTheSource(t *testing.T) {
	settings := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for n, want := range map[int]string{
		0: "", 1: "commit 0123456789ab", 2: "commit 0123456789ab of 2026-01-02T03:04:05Z", 3: "commit 0123456789ab of 2026-01-02T03:04:05Z with changes",
	} {
		if got := strings.Join(describeSource(settings[:n]), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	settings[2].Value = "false"
	if got := strings.Join(describeSource(settings), " "); strings.Contains(got, "changes") {
		t.Errorf("got %q", got)
	}
}
