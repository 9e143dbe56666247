package result

import (
	"fmt"
	"sort"
	"strings"
)

// Marks around what Insert writes.
const (
	markBegin = "<!-- measured -->\n"
	markEnd   = "<!-- /measured -->"
)

// Insert returns a document with the table of what was measured between its marks.
func Insert(document string, runs []Run) (string, error) {
	before, rest, ok := strings.Cut(document, markBegin)
	_, after, ok2 := strings.Cut(rest, markEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("there is no place for what was measured: %q and %q", markBegin, markEnd)
	}
	return before + markBegin + Table(runs) + markEnd + after, nil
}

// Table returns the long runs as a table of Markdown.
func Table(runs []Run) string {
	var b strings.Builder
	b.WriteString("\n| fault | figures | seed | date |\n|---|---|---|---|\n")
	for _, r := range runs {
		if r.Form == "long" {
			fmt.Fprintf(&b, "| %s, %s | %s | %d | %s |\n", r.Fault, r.About, words(r.Figures), r.Seed, r.Date)
		}
	}
	return b.String() + "\n"
}

// words returns figures as text: in the order of their names, those of the oracle last.
func words(figures map[string]any) string {
	var names []string
	for name := range figures {
		if name != "verdict" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, strings.ReplaceAll(name, "_", " ")+": "+number(figures[name]))
	}
	verdict, _ := figures["verdict"].(map[string]any)
	for _, name := range []string{"delivered", "gaps", "lost", "duplicated", "reordered", "damaged", "silent", "phantom"} {
		if n, ok := verdict[name]; ok {
			parts = append(parts, name+": "+number(n))
		}
	}
	return strings.Join(parts, ", ")
}

// number returns a number with separators.
func number(v any) string {
	f, ok := v.(float64)
	if !ok || f != float64(int64(f)) {
		return fmt.Sprint(v)
	}
	text := fmt.Sprint(int64(f))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
