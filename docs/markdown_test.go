package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the folder of this repository.
const root = ".."

// specification is the page that says what travels between a client and a server.
const specification = "protocol.md"

// fence is a fenced block of a page.
type fence struct {
	info string // what follows the opening fence
	line int    // of the opening fence, from 1 on
	text string
}

// fences returns the fenced blocks of a page.
func fences(page string) []fence {
	var all []fence
	var open *fence
	for i, line := range strings.Split(page, "\n") {
		info, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &fence{info: info, line: i + 1}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// fencesOf returns the blocks of a page whose info begins with the word kind. There must be some.
func fencesOf(t *testing.T, page, kind string) []fence {
	t.Helper()
	var found []fence
	for _, f := range fences(page) {
		if word, _, _ := strings.Cut(f.info, " "); word == kind {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		t.Fatalf("there is no block of the kind %q", kind)
	}
	return found
}

// prose returns a page without its fenced blocks, line by line.
func prose(page string) []string {
	lines := strings.Split(page, "\n")
	inside := false
	for i, line := range lines {
		isFence := strings.HasPrefix(line, "```")
		if isFence {
			inside = !inside
		}
		if isFence || inside {
			lines[i] = ""
		}
	}
	return lines
}

// section returns the part of a page from the heading that begins with title up to the next one of its level.
func section(t *testing.T, page, title string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+title)
	if !found {
		t.Fatalf("no heading begins with %q", title)
	}
	level, _, _ := strings.Cut(title, " ")
	text, _, _ := strings.Cut(rest, "\n"+level+" ")
	return text
}

// rows returns the cells of the tables in a part of a page, without the heads.
func rows(text string) [][]string {
	var all [][]string
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, cells)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages returns the paths of the project's documents: those at the root, and all below docs.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".md") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
