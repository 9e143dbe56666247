package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

// Budgets are what a piece of source may have at most.
type Budgets struct {
	FileLines        int
	FunctionLines    int // from func to the closing brace
	InterfaceMethods int // an embedded interface counts as one
	StructFields     int // an embedded type counts as one
	Parameters       int // of a function, a method, a function type
}

// The Rules of the Violations of CheckBudgets.
const (
	FileRule      = "file-lines"
	FunctionRule  = "function-lines"
	InterfaceRule = "interface-methods"
	StructRule    = "struct-fields"
	ParameterRule = "parameters"
)

// CheckBudgets reports every piece of the tree that is over its budget. Tests and generated files are left out, and so
// are structs whose name ends in Options or Config: a list of settings is as long as there are settings.
func CheckBudgets(t *Tree, b Budgets) []Violation {
	var found []Violation
	for _, f := range t.Files {
		if f.Test || f.Generated {
			continue
		}
		m := &meter{tree: t, file: f, budgets: b}
		m.measure(f.Syntax, piece{"file", f.Path, "lines", FileRule}, f.Lines, b.FileLines)
		for _, d := range f.Syntax.Decls {
			m.declaration(d)
		}
		found = append(found, m.found...)
	}
	return sorted(found)
}

// meter measures the pieces of one file.
type meter struct {
	tree    *Tree
	file    *File
	budgets Budgets
	found   []Violation
}

// piece is something that was measured.
type piece struct {
	what    string
	subject string
	unit    string
	rule    string
}

// measure notes a violation if there is more of a piece than there may be.
func (m *meter) measure(n ast.Node, p piece, have, most int) {
	if have <= most {
		return
	}
	m.found = append(m.found, Violation{
		Path: m.file.Path, Line: m.tree.line(n.Pos()), Rule: p.rule, Subject: p.subject,
		Text: fmt.Sprintf("%s %s has %d %s, at most %d", p.what, p.subject, have, p.unit, most),
	})
}

// declaration measures one declaration at the top of the file.
func (m *meter) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := m.file.qualified(receiver(d) + d.Name.Name)
		m.measure(d, piece{"function", name, "lines", FunctionRule}, m.tree.span(d), m.budgets.FunctionLines)
		m.inside(d, name)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				m.inside(spec, m.file.qualified(spec.Name.Name))
			case *ast.ValueSpec:
				m.inside(spec, m.file.qualified(spec.Names[0].Name))
			}
		}
	}
}

// inside measures the types and the function literals in a declaration of that name.
func (m *meter) inside(n ast.Node, name string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec: // a local one, too, has the name of what it stands in
			if _, isStruct := n.Type.(*ast.StructType); isStruct && settings(n.Name.Name) {
				m.inside(n.Type.(*ast.StructType).Fields, name)
				return false
			}
		case *ast.FuncLit:
			m.measure(n, piece{"function in", name, "lines", FunctionRule}, m.tree.span(n), m.budgets.FunctionLines)
		case *ast.FuncType:
			m.measure(n, piece{"function", name, "parameters", ParameterRule}, n.Params.NumFields(), m.budgets.Parameters)
		case *ast.StructType:
			m.measure(n, piece{"struct", name, "fields", StructRule}, n.Fields.NumFields(), m.budgets.StructFields)
		case *ast.InterfaceType:
			m.measure(n, piece{"interface", name, "methods", InterfaceRule}, n.Methods.NumFields(), m.budgets.InterfaceMethods)
		}
		return true
	})
}

// settings reports whether a struct is a list of settings by its name.
func settings(name string) bool {
	return strings.HasSuffix(name, "Options") || strings.HasSuffix(name, "Config")
}

// receiver returns the name of a method's type and a dot, or "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	for {
		switch inner := of.(type) {
		case *ast.StarExpr:
			of = inner.X
		case *ast.IndexExpr:
			of = inner.X
		case *ast.IndexListExpr:
			of = inner.X
		case *ast.ParenExpr:
			of = inner.X
		case *ast.Ident:
			return inner.Name + "."
		default:
			return ""
		}
	}
}
