package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is that of the module.
const root = "../.."

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
