package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// path is text in backquotes that names a file or a folder of this repository: it begins with one of its folders, or is a
// file of Go or of a shell. A pattern, and what follows a blank, is none.
var path = regexp.MustCompile("`((?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+/?)`")

// folders are those at the top of the repository.
func folders(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, e := range entries {
		if e.IsDir() {
			names[e.Name()] = true
		}
	}
	return names
}

// named returns the paths of this repository that a line names.
func named(line string, folders map[string]bool) (paths []string) {
	for _, found := range path.FindAllStringSubmatch(line, -1) {
		first, _, within := strings.Cut(found[1], "/")
		if within && folders[first] || !within && (strings.HasSuffix(first, ".go") || strings.HasSuffix(first, ".sh")) {
			paths = append(paths, found[1])
		}
	}
	return paths
}

// exists reports whether there is a path: from the root, or beside the page, or as a package of internal.
func exists(page, name string) bool {
	for _, from := range []string{root, filepath.Dir(page), filepath.Join(root, "internal")} {
		if _, err := os.Stat(filepath.Join(from, filepath.FromSlash(name))); err == nil {
			return true
		}
	}
	return false
}

func TestPathsThatTheDocumentsNameAreThere(t *testing.T) {
	folders, seen := folders(t), 0
	for _, page := range pages(t) {
		if filepath.Base(page) == "CHANGELOG.md" {
			continue // what was
		}
		for number, line := range prose(read(t, page)) {
			for _, name := range named(line, folders) {
				seen++
				if !exists(page, name) {
					t.Errorf("%s:%d: there is no %s", page, number+1, name)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d paths were found", seen)
	}
}

func TestPathsThatAreNotThereAreFound(t *testing.T) {
	all := folders(t)
	for line, missing := range map[string]bool{
		"listed in `conformance/hostile_test.gone`, and": true,
		"see `server.goo` and `server.go`":               false,
		"see `nothing.go`":                               true,
		"a room `chat/tea`, a type `application/json`":   false,
		"`conformance/hostile/hostile.go`":               false,
		"`docs/`":                                        false,
	} {
		wrong := false
		for _, name := range named(line, all) {
			wrong = wrong || !exists(filepath.Join(root, "SECURITY.md"), name)
		}
		if wrong != missing {
			t.Errorf("%s: missing %v, want %v", line, wrong, missing)
		}
	}
}
