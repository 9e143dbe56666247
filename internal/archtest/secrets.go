package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// SecretRule is the Rule of the Violations of CheckSecrets.
const SecretRule = "secret"

// secretWords are the words with which the name of a secret ends.
var secretWords = []string{
	"secret", "token", "ticket", "password", "passphrase", "signature", "credential", "credentials", "bearer", "mac", "sid", "apikey",
}

// comparing are the functions that compare what they are given as == does, or look for it so.
var comparing = []string{
	"bytes.Equal", "bytes.Compare", "strings.Compare", "strings.EqualFold", "slices.Equal", "slices.Compare", "slices.Contains",
	"slices.Index", "cmp.Compare", "maps.Equal", "reflect.DeepEqual",
}

// CheckSecrets reports where a secret is compared with something, or something is looked up by it, other than by what
// stands for it (the package secret), by hmac.Equal or by subtle: the time of that tells how much of it was guessed. That
// there is none, by == "" and == nil, may be asked. Tests are left out.
//
// A secret is told by the last word of its name: of a variable, a field, a function that returns it, and of what a header
// or a query is asked for. What is named otherwise is not seen. The constants of the package and of those of the module that
// it imports are no secrets; a field that is called so is one.
func CheckSecrets(t *Tree) []Violation {
	var found []Violation
	constants := constantsOf(t)
	for _, f := range t.Files {
		if f.Test || f.Generated {
			continue
		}
		r := &secretReader{constants: constants, folder: f.Folder, imported: foldersOf(t, f)}
		for _, d := range f.Syntax.Decls {
			name := "declarations"
			if function, ok := d.(*ast.FuncDecl); ok {
				name = function.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if what := r.compares(n); what != "" {
					found = append(found, Violation{
						Path: f.Path, Line: t.line(n.Pos()), Rule: SecretRule, Subject: f.qualified(name),
						Text: fmt.Sprintf("%s is compared as it is: compare what secret.Of makes of it", what),
					})
				}
				return true
			})
		}
	}
	return sorted(found)
}

// constantsOf returns the names of the constants of each folder, tests left out.
func constantsOf(t *Tree) map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		names := all[f.Folder]
		if names == nil {
			names = make(map[string]bool)
			all[f.Folder] = names
		}
		for _, d := range f.Syntax.Decls {
			list, ok := d.(*ast.GenDecl)
			if !ok || list.Tok != token.CONST {
				continue
			}
			for _, spec := range list.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					names[name.Name] = true
				}
			}
		}
	}
	return all
}

// foldersOf returns the folders of the module's packages that a file imports, by the names that they have there.
func foldersOf(t *Tree, f *File) map[string]string {
	folders := make(map[string]string)
	for _, spec := range f.Syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value) // it was parsed
		folder, ok := strings.CutPrefix(imported+"/", t.Module+"/")
		if !ok {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		folders[name] = path.Clean(folder) // "." is the root
	}
	return folders
}

// secretReader looks for secrets in one file.
type secretReader struct {
	constants map[string]map[string]bool // of each folder
	folder    string                     // of the file
	imported  map[string]string          // folders, by the names of their packages in the file
}

// constant reports whether an identifier, or what is selected of a package, is called as a constant of that package is.
func (r *secretReader) constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return r.constants[r.folder][e.Name]
	case *ast.SelectorExpr:
		base, ok := e.X.(*ast.Ident)
		return ok && r.constants[r.imported[base.Name]][e.Sel.Name] // no folder is called ""
	}
	return false
}

// compares returns the name of the secret that a node compares, or looks up by; "" for none.
func (r *secretReader) compares(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			return r.ofTwo(n.X, n.Y)
		}
	case *ast.IndexExpr:
		return r.secretName(n.Index)
	case *ast.CallExpr:
		if function := nameOf(n.Fun); function == "delete" && len(n.Args) == 2 {
			return r.secretName(n.Args[1])
		} else if !slices.Contains(comparing, function) {
			return ""
		}
		for _, a := range n.Args {
			if name := r.secretName(a); name != "" {
				return name
			}
		}
	case *ast.SwitchStmt:
		return r.ofSwitch(n)
	}
	return ""
}

// ofTwo returns the name of the secret among two that are compared, unless it is only asked whether there is one.
func (r *secretReader) ofTwo(x, y ast.Expr) string {
	if nothing(x) || nothing(y) {
		return ""
	}
	if name := r.secretName(x); name != "" {
		return name
	}
	return r.secretName(y)
}

// ofSwitch returns the name of the secret that a switch compares with its cases.
func (r *secretReader) ofSwitch(s *ast.SwitchStmt) string {
	if s.Tag == nil {
		return ""
	}
	for _, clause := range s.Body.List {
		for _, e := range clause.(*ast.CaseClause).List {
			if name := r.ofTwo(s.Tag, e); name != "" {
				return name
			}
		}
	}
	return ""
}

// nothing reports whether an expression is nil or an empty text.
func nothing(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return e.Kind == token.STRING && err == nil && text == ""
	}
	return false
}

// secretName returns the name of an expression if that is a secret's, or "".
func (r *secretReader) secretName(e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident, *ast.SelectorExpr:
		if r.constant(e) {
			return ""
		}
		return secretOnly(nameOf(e))
	case *ast.StarExpr:
		return r.secretName(e.X)
	case *ast.UnaryExpr:
		return r.secretName(e.X)
	case *ast.SliceExpr:
		return r.secretName(e.X)
	case *ast.IndexExpr:
		return secretText(e.Index)
	case *ast.CallExpr:
		return r.secretOfCall(e)
	}
	return ""
}

// secretOfCall returns the name of the secret that a call returns: what it converts or trims, what it is called, what it
// is asked for by its name.
func (r *secretReader) secretOfCall(c *ast.CallExpr) string {
	function := nameOf(c.Fun)
	if _, slice := c.Fun.(*ast.ArrayType); slice || function == "string" || strings.HasPrefix(function, "strings.") || strings.HasPrefix(function, "bytes.") {
		if len(c.Args) == 0 {
			return ""
		}
		return r.secretName(c.Args[0])
	}
	for _, a := range c.Args {
		if name := secretText(a); name != "" {
			return name
		}
	}
	return secretOnly(function)
}

// secretText returns a text that is the name of a secret, or "".
func secretText(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value) // it was parsed
	return secretOnly(text)
}

// nameOf returns an identifier, or one of a package or a value with that in front.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if base, ok := e.X.(*ast.Ident); ok {
			return base.Name + "." + e.Sel.Name
		}
		return e.Sel.Name
	}
	return ""
}

// secretOnly returns a name whose last word is a secret's, or "".
func secretOnly(name string) string {
	if strings.HasSuffix(strings.ToLower(name), "apikey") || slices.Contains(secretWords, lastWord(name)) {
		return name
	}
	return ""
}

// lastWord returns the last word of a name, in lower case: id of tokenID, mac of theMAC.
func lastWord(name string) string {
	begin := strings.LastIndexFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) + 1
	word := name[begin:]
	if upper := strings.LastIndexFunc(word, unicode.IsUpper); upper > 0 && upper < len(word)-1 {
		word = word[upper:]
	} else if upper == len(word)-1 { // the name ends with an abbreviation
		word = word[strings.LastIndexFunc(word, unicode.IsLower)+1:]
	}
	return strings.ToLower(word)
}
