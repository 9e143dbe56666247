// Package archtest reads the source of a module and reports where it breaks the rules of its architecture: imports that
// point the wrong way, pieces that have grown past their budget, state at package level, secrets that are compared as
// they are, words that do not belong in the tree.
//
// Each rule takes what it needs of a Tree and returns Violations; the tables of this module, and the exceptions with
// their reasons, stand in the tests. Only the standard library is used, and nothing is compiled, so files for every
// operating system are seen.
package archtest
