package rule

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
)

func newSet(t *testing.T, rules ...Rule) *Set {
	t.Helper()
	s, err := NewSet(rules, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFirstMatchWins(t *testing.T) {
	s := newSet(t, Rule{Pattern: "chat/vip"}, Rule{Pattern: "chat/*"}, Rule{Pattern: "chat/**"})
	for room, want := range map[string]string{"chat/vip": "chat/vip", "chat/a": "chat/*", "chat/a/b": "chat/**", "lobby": "**"} {
		if got := s.For(room).Pattern; got != want {
			t.Errorf("For(%q) is %q, want %q", room, got, want)
		}
		if s.For(room) != s.For(room) {
			t.Errorf("For(%q) is not always the same pointer", room)
		}
	}
}

func TestDefaultHoldsWhereNothingMatches(t *testing.T) {
	for _, s := range []*Set{newSet(t), newSet(t, Rule{Pattern: "chat/*"})} {
		got := *s.For("lobby")
		got.permits = nil
		if !reflect.DeepEqual(got, Default) {
			t.Errorf("For gives %+v, want %+v", got, Default)
		}
	}
	if newSet(t).For("lobby") == &Default {
		t.Error("For hands out the package's Default itself")
	}
	if got := *newSet(t, Rule{Pattern: "**", NoPresence: true}).For("lobby"); !got.NoPresence {
		t.Error("a rule for every room does not take Default's place")
	}
}

func TestSetKeepsItsOwnCopy(t *testing.T) {
	rules := []Rule{{Pattern: "a", NoPresence: true}}
	s := newSet(t, rules...)
	rules[0] = Rule{Pattern: "b"}
	if !s.For("a").NoPresence || s.For("b").Pattern != "**" {
		t.Error("a change of the caller's slice reached the set")
	}
}

func TestDeliveryLatestKeepsTheLatest(t *testing.T) {
	s := newSet(t, Rule{Pattern: "dash/*", Delivery: Latest}, Rule{Pattern: "chat/*"})
	if !s.For("dash/a").History.Latest {
		t.Error("delivery latest without the newest per event")
	}
	if s.For("chat/a").History.Latest {
		t.Error("delivery every keeps the newest per event unasked")
	}
}

func TestSetRefusesAndNamesTheRule(t *testing.T) {
	good := Rule{Pattern: "a/*"}
	rows := []struct {
		bad  Rule
		want string // in the error, besides the rule's number and pattern
	}{
		{Rule{}, "empty"},
		{Rule{Pattern: "a b"}, "' '"},
		{Rule{Pattern: "***"}, "neither"},
		{Rule{Pattern: "a/*"}, `rule 1 ("a/*") comes first`},
		{Rule{Pattern: "b", History: engine.Retention{Messages: -1}}, "negative"},
		{Rule{Pattern: "b", History: engine.Retention{Bytes: -1}}, "negative"},
		{Rule{Pattern: "b", History: engine.Retention{Age: -1}}, "negative"},
		{Rule{Pattern: "b", Delivery: 2}, "delivery 2"},
		{Rule{Pattern: "b", Content: Content{MaxBytes: -1}}, "negative"},
		{Rule{Pattern: "b", Content: Content{MaxCharacters: -1}}, "negative"},
		{Rule{Pattern: "b", Content: Content{MaxTextBytes: -1}}, "negative"},
		{Rule{Pattern: "b", Allow: Allow{Join: "everybody"}}, `allow.join: "everybody" is none of anyone, signed-in`},
		{Rule{Pattern: "b", Allow: Allow{Publish: "role:"}}, `allow.publish: "role:"`},
		{Rule{Pattern: "b", Allow: Allow{Presence: "anyone,"}}, `allow.presence: ""`},
		{Rule{Pattern: "b", Allow: Allow{History: "nobody, owner"}}, "allow.history: nobody, and somebody"},
		{Rule{Pattern: "b", Allow: Allow{Join: "members"}}, "allow.join: members alone"},
		{Rule{Pattern: "b", FlushInterval: -1}, "flush interval"},
		{Rule{Pattern: "b", FlushInterval: MaxFlushInterval + time.Nanosecond}, "flush interval"},
	}
	for _, row := range rows {
		s, err := NewSet([]Rule{good, row.bad}, "")
		if err == nil || s != nil {
			t.Errorf("%+v is accepted", row.bad)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "rule 2 (\""+row.bad.Pattern+"\")") || !strings.Contains(text, row.want) {
			t.Errorf("%+v: %q does not name the rule and %q", row.bad, text, row.want)
		}
	}
	if _, err := NewSet([]Rule{{Pattern: "**"}, good}, ""); err == nil || !strings.Contains(err.Error(), "never reached") {
		t.Errorf("a rule behind a rule for every room: %v", err)
	}
	if _, err := NewSet([]Rule{{Pattern: "b", FlushInterval: MaxFlushInterval}}, ""); err != nil {
		t.Errorf("the longest flush interval: %v", err)
	}
}

func TestForDoesNotAllocate(t *testing.T) {
	s := newSet(t, Rule{Pattern: "a*b*c"}, Rule{Pattern: "**/state"}, Rule{Pattern: "chat/*"})
	if n := testing.AllocsPerRun(100, func() { s.For("chat/general") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
