package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/schema"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
)

// RoomRules returns the rules as a server takes them. It reads the schemas that they name.
func (c *Config) RoomRules() ([]rule.Rule, error) {
	rules := make([]rule.Rule, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = rule.Rule{
			Pattern:       r.Pattern,
			History:       engine.Retention{Messages: r.History.Messages, Bytes: int64(r.History.Bytes), Age: r.History.Age},
			NoPresence:    !r.Presence,
			FlushInterval: r.FlushInterval,
			Allow: rule.Allow{
				Join: rule.Access(r.Allow.Join), Publish: rule.Access(r.Allow.Publish),
				Presence: rule.Access(r.Allow.Presence), History: rule.Access(r.Allow.History),
			},
			Content: rule.Content{
				MaxBytes: int(r.Content.MaxBytes), MaxCharacters: r.Content.MaxCharacters, MaxTextBytes: int(r.Content.MaxTextBytes),
			},
		}
		if r.Delivery == "latest" {
			rules[i].Delivery = rule.Latest
		}
		if r.Content.Schema == "" {
			continue
		}
		text, err := os.ReadFile(r.Content.Schema)
		if err == nil {
			rules[i].Content.Validate, err = schema.Compile(text)
		}
		if err != nil {
			return nil, Problem{Key: fmt.Sprintf("rules[%d].content.schema", i+1), Text: err.Error()}
		}
	}
	return rules, nil
}

// checkRules reports what is wrong with the rules: each word of who may do what; then the first rule that is wrong by
// itself or behind those before it.
func (l *Loaded) checkRules(found Problems) Problems {
	if slices.ContainsFunc(found, func(p Problem) bool { return strings.HasPrefix(p.Key, "rules") }) {
		return nil
	}
	var problems Problems
	for i := range l.Config.Rules {
		for _, f := range leavesOf(reflect.ValueOf(&l.Config.Rules[i].Allow).Elem(), fmt.Sprintf("rules[%d].allow", i+1)) {
			if err := checkAccess(f.value.String()); err != nil {
				problems = append(problems, l.wrong(f.key, err.Error()))
			}
		}
	}
	if problems != nil {
		return problems
	}
	all, err := l.Config.RoomRules()
	var wrong Problem
	if errors.As(err, &wrong) {
		return Problems{l.wrong(wrong.Key, wrong.Text)}
	}
	for i := range all {
		if _, err := rule.NewSet(all[:i+1], ""); err != nil {
			return Problems{l.wrong(fmt.Sprintf("rules[%d]", i+1), err.Error())}
		}
	}
	return nil
}

// checkAccess reports words that do not say who may do something, with the word that may be meant.
func checkAccess(text string) error {
	if text == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		if rule.IsWord(word) {
			continue
		}
		if near := nearest(strings.ToLower(word), rule.Words()); near != "" {
			return fmt.Errorf("%q says not who, did you mean %q?", word, near)
		}
		return fmt.Errorf("%q says not who: there are %s", word, strings.Join(rule.Words(), ", "))
	}
	return rule.Access(text).Check()
}

// First returns the first rule that matches a room; the zero Rule where none does.
func First(rules []rule.Rule, room string) rule.Rule {
	for _, r := range rules {
		if rule.Matches(r.Pattern, room) {
			return r
		}
	}
	return rule.Rule{}
}
