package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
)

// RoomRules returns the rules as a server takes them.
func (c *Config) RoomRules() []rule.Rule {
	rules := make([]rule.Rule, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = rule.Rule{
			Pattern:       r.Pattern,
			History:       engine.Retention{Messages: r.History.Messages, Bytes: int64(r.History.Bytes), Age: r.History.Age},
			NoPresence:    !r.Presence,
			FlushInterval: r.FlushInterval,
		}
		if r.Delivery == "latest" {
			rules[i].Delivery = rule.Latest
		}
	}
	return rules
}

// checkRules reports the first rule that is wrong, by itself or behind those before it.
func (l *Loaded) checkRules(found Problems) Problems {
	if slices.ContainsFunc(found, func(p Problem) bool { return strings.HasPrefix(p.Key, "rules") }) {
		return nil
	}
	all := l.Config.RoomRules()
	for i := range all {
		if _, err := rule.NewSet(all[:i+1], ""); err != nil {
			return Problems{l.wrong(fmt.Sprintf("rules[%d]", i+1), err.Error())}
		}
	}
	return nil
}
