package rule

import (
	"strings"
	"testing"
	"time"
)

func TestPatternMatchesWholeNames(t *testing.T) {
	rows := []struct {
		pattern string
		yes, no string // names, separated by spaces; "-" is the empty name
	}{
		{"lobby", "lobby", "lobb lobby2 Lobby - lobby/"},
		{"chat/*", "chat/ chat/a chat/general chat/a.b-c", "chat chat/a/b chat/a:b xchat/a"},
		{"chat/**", "chat/ chat/a chat/a/b chat/a:b/c", "chat chats/a"},
		{"*", "- a general @user", "a/b a:b / :"},
		{"**", "- a a/b a:b:c //", ""},
		{"*/state", "a/state /state", "a/b/state state a:b/state a/state/ a/statee a//state"},
		{"**/state", "a/state a/b/state /state a:b/state/state", "state a/state/x"},
		{"@*", "@ @alice", "alice a@alice @a:b"},
		{"game:*:move", "game:1:move game::move", "game:1:2:move game:move game/1/move"},
		{"a*b*c", "abc aXbXc abbc abcbc acbbc", "ab ac acb aX/bc abc/"},
		{"a**b*c", "abc a/x/bc a/b/bzc a:b:bc", "a/b/c a/bb/c"},
		{"**x**", "x axb a/x/b xx", "- a/b"},
		{"*a*a*a", "aaa abaca aaaaaa", "aa ab/aa aab"},
	}
	for _, row := range rows {
		p, err := compile(row.pattern)
		if err != nil {
			t.Fatalf("compile(%q): %v", row.pattern, err)
		}
		for want, names := range map[bool]string{true: row.yes, false: row.no} {
			for _, name := range strings.Fields(names) {
				name = strings.TrimSuffix(name, "-")
				if got := p.matches(name); got != want {
					t.Errorf("%q matches %q: %v, want %v", row.pattern, name, got, want)
				}
			}
		}
	}
}

func TestPatternRefusesWhatNoRoomCanMatch(t *testing.T) {
	for _, text := range []string{"", "***", "a***b", "a b", "chat/?", "a\x00", "a\x01*", "ü", "$system", strings.Repeat("a", 201)} {
		if _, err := compile(text); err == nil {
			t.Errorf("compile(%q) accepts it", text)
		}
	}
	if _, err := compile(strings.Repeat("*a", 100)); err != nil {
		t.Errorf("compile of 200 bytes: %v", err)
	}
}

// A matcher that goes back would need more than a lifetime for this.
func TestPatternIsBounded(t *testing.T) {
	for _, wildcard := range []string{"*", "**"} {
		p, err := compile(strings.Repeat("a"+wildcard, 60) + "b")
		if err != nil {
			t.Fatal(err)
		}
		matched := make(chan bool, 1)
		go func() { matched <- p.matches(strings.Repeat("a", 200)) }()
		select {
		case got := <-matched:
			if got {
				t.Errorf("%q matched without a b", wildcard)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q: no answer", wildcard)
		}
	}
}

// simple is the matcher of the definition: it tries every way.
func simple(text, name string) bool {
	switch {
	case text == "":
		return name == ""
	case strings.HasPrefix(text, "**"):
		return simple(text[2:], name) || name != "" && simple(text, name[1:])
	case text[0] == '*':
		return simple(text[1:], name) || name != "" && name[0] != '/' && name[0] != ':' && simple(text, name[1:])
	}
	return name != "" && name[0] == text[0] && simple(text[1:], name[1:])
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"lobby", "lobby"},
		{"chat/*", "chat/a"},
		{"chat/*", "chat/a/b"},
		{"**/state", "a/b/state"},
		{"a**b*c", "a/b/bzc"},
		{"*", ""},
		{"**", ":"},
		{"*/**", "a/"},
		{"**a*", "aa:a"},
		{"***", "a"},
		{"a*:**:b", "a::::b"},
		{"*a*a*b", "aaaaaaaaaaab"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := compile(text)
		if err != nil || strings.Count(text, "*") > 8 || len(name) > 24 {
			return // the simple matcher takes too long
		}
		if got, want := p.matches(name), simple(text, name); got != want {
			t.Fatalf("%q matches %q: %v, want %v", text, name, got, want)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	for _, row := range []struct{ name, pattern, room string }{
		{"other", "games/*", "chat/general"}, {"literal", "chat/general", "chat/general"}, {"segment", "chat/*", "chat/general"}, {"worst", strings.Repeat("*a", 100), strings.Repeat("a", 200)},
	} {
		p, err := compile(row.pattern)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				p.matches(row.room)
			}
		})
	}
}
