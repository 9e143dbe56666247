package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	hearing = regexp.MustCompile(`^(\w+)< (.*)$`)
	places  = regexp.MustCompile(`^epoch\.(\d+)\.(\w+)$`)
)

// compareTold compares what the methods of a client have told with the golden file: in the same order, and whatever
// they tell must stand there. Fields that they do not tell are passed over.
func (p *play) compareTold(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join("golden", name+".txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, got := heard(strings.Split(string(text), "\n")), heard(p.lines)
	if len(want) != len(got) {
		t.Fatalf("%s: %d envelopes are told, want %d:\n%s", file, len(got), len(want), strings.Join(p.lines, "\n"))
	}
	b := &bound{tag: "-" + p.words.tag, pairs: make(map[string]string)}
	for i := range want {
		if err := b.compareLine(want[i], got[i]); err != nil {
			t.Fatalf("%s: %v\n got  %s\n want %s", file, err, got[i][2], want[i][2])
		}
	}
}

// heard returns, of lines, those that clients were told: who and what.
func heard(lines []string) [][]string {
	var all [][]string
	for _, line := range lines {
		if found := hearing.FindStringSubmatch(line); found != nil {
			all = append(all, found)
		}
	}
	return all
}

// bound knows what the checks and clients of a golden file are in this run, and the other way round.
type bound struct {
	tag   string
	pairs map[string]string
}

func (b *bound) compareLine(want, got []string) error {
	expected, err := decode([]byte(strings.ReplaceAll(want[2], ":…", `:"…"`)))
	if err != nil {
		return err
	}
	told, err := decode([]byte(got[2]))
	if err != nil {
		return err
	}
	if envelope, ok := expected.(map[string]any); ok && envelope["recovered"] != nil {
		delete(told.(map[string]any), "pos") // it tells where it stands itself, which is before what it gets next
	}
	if want[1] != got[1] {
		return fmt.Errorf("told to %s", got[1])
	}
	return b.compare(expected, told, "")
}

// compare compares what stands in a field, or in the whole.
func (b *bound) compare(want, got any, field string) error {
	switch got := got.(type) {
	case map[string]any:
		object, _ := want.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(got)) {
			if err := b.compare(object[key], got[key], key); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	case []any:
		list, _ := want.([]any)
		if len(list) != len(got) {
			return fmt.Errorf("%d elements, want %d", len(got), len(list))
		}
		for i := range got {
			if err := b.compare(list[i], got[i], field); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	case json.Number:
		if want == "…" {
			return nil
		}
	case string:
		return b.compareText(want, got, field)
	}
	return same(want, got)
}

func (b *bound) compareText(want any, got, field string) error {
	text, _ := want.(string)
	if place, at := position.FindStringSubmatch(got), places.FindStringSubmatch(text); place != nil && at != nil && place[0] == got {
		switch {
		case place[2] != at[1]:
			return fmt.Errorf("at %s, want %s", place[2], at[1])
		case at[2] == "0":
			return same("00000000", place[3])
		}
		return b.pair(at[2], place[3])
	}
	switch {
	case text == "…" || strings.HasSuffix(text, "-…"):
		return nil
	case field == "client":
		return b.pair(text, got)
	}
	return same(want, strings.ReplaceAll(got, b.tag, ""))
}

// pair returns an error where a word of the file stood for another one before, or another one for this.
func (b *bound) pair(there, here string) error {
	there, here = "file: "+there, "run: "+here
	if b.pairs[there] == "" && b.pairs[here] == "" {
		b.pairs[there], b.pairs[here] = here, there
	}
	return same(here, b.pairs[there])
}
