package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
)

// checkWrites reports every place in a function that writes to a package-level variable of its package, or into it: an
// element, a field. It does not follow pointers.
func checkWrites(t *Tree) []Violation {
	var found []Violation
	for _, files := range packages(t) {
		names := resolve(t, files)
		for _, f := range files {
			w := &writeReader{tree: t, file: f, names: names}
			ast.Inspect(f.Syntax, w.visit)
			found = append(found, w.found...)
		}
	}
	return found
}

// packages gathers the files of each package, tests left out.
func packages(t *Tree) map[string][]*File {
	all := make(map[string][]*File)
	for _, f := range t.Files {
		if !f.Test && !f.Generated {
			name := f.Folder + " " + f.Syntax.Name.Name
			all[name] = append(all[name], f)
		}
	}
	return all
}

// resolve says what each name in a package stands for. The package is not compiled: its imports are empty and files
// for different systems declare the same names, so there are errors, which do not matter. What a name that is
// declared in the package stands for is found all the same.
func resolve(t *Tree, files []*File) map[*ast.Ident]types.Object {
	syntax := make([]*ast.File, len(files))
	for i, f := range files {
		syntax[i] = f.Syntax
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: noImports{}, Error: func(error) {}, FakeImportC: true}
	_, _ = config.Check(files[0].Folder, t.set, syntax, info) // see above
	return info.Uses
}

// noImports imports empty packages.
type noImports struct{}

// Import implements types.Importer.
func (noImports) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

// writeReader looks for writes in one file.
type writeReader struct {
	tree  *Tree
	file  *File
	names map[*ast.Ident]types.Object
	found []Violation
}

// visit looks at one node.
func (w *writeReader) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, target := range n.Lhs {
			w.target(target)
		}
	case *ast.IncDecStmt:
		w.target(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			w.target(n.Key)
			w.target(n.Value)
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") && len(n.Args) > 0 {
			w.target(n.Args[0])
		}
	}
	return true
}

// target notes a violation if what is written to is a package-level variable or a part of one.
func (w *writeReader) target(e ast.Expr) {
	name := root(e)
	if name == nil {
		return
	}
	v, ok := w.names[name].(*types.Var)
	if !ok || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
		return
	}
	w.found = append(w.found, Violation{
		Path: w.file.Path, Line: w.tree.line(e.Pos()), Rule: WriteRule, Subject: w.file.qualified(name.Name),
		Text: fmt.Sprintf("writes to the package-level variable %s: keep it in what uses it", name.Name),
	})
}

// root returns the name at the front of an expression such as name.field[i].other, or nil.
func root(e ast.Expr) *ast.Ident {
	for {
		switch inner := e.(type) {
		case *ast.Ident:
			return inner
		case *ast.ParenExpr:
			e = inner.X
		case *ast.SelectorExpr:
			e = inner.X
		case *ast.IndexExpr:
			e = inner.X
		case *ast.SliceExpr:
			e = inner.X
		case *ast.StarExpr:
			e = inner.X
		default:
			return nil
		}
	}
}
