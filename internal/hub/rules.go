package hub

import "github.com/wireroom/wireroom/internal/rule"

// SetRules replaces the rules, for open rooms too. An open room keeps how it delivers and whether it has presence until
// it has been empty for a while: its members have been told.
func (h *Hub) SetRules(rules *rule.Set) {
	h.rules.Store(rules) // rooms that are opened from now on have it: they read it with their shard locked
	for _, r := range h.all() {
		next, old := rules.For(r.name), r.rule()
		if next.Delivery != old.Delivery || next.NoPresence != old.NoPresence {
			kept := *next
			kept.Delivery, kept.NoPresence, kept.History.Latest = old.Delivery, old.NoPresence, old.History.Latest
			next = &kept
		}
		r.ruled.Store(next)
	}
}

// rule returns what holds for the room.
func (r *room) rule() *rule.Rule { return r.ruled.Load() }

// latest reports whether members that fall behind get the newest message of each event alone.
func (r *room) latest() bool { return r.rule().Delivery == rule.Latest }
