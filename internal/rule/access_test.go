package rule

import (
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

var (
	stranger = &auth.Identity{User: "anon-1", Anonymous: true}
	alice    = &auth.Identity{User: "alice"}
	admin    = &auth.Identity{User: "root", Roles: []string{"staff", "admin"}}
	guest    = &auth.Identity{User: "bob@example.com", Grants: []auth.Grant{
		{Verbs: auth.Join | auth.History, Rooms: "chat/*"}, {Verbs: auth.Publish, Rooms: "chat/a"}, {Verbs: auth.AllVerbs, Rooms: "***"},
	}}
)

// identityOf returns who as a session knows it.
func identityOf(who *auth.Identity) *auth.Identity {
	if who == stranger {
		return nil
	}
	return who
}

func TestWhoMay(t *testing.T) {
	everybody := []*auth.Identity{stranger, alice, admin, guest}
	for _, row := range []struct {
		access Access
		room   string
		verb   auth.Verb
		want   [4]Answer // of everybody
	}{
		{"anyone", "r", auth.Join, [4]Answer{Yes, Yes, Yes, Yes}},
		{"nobody", "r", auth.Join, [4]Answer{}},
		{"signed-in", "r", auth.Join, [4]Answer{No, Yes, Yes, Yes}},
		{"role:admin", "r", auth.Publish, [4]Answer{No, No, Yes, No}},
		{" role:x , role:staff ", "r", auth.Publish, [4]Answer{No, No, Yes, No}},
		{"role:adm", "r", auth.Publish, [4]Answer{}},
		{"grant", "chat/b", auth.Join, [4]Answer{No, No, No, Yes}},
		{"grant", "chat/b/c", auth.Join, [4]Answer{}},
		{"grant", "chat/b", auth.Publish, [4]Answer{}},
		{"grant", "chat/a", auth.Publish, [4]Answer{No, No, No, Yes}},
		{"grant", "chat/a", auth.Presence, [4]Answer{}},
		{"grant", "other", auth.History, [4]Answer{}},
		{"owner", "r", auth.Join, [4]Answer{}},
		{"members", "r", auth.Publish, [4]Answer{IfMember, IfMember, IfMember, IfMember}},
		{"members, role:admin", "r", auth.Publish, [4]Answer{IfMember, IfMember, Yes, IfMember}},
		{"", "r", auth.Publish, [4]Answer{No, Yes, Yes, Yes}}, // unstated

		// Inboxes.
		{"anyone", "@alice", auth.Join, [4]Answer{No, Yes, No, No}},
		{"anyone", "@alice", auth.History, [4]Answer{No, Yes, No, No}},
		{"role:admin", "@alice", auth.Presence, [4]Answer{No, Yes, No, No}},
		{"anyone", "@bob~40example.com", auth.Join, [4]Answer{No, No, No, Yes}},
		{"", "@alice", auth.Publish, [4]Answer{Yes, Yes, Yes, Yes}},
		{"signed-in", "@alice", auth.Publish, [4]Answer{No, Yes, Yes, Yes}},
		{"nobody", "@alice", auth.Publish, [4]Answer{No, Yes, No, No}},
		{"owner", "@alice", auth.Publish, [4]Answer{No, Yes, No, No}},
		{"members", "@alice", auth.Publish, [4]Answer{IfMember, Yes, IfMember, IfMember}},
	} {
		allow := Allow{Join: row.access, Publish: row.access, Presence: row.access, History: row.access}
		if row.access == "members" {
			allow.Join = "anyone"
		}
		s, err := NewSet([]Rule{{Pattern: "**", Allow: allow}}, "signed-in")
		if err != nil {
			t.Fatalf("%q: %v", row.access, err)
		}
		for i, who := range everybody {
			if got := s.For(row.room).May(row.verb, row.room, who.User, identityOf(who)); got != row.want[i] {
				t.Errorf("%q: may %s %v in %s: %d, want %d", row.access, who.User, row.verb, row.room, got, row.want[i])
			}
		}
	}
}

func TestEachVerbHasItsOwnAccess(t *testing.T) {
	s := newSet(t, Rule{Pattern: "**", Allow: Allow{Join: "role:j", Publish: "role:p", Presence: "role:w", History: "role:h"}})
	for role, want := range map[string]auth.Verb{"j": auth.Join, "p": auth.Publish, "w": auth.Presence, "h": auth.History} {
		who := &auth.Identity{User: "a", Roles: []string{role}}
		for _, verb := range []auth.Verb{auth.Join, auth.Publish, auth.Presence, auth.History} {
			if got := s.For("r").May(verb, "r", who.User, who) == Yes; got != (verb == want) {
				t.Errorf("role %s may %v: %v", role, verb, got)
			}
		}
	}
}

func TestUnstatedHoldsForRoomsOfNoRule(t *testing.T) {
	for unstated, want := range map[Access]Answer{"": Yes, "anyone": Yes, "signed-in": No, "members": IfMember} {
		s, err := NewSet([]Rule{{Pattern: "chat/*"}}, unstated)
		if unstated == "members" {
			if err == nil {
				t.Error("members alone may join, which nobody can")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range []string{"chat/a", "lobby"} {
			if got := s.For(room).May(auth.Join, room, stranger.User, nil); got != want {
				t.Errorf("unstated %q: %d in %s, want %d", unstated, got, room, want)
			}
		}
	}
	if _, err := NewSet(nil, "everybody"); err == nil || !strings.Contains(err.Error(), "does not say") {
		t.Errorf("an unstated access that is none: %v", err)
	}
}

func TestMayDoesNotAllocate(t *testing.T) {
	s := newSet(t, Rule{Pattern: "**", Allow: Allow{Join: "role:x, grant, members"}})
	for _, room := range []string{"chat/a", "lobby", "@alice", "@bob~40example.com"} {
		r := s.For(room)
		who := guest
		if room != "@bob~40example.com" && room[0] == '@' {
			who = alice // a user without bytes to escape
		}
		if room == "@bob~40example.com" {
			continue // its owner's name is escaped, once a join
		}
		if n := testing.AllocsPerRun(100, func() { r.May(auth.Join, room, who.User, who) }); n != 0 {
			t.Errorf("%s: %v allocations", room, n)
		}
	}
}

// A pattern means the same in a grant as in a rule.
func FuzzMatches(f *testing.F) {
	for _, seed := range [][2]string{{"chat/*", "chat/a"}, {"**", "x"}, {"***", "a"}, {"a**b*c", "a/b/bzc"}, {"", ""}, {"*", ":"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		got := Matches(text, name)
		p, err := compile(text)
		switch {
		case err == nil && got != p.matches(name):
			t.Fatalf("%q matches %q: %v, compiled %v", text, name, got, !got)
		case err != nil && got && text != name && strings.Contains(text, "***"):
			t.Fatalf("%q, which is no pattern (%v), matches %q", text, err, name)
		}
	})
}
