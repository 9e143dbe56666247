package archtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/internal/archtest"
)

// The trees under testdata have violations planted in them. A line with one says so itself, with a comment
// `// want "part of what is reported"`.

func TestReportsForbiddenImports(t *testing.T) {
	layers := []archtest.Layer{
		{Packages: []string{"."}, Imports: []string{"below", "side/..."}, Outside: []string{"example.net/good"}},
		{Packages: []string{"above"}, Imports: []string{"."}},
		{Packages: []string{"side/..."}},
		{Packages: []string{"below"}},
		{Packages: []string{"below"}, Imports: []string{"."}}, // the first one holds
	}
	tree := load(t, "testdata/imports")
	if tree.Module != "example.com/tree" {
		t.Errorf("the module is %q", tree.Module)
	}
	compare(t, "testdata/imports", archtest.CheckImports(tree, layers))
}

func TestReportsWhatIsOverItsBudget(t *testing.T) {
	budgets := archtest.Budgets{FileLines: 59, FunctionLines: 5, InterfaceMethods: 3, StructFields: 4, Parameters: 2}
	compare(t, "testdata/budgets", archtest.CheckBudgets(load(t, "testdata/budgets"), budgets))
}

func TestReportsStateAtPackageLevel(t *testing.T) {
	compare(t, "testdata/state", archtest.CheckState(load(t, "testdata/state")))
}

func TestReportsSecretsThatAreCompared(t *testing.T) {
	compare(t, "testdata/secrets", archtest.CheckSecrets(load(t, "testdata/secrets")))
}

func TestReportsWords(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "fine\nsay plover twice, plover\n")
	write("b/c.go", "// xyzzy\n")
	write("b/c.md", "xyzzy\nPlover")
	write("binary", "plover\x00")
	write("skipped/d.txt", "plover")
	write("b/named/d.txt", "plover")
	write("b/f/named", "plover")
	write("b/skipped/e.txt", "no newline, but plover")
	words := []archtest.Word{{Text: "plover", Why: "magic"}, {Text: "xyzzy", Why: "magic in code", Only: []string{".go", ".mod"}}}
	found, err := archtest.CheckWords(root, words, []string{"named", "./skipped", "b/other", "skipped/nothing"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`a.txt:2: word: "plover" does not belong here: magic`,
		`b/c.go:1: word: "xyzzy" does not belong here: magic in code`,
		`b/skipped/e.txt:1: word: "plover" does not belong here: magic`,
		`skipped/d.txt:1: word: "plover" does not belong here: magic`,
	}
	if got := lines(found); !slices.Equal(got, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	found, err = archtest.CheckWords(root, words, []string{"b/skipped"})
	if err != nil || len(found) != 5 { // a.txt, b/c.go, b/f/named, b/named/d.txt, skipped/d.txt
		t.Errorf("with folders left out: %v, %v", lines(found), err)
	}
	if _, err := archtest.CheckWords(filepath.Join(root, "absent"), words, nil); err == nil {
		t.Error("a folder that is not there has no words")
	}
}

func TestExceptsOnlyWhatIsNamedWithAReason(t *testing.T) {
	violations := []archtest.Violation{
		{Path: "a.go", Line: 1, Rule: "r", Subject: "a"},
		{Path: "a.go", Line: 2, Rule: "r", Subject: "a"},
		{Path: "a.go", Line: 3, Rule: "other", Subject: "a"},
		{Path: "b.go", Line: 4, Rule: "r", Subject: "b"},
	}
	left := archtest.Except(violations, []archtest.Exception{
		{Rule: "r", Subject: "a", Reason: "because"},
		{Rule: "r", Subject: "b"},
		{Rule: "r", Subject: "gone", Reason: "because"},
	})
	want := []string{
		"a.go:3: other: ",
		"exceptions:2: r: the exception for b gives no reason",
		"exceptions:3: r: gone needs no exception: take it out",
	}
	if got := lines(left); !slices.Equal(got, want) {
		t.Errorf("left are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoadFailsOnWhatItCannotRead(t *testing.T) {
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "go.mod"), []byte("module example.com/empty\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	nameless := t.TempDir()
	if err := os.WriteFile(filepath.Join(nameless, "go.mod"), []byte("go 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]string{
		t.TempDir():       "go.mod",
		nameless:          "names no module",
		empty:             "no Go files",
		"testdata/broken": "broken.go:3",
	} {
		if _, err := archtest.Load(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("load %s: %v, want an error with %q", root, err, want)
		}
	}
}

func load(t *testing.T, root string) *archtest.Tree {
	t.Helper()
	tree, err := archtest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// compare fails t unless each line under root that wants a violation has it, and no other line has one.
func compare(t *testing.T, root string, found []archtest.Violation) {
	t.Helper()
	wanted := wants(t, root)
	if len(wanted) == 0 {
		t.Fatalf("nothing is planted in %s", root)
	}
	for _, v := range found {
		place := fmt.Sprintf("%s:%d", v.Path, v.Line)
		i := slices.IndexFunc(wanted[place], func(text string) bool { return strings.Contains(v.Rule+": "+v.Text, text) })
		if i < 0 {
			t.Errorf("not wanted: %v", v)
			continue
		}
		if wanted[place] = slices.Delete(wanted[place], i, i+1); len(wanted[place]) == 0 {
			delete(wanted, place)
		}
	}
	for place, texts := range wanted {
		t.Errorf("%s: not reported: %q", place, texts)
	}
}

// wants returns what the files under root want, by "path:line".
func wants(t *testing.T, root string) map[string][]string {
	t.Helper()
	comment := regexp.MustCompile(`// want (".*")$`)
	all := make(map[string][]string)
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(content), "\n") {
			match := comment.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			text, err := strconv.Unquote(match[1])
			if err != nil {
				return fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
			place := fmt.Sprintf("%s:%d", filepath.ToSlash(relative), i+1)
			all[place] = append(all[place], text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func lines(violations []archtest.Violation) []string {
	text := make([]string, len(violations))
	for i, v := range violations {
		text[i] = v.String()
	}
	return text
}
