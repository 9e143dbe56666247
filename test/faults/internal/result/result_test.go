package result_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/test/faults/internal/result"
)

// The figures in the documents are those of the results: `go run ./test/faults figures` writes them.
func TestDocumentsHaveTheFiguresOfTheResults(t *testing.T) {
	runs, err := result.Read("../../../results/faults.json")
	if err != nil || len(runs) == 0 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	bugs, err := result.ReadBugs("../../../results/mutants.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range result.Documents() {
		document, err := os.ReadFile(filepath.Join("../../../..", path))
		if err != nil {
			t.Fatal(err)
		}
		want, err := result.Insert(string(document), runs, bugs)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if want != string(document) {
			t.Errorf("%s has other figures than test/results: go run ./test/faults figures", path)
		}
		for _, r := range runs {
			rows := strings.Count(want, "\n| "+r.Fault+", "+r.About+" | ") + strings.Count(want, "\n| "+r.About+" | ")
			if rows != 1 {
				t.Errorf("%s is not in %s, once", r.Fault, path)
			}
		}
	}
	if _, err := result.Insert("a document without marks", runs, bugs); err == nil {
		t.Error("writes into a document that has no place for it")
	}
}

func TestARunTakesThePlaceOfTheLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults.json")
	for _, r := range []result.Run{
		{Fault: "F2", Form: "short", Seed: 1},
		{Fault: "F10", Form: "short", Seed: 2},
		{Fault: "F2", Form: "long", Seed: 3},
		{Fault: "F2", Form: "short", Seed: 4, Figures: map[string]any{"n": 1234567}},
	} {
		if err := result.Record(path, r); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := result.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var seeds []uint64
	for _, r := range runs {
		seeds = append(seeds, r.Seed)
		if r.Date == "" || r.Build == "" || r.Machine == "" {
			t.Errorf("a run without date, build or machine: %+v", r)
		}
	}
	if len(seeds) != 3 || seeds[0] != 3 || seeds[1] != 4 || seeds[2] != 2 {
		t.Errorf("the runs have the seeds %v", seeds)
	}
}
