package rule

import (
	"fmt"
	"time"
)

// MaxFlushInterval bounds a rule's FlushInterval.
const MaxFlushInterval = time.Second

// Set is an ordered list of rules. It is immutable: any number of goroutines may use it at once.
type Set struct {
	rules     []Rule
	patterns  []pattern // of the rules, in their order
	validates bool
}

// NewSet returns the set of the rules, which it copies; Default holds for what none of them matches. Where a rule does
// not say who may do something, unstated does; empty, it is anyone. Delivery Latest implies History.Latest. The error
// names the first rule that is wrong: a pattern that is none or that can never be reached, a value out of its range.
func NewSet(rules []Rule, unstated Access) (*Set, error) {
	if unstated == "" {
		unstated = "anyone"
	}
	s := &Set{rules: make([]Rule, 0, len(rules)+1), patterns: make([]pattern, 0, len(rules)+1)}
	for i, r := range rules {
		compiled, err := compile(r.Pattern)
		if err == nil {
			err = s.reachable(r.Pattern)
		}
		if err == nil {
			err = r.check()
		}
		if err == nil {
			r.permits, err = r.Allow.compile(unstated)
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d (%q): %w", i+1, r.Pattern, err)
		}
		r.History.Latest = r.History.Latest || r.Delivery == Latest
		s.rules = append(s.rules, r)
		s.patterns = append(s.patterns, compiled)
		s.validates = s.validates || r.Content.Validate != nil
	}
	rest := Default
	var err error
	if rest.permits, err = rest.Allow.compile(unstated); err != nil {
		return nil, fmt.Errorf("for rooms whose rule does not say who may: %w", err)
	}
	s.rules = append(s.rules, rest)
	return s, nil
}

// Validates reports whether any rule has Content.Validate.
func (s *Set) Validates() bool { return s.validates }

// For returns the first rule whose pattern matches the room's name, or Default's copy. Nobody changes what it returns.
// The same rule is always the same pointer. It does not allocate; it takes time proportional to the lengths of the
// name and of the patterns that begin like it.
func (s *Set) For(room string) *Rule {
	for i := range s.patterns {
		if s.patterns[i].matches(room) {
			return &s.rules[i]
		}
	}
	return &s.rules[len(s.patterns)]
}

// reachable reports why no room could get a rule with this pattern behind the rules of s.
func (s *Set) reachable(text string) error {
	for i, r := range s.rules {
		if r.Pattern == text || r.Pattern == "**" {
			return fmt.Errorf("never reached: rule %d (%q) comes first", i+1, r.Pattern)
		}
	}
	return nil
}

// check reports a value out of its range.
func (r *Rule) check() error {
	switch {
	case r.History.Messages < 0 || r.History.Bytes < 0 || r.History.Age < 0:
		return fmt.Errorf("a negative bound of the history")
	case r.Delivery > Latest:
		return fmt.Errorf("unknown delivery %d", r.Delivery)
	case r.Content.MaxBytes < 0 || r.Content.MaxCharacters < 0 || r.Content.MaxTextBytes < 0:
		return fmt.Errorf("a negative bound of what is published")
	case r.FlushInterval < 0 || r.FlushInterval > MaxFlushInterval:
		return fmt.Errorf("the flush interval %v is not between 0 and %v", r.FlushInterval, MaxFlushInterval)
	}
	return nil
}
