package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Tree is the Go source of one module. It is not changed after Load.
type Tree struct {
	Module string  // the path that go.mod gives it
	Files  []*File // in the order of their paths

	set *token.FileSet
}

// File is one Go file.
type File struct {
	Path      string // relative to the tree's root, with slashes
	Folder    string // of the package, relative to the tree's root; "." is the root
	Syntax    *ast.File
	Lines     int
	Test      bool // its name ends in _test.go
	Generated bool // it says so as generated files do
}

// Load parses every Go file of the module whose go.mod stands in root. It leaves out what the go command leaves out
// (testdata, vendor, folders that begin with "." or "_", modules inside of it) and node_modules.
func Load(root string) (*Tree, error) {
	t := &Tree{set: token.NewFileSet()}
	modFile, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("load the module: %w", err)
	}
	if t.Module = modulePath(string(modFile)); t.Module == "" {
		return nil, fmt.Errorf("load the module: %s names no module", filepath.Join(root, "go.mod"))
	}
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && foreign(name, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(entry.Name(), "_") || strings.HasPrefix(entry.Name(), ".") {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return t.parse(name, filepath.ToSlash(relative))
	})
	if err != nil {
		return nil, fmt.Errorf("load the module: %w", err)
	}
	if len(t.Files) == 0 {
		return nil, errors.New("load the module: it has no Go files")
	}
	return t, nil
}

// parse adds one file to the tree.
func (t *Tree) parse(name, relative string) error {
	syntax, err := parser.ParseFile(t.set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Files = append(t.Files, &File{
		Path:      relative,
		Folder:    path.Dir(relative),
		Syntax:    syntax,
		Lines:     t.set.File(syntax.Pos()).LineCount(),
		Test:      strings.HasSuffix(relative, "_test.go"),
		Generated: ast.IsGenerated(syntax),
	})
	return nil
}

// line returns the line of a position.
func (t *Tree) line(p token.Pos) int { return t.set.Position(p).Line }

// span returns how many lines a node takes.
func (t *Tree) span(n ast.Node) int { return t.line(n.End()) - t.line(n.Pos()) + 1 }

// qualified returns the name of something as users of its package write it, with the package's whole folder in front.
func (f *File) qualified(name string) string {
	if f.Folder == "." {
		return f.Syntax.Name.Name + "." + name
	}
	return f.Folder + "." + name
}

// foreign reports whether a folder is no part of the module.
func foreign(name, base string) bool {
	if base == "testdata" || base == "vendor" || base == "node_modules" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

// modulePath returns the path in the module directive of a go.mod.
func modulePath(modFile string) string {
	for line := range strings.Lines(modFile) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "module" {
			continue
		}
		if name, err := strconv.Unquote(words[1]); err == nil {
			return name
		}
		return words[1]
	}
	return ""
}
