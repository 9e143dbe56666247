package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const readme = "../README.md"

func TestProgramOfTheReadmeBuilds(t *testing.T) {
	programs := fencesOf(t, read(t, readme), "go")
	if len(programs) != 1 {
		t.Fatalf("%d programs, want 1", len(programs))
	}
	folder := t.TempDir()
	source := filepath.Join(folder, "main.go")
	if err := os.WriteFile(source, []byte(programs[0].text), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "program"), source)
	build.Dir = root // a file that is named on the command line belongs to the module of the folder
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// TestPageOfTheReadmeCanBeTaken holds the page to what lets a test run it in a browser against a server of its own.
func TestPageOfTheReadmeCanBeTaken(t *testing.T) {
	taken := fencesOf(t, read(t, readme), "html")
	if len(taken) != 1 {
		t.Fatalf("%d pages, want 1", len(taken))
	}
	page := taken[0].text
	if lines := strings.Count(page, "\n"); lines > 30 {
		t.Errorf("the page has %d lines", lines)
	}
	if n := strings.Count(page, `"ws://127.0.0.1:8080/ws"`); n != 1 {
		t.Errorf("the server's address stands there %d times, want 1", n)
	}
	if strings.Contains(page, "innerHTML") || !strings.Contains(page, "textContent") {
		t.Error("the page must show messages as text")
	}
}
