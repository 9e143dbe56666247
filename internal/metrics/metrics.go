// Package metrics counts what a node does, in plain atomics: who exports them is the program's business. No number has
// the name of a room or a user in it, so there are as many as the table below, whatever clients do.
package metrics

import (
	"iter"
	"sync/atomic"
)

// Kind says how a number behaves.
type Kind uint8

// The kinds.
const (
	Counter Kind = iota // only rises
	Gauge               // rises and falls
)

// ID is one of the numbers.
type ID uint8

// The numbers.
const (
	Connections ID = iota
	RefusedOrigin
	RefusedHandshake
	count
)

// Definition describes a number. Numbers with the same Name differ in the Value of their one label.
type Definition struct {
	Name  string
	Help  string
	Kind  Kind
	Label string // empty for none
	Value string
}

const (
	refusals     = "wireroom_refusals_total"
	refusalsHelp = "What was refused, by the reason."
)

// definitions are indexed by ID.
var definitions = [count]Definition{
	Connections:      {Name: "wireroom_connections", Help: "Connections that are open.", Kind: Gauge},
	RefusedOrigin:    {refusals, refusalsHelp, Counter, "reason", "origin"},
	RefusedHandshake: {refusals, refusalsHelp, Counter, "reason", "credentials"},
}

// Set is the numbers of one node. The zero value is ready, and a nil one counts nothing. Its methods may be called at
// once.
type Set struct{ values [count]atomic.Int64 }

// Add adds n to a number; only a Gauge takes a negative n.
func (s *Set) Add(id ID, n int64) {
	if s != nil {
		s.values[id].Add(n)
	}
}

// Value returns a number.
func (s *Set) Value(id ID) int64 {
	if s == nil {
		return 0
	}
	return s.values[id].Load()
}

// All returns every number with its definition, those with the same name next to each other.
func (s *Set) All() iter.Seq2[Definition, int64] {
	return func(yield func(Definition, int64) bool) {
		for id := range count {
			if !yield(definitions[id], s.Value(id)) {
				return
			}
		}
	}
}
