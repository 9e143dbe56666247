package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/test/faults/internal/result"
)

// root is that of the module.
const root = "../.."

// A bug that no fault must catch proves nothing, nor does one that none was seen to catch.
func TestEverySeededBugWasCaught(t *testing.T) {
	named := make(map[string]bool)
	bugs, err := result.ReadBugs("../results/mutants.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults() {
		for _, tag := range f.Mutants {
			named[tag] = true
			caught := func(b result.Bug) bool { return b.Fault == f.Name && b.Tag == tag && b.Caught }
			if !slices.ContainsFunc(bugs, caught) {
				t.Errorf("%s was not seen to catch %s: make mutants", f.Name, tag)
			}
		}
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		tag := strings.TrimSuffix(entry.Name(), ".go")
		switch {
		case entry.IsDir() && slices.Contains([]string{"node_modules", ".git", ".cache", "testdata"}, entry.Name()):
			return filepath.SkipDir
		case tag != entry.Name() && strings.HasPrefix(tag, "mut_") && !strings.HasSuffix(tag, "_off") && !named[tag]:
			t.Errorf("no fault must catch %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What docs/guarantees.md says of a promise's tests is there: the faults, and the tests.
func TestTheDocumentNamesTestsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := string(text)
	suite := make(map[string]bool)
	for _, f := range faults() {
		suite[f.Name] = true
		if !strings.Contains(document, "\n| "+f.Name+" | ") {
			t.Errorf("%s is not explained", f.Name)
		}
	}
	for _, name := range regexp.MustCompile(`\bF\d+\b`).FindAllString(document, -1) {
		if !suite[name] {
			t.Errorf("there is no fault %s", name)
		}
	}
	named := make(map[string]bool)
	for _, name := range regexp.MustCompile("`(Test[A-Z]\\w+)").FindAllStringSubmatch(document, -1) {
		named[name[1]] = true
	}
	if len(named) < 20 {
		t.Errorf("%d tests are named, besides the faults", len(named))
	}
	if _, err := findTests(root, named); err != nil {
		t.Error(err)
	}
	for _, table := range []string{"## What is promised", "## What an engine adds or lacks"} {
		_, rest, _ := strings.Cut(document, table)
		rows := 0
		for line := range strings.Lines(strings.SplitN(rest, "\n## ", 2)[0]) {
			if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise |") || strings.HasPrefix(line, "| | ") {
				continue
			}
			if rows++; !strings.Contains(line, "`Test") && !regexp.MustCompile(`\bF\d+\b`).MatchString(line) {
				t.Errorf("no test is named for %.60s...", line)
			}
		}
		if rows < 4 {
			t.Errorf("%q has %d rows", table, rows)
		}
	}
}
