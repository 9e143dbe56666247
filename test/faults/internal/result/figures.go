package result

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Documents are those that say what was measured, from the root of the module.
func Documents() []string { return []string{"README.md", "docs/guarantees.md"} }

// Marks around what Insert writes: all that is known of the runs, what was seen alone, or the bugs that were caught.
var marks = []struct {
	begin, end string
	text       func([]Run, []Bug) string
}{
	{"<!-- measured -->\n", "<!-- /measured -->", func(runs []Run, _ []Bug) string { return Table(runs) }},
	{"<!-- seen -->\n", "<!-- /seen -->", func(runs []Run, _ []Bug) string { return Seen(runs) }},
	{"<!-- caught -->\n", "<!-- /caught -->", func(_ []Run, bugs []Bug) string { return Caught(bugs) }},
}

// Insert returns a document with what was measured between its marks.
func Insert(document string, runs []Run, bugs []Bug) (string, error) {
	found := false
	for _, mark := range marks {
		before, rest, ok := strings.Cut(document, mark.begin)
		_, after, ok2 := strings.Cut(rest, mark.end)
		if ok && ok2 {
			document, found = before+mark.begin+mark.text(runs, bugs)+mark.end+after, true
		}
	}
	if !found {
		return "", errors.New("there is no place for what was measured")
	}
	return document, nil
}

// fullest returns the long run of each fault, or the short one of those that have no other.
func fullest(runs []Run) (chosen []Run) {
	for _, r := range runs {
		long := slices.ContainsFunc(runs, func(other Run) bool { return other.Fault == r.Fault && other.Form == "long" })
		if r.Form == "long" || !long {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// Seen returns what was seen as a table of Markdown.
func Seen(runs []Run) string {
	var b strings.Builder
	b.WriteString("\n| when | seen |\n|---|---|\n")
	for _, r := range fullest(runs) {
		fmt.Fprintf(&b, "| %s | %s |\n", r.About, words(r.Figures))
	}
	return b.String() + "\n"
}

// Table returns the runs as a table of Markdown.
func Table(runs []Run) string {
	var b strings.Builder
	b.WriteString("\n| fault | form | figures | seed | date |\n|---|---|---|---|---|\n")
	for _, r := range fullest(runs) {
		fmt.Fprintf(&b, "| %s, %s | %s | %s | %d | %s |\n", r.Fault, r.About, r.Form, words(r.Figures), r.Seed, r.Date)
	}
	return b.String() + "\n"
}

// Caught returns the seeded bugs that were caught, and by which promise, as a table of Markdown.
func Caught(bugs []Bug) string {
	var b strings.Builder
	b.WriteString("\n| fault | bug | the run with it ended with | date |\n|---|---|---|---|\n")
	for _, bug := range bugs {
		if bug.Caught {
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", bug.Fault, bug.Tag, cell(bug.Said), bug.Date)
		}
	}
	return b.String() + "\n"
}

// cell returns a text as it may stand in a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "'", "*", "\\*").Replace(strings.TrimSpace(text))
}

// words returns figures as text: in the order of their names, those of the oracle last.
func words(figures map[string]any) string {
	var names []string
	for name := range figures {
		if !strings.HasSuffix(name, "verdict") { // of the whole, or of a part
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var parts []string
	for _, name := range names {
		parts = append(parts, strings.ReplaceAll(name, "_", " ")+": "+number(figures[name]))
	}
	verdict, _ := figures["verdict"].(map[string]any)
	heard := verdict["delivered"] != 0.0 // else nobody wrote down what came, and there is nothing to say of it
	for _, name := range []string{"delivered", "gaps", "lost", "duplicated", "reordered", "damaged", "silent", "phantom"} {
		if n, ok := verdict[name]; ok && (heard || name == "lost") {
			parts = append(parts, name+": "+number(n))
		}
	}
	return strings.Join(parts, ", ")
}

// number returns a number with separators, or with two digits behind the point.
func number(v any) string {
	f, ok := v.(float64)
	if !ok {
		return fmt.Sprint(v)
	}
	if f != float64(int64(f)) {
		return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
	}
	text := fmt.Sprint(int64(f))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
