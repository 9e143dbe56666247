package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// The Rules of the Violations of CheckState.
const (
	StateRule = "package-state"
	InitRule  = "init"
	WriteRule = "package-write"
)

// CheckState reports state at package level: every func init, every package-level variable that is neither an error
// nor a table by the look of it, and every function that writes to a package-level variable. Tests are left out.
//
// An error is named so and made by errors.New, fmt.Errorf or a literal. A table is a literal of a map, a slice, an
// array or a type of the module's own, the outcome of a function literal that fills one, a compiled regular
// expression, or an embedded file. A sync.Pool is memory to use again: nobody can tell what is in it. A variable named
// _ holds nothing.
func CheckState(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.Files {
		if f.Test || f.Generated {
			continue
		}
		s := &stateReader{tree: t, file: f}
		for _, d := range f.Syntax.Decls {
			s.declaration(d)
		}
		found = append(found, s.found...)
	}
	return sorted(append(found, checkWrites(t)...))
}

// stateReader reads the declarations of one file.
type stateReader struct {
	tree  *Tree
	file  *File
	found []Violation
}

// report notes a violation.
func (s *stateReader) report(n ast.Node, rule, name, text string) {
	s.found = append(s.found, Violation{
		Path: s.file.Path, Line: s.tree.line(n.Pos()), Rule: rule, Subject: s.file.qualified(name), Text: text,
	})
}

// declaration looks at one declaration at the top of the file.
func (s *stateReader) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			s.report(d, InitRule, "init", "func init runs without being asked to: call it where it is needed")
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				s.variables(d, v)
			}
		}
	}
}

// variables looks at the variables of one line.
func (s *stateReader) variables(d *ast.GenDecl, v *ast.ValueSpec) {
	for i, name := range v.Names {
		var value ast.Expr
		if i < len(v.Values) {
			value = v.Values[i]
		}
		if name.Name == "_" || embedded(d.Doc) || embedded(v.Doc) || s.constant(name.Name, value) {
			continue
		}
		s.report(name, StateRule, name.Name, fmt.Sprintf(
			"variable %s is neither an error nor a table: make it a constant, or a field of what uses it", name.Name))
	}
}

// embedded reports whether a comment has the directive that fills a variable with files.
func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	return slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// constant reports whether a variable with that first value looks like one that nobody changes.
func (s *stateReader) constant(name string, value ast.Expr) bool {
	switch value := ast.Unparen(value).(type) {
	case *ast.CompositeLit:
		return s.table(value.Type) || s.from(value.Type) == "sync.Pool"
	case *ast.UnaryExpr: // &T{...}
		literal, ok := value.X.(*ast.CompositeLit)
		return ok && value.Op == token.AND && namedError(name) && s.table(literal.Type)
	case *ast.CallExpr:
		if made, ok := value.Fun.(*ast.FuncLit); ok {
			results := made.Type.Results
			return results.NumFields() == 1 && s.table(results.List[0].Type)
		}
		switch s.from(value.Fun) {
		case "errors.New", "fmt.Errorf":
			return namedError(name)
		case "regexp.MustCompile":
			return true
		}
	}
	return false
}

// table reports whether a literal of that type can be a table: a map, a slice, an array, a struct, or a type of the
// module's own. A type from elsewhere, such as sync.Mutex, is there to be used, not to be looked up in.
func (s *stateReader) table(of ast.Expr) bool {
	switch of.(type) {
	case *ast.MapType, *ast.ArrayType, *ast.StructType, *ast.Ident:
		return true
	}
	from := s.from(of)
	return strings.HasPrefix(from, s.tree.Module+"/") || strings.HasPrefix(from, s.tree.Module+".")
}

// namedError reports whether a variable is named as errors are.
func namedError(name string) bool {
	return strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err")
}

// from returns what a name of another package stands for, as "import path.Name", or "" for anything else.
func (s *stateReader) from(e ast.Expr) string {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	base, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, spec := range s.file.Syntax.Imports {
		imported := spec.Path.Value[1 : len(spec.Path.Value)-1]
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == base.Name {
			return imported + "." + selector.Sel.Name
		}
	}
	return ""
}
