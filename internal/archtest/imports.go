package archtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Layer is one line of a table of layers: what the packages that it names may import. Names are folders of the module,
// "." is its root, and "x/..." stands for x and everything below it.
type Layer struct {
	Packages []string
	Imports  []string // packages of the module
	// Outside are modules (or prefixes of packages) that are neither of the module nor of the standard library.
	Outside []string
}

// ImportRule is the Rule of the Violations of CheckImports.
const ImportRule = "import"

// CheckImports reports every import of the tree that its package's layer does not allow, and every package that is in
// no layer. The first layer that names a package holds. Tests are free: to test a layer one may have to build what
// stands on it.
func CheckImports(t *Tree, layers []Layer) []Violation {
	var found []Violation
	homeless := make(map[string]bool)
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		layer := layerOf(layers, f.Folder)
		if layer == nil {
			if !homeless[f.Folder] {
				homeless[f.Folder] = true
				found = append(found, Violation{
					Path: f.Path, Line: t.line(f.Syntax.Name.Pos()), Rule: ImportRule, Subject: f.Folder,
					Text: fmt.Sprintf("package %s is in no layer: add it, with what it may import, to the table", f.Folder),
				})
			}
			continue
		}
		for _, spec := range f.Syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil || layer.allows(t.Module, imported) {
				continue
			}
			found = append(found, Violation{
				Path: f.Path, Line: t.line(spec.Pos()), Rule: ImportRule, Subject: f.Folder + " -> " + imported,
				Text: fmt.Sprintf("%s must not import %s; it may import %s", f.Folder, imported, layer),
			})
		}
	}
	return sorted(found)
}

// layerOf returns the first layer that names a package, or nil.
func layerOf(layers []Layer, folder string) *Layer {
	for i := range layers {
		if matchesAny(layers[i].Packages, folder) {
			return &layers[i]
		}
	}
	return nil
}

// allows reports whether a package of the layer may import another one.
func (l *Layer) allows(module, imported string) bool {
	if imported == module {
		return matchesAny(l.Imports, ".")
	}
	if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
		return matchesAny(l.Imports, folder)
	}
	if standard(imported) {
		return true
	}
	return slices.ContainsFunc(l.Outside, func(prefix string) bool {
		return imported == prefix || strings.HasPrefix(imported, prefix+"/")
	})
}

// String lists what the layer may import.
func (l *Layer) String() string {
	all := append([]string{"the standard library"}, l.Imports...)
	return strings.Join(append(all, l.Outside...), ", ")
}

// standard reports whether a package is of the standard library: the first element of any other one has a dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// matchesAny reports whether one of the patterns names a folder.
func matchesAny(patterns []string, folder string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		above, below := strings.CutSuffix(pattern, "/...")
		return folder == above || below && strings.HasPrefix(folder, above+"/")
	})
}
