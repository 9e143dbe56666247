package archtest

import (
	"cmp"
	"fmt"
	"slices"
)

// Violation is one place where a rule is broken.
type Violation struct {
	Path    string // of the file, relative to the tree's root, with slashes
	Line    int    // 1 is the first
	Rule    string // which rule: what an Exception names
	Subject string // what breaks it, such as "protocol.Request": what an Exception names
	Text    string // what is wrong, and what would be right
}

// String returns v as compilers write errors: file, line, text.
func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.Path, v.Line, v.Rule, v.Text)
}

// Exception allows one subject to break one rule.
type Exception struct {
	Rule    string
	Subject string
	Reason  string // why the rule is wrong here
}

// Except returns the violations that no exception allows, and beside them a violation for each exception that gives no
// reason or is not needed (any more), so that the table never says more than what is so.
func Except(violations []Violation, exceptions []Exception) []Violation {
	used := make([]bool, len(exceptions))
	var left []Violation
	for _, v := range violations {
		i := slices.IndexFunc(exceptions, func(e Exception) bool { return e.Rule == v.Rule && e.Subject == v.Subject })
		if i < 0 {
			left = append(left, v)
			continue
		}
		used[i] = true
	}
	for i, e := range exceptions {
		v := Violation{Path: "exceptions", Line: i + 1, Rule: e.Rule, Subject: e.Subject}
		switch {
		case !used[i]:
			v.Text = fmt.Sprintf("%s needs no exception: take it out", e.Subject)
		case e.Reason == "":
			v.Text = fmt.Sprintf("the exception for %s gives no reason", e.Subject)
		default:
			continue
		}
		left = append(left, v)
	}
	return left
}

// sorted orders violations by where they are.
func sorted(violations []Violation) []Violation {
	slices.SortStableFunc(violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return violations
}
