package protocol

import (
	"regexp"
	"strings"
	"testing"
)

func TestRoomNames(t *testing.T) {
	for _, name := range []string{
		"a", "general", "game/42", "AZaz09_:.-/=+~", "chat/team:1", "~zz", "~", "..", "/", strings.Repeat("r", MaxRoomLen),
		"@alice", "@a.b-c_D9", "@anon-4f", "@~40", "@bob~40example.com", "@~00", "@~c3~a9", "@" + strings.Repeat("u", MaxRoomLen-1),
	} {
		if !CheckRoom(name) || !CheckRoom([]byte(name)) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{
		"", "$control", "$", "a$", "a b", " a", "a\n", "a\x00", "é", "a\xff", "a*", "a>", "a,b", "a?b", "a#b", "a%20", "a&b", "a\\b", "{a}", "(a)", "a'",
		strings.Repeat("r", MaxRoomLen+1), "@", "@@", "a@b", "game/@alice", "@alice@", "@alice/x", "@a:b", "@a+b", "@a=b", "@a b", "@~", "@~4", "@~4G",
		"@~4A", "@~C3", "@~61", "@~2d", "@~2e", "@~5f", "@~30", "@a~", "@a~4", "@~~40", "@é", "@" + strings.Repeat("u", MaxRoomLen),
	} {
		if CheckRoom(name) || CheckRoom([]byte(name)) {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestInboxOfAUser(t *testing.T) {
	for user, room := range map[string]string{
		"alice": "@alice", "anon-0a": "@anon-0a", "bob@example.com": "@bob~40example.com", "é": "@~c3~a9", "a~b": "@a~7eb", "~40": "@~7e40", "\x00\xff": "@~00~ff",
	} {
		if got := Inbox(user); got != room || !CheckRoom(got) {
			t.Errorf("the inbox of %q is %q, want %q", user, got, room)
		}
		if got, ok := InboxUser(room); !ok || got != user {
			t.Errorf("%q is the inbox of %q, %v; want %q", room, got, ok, user)
		}
	}
	for _, room := range []string{"", "@", "alice", "@~61lice", "@a/b", "a@b", "@~4", Inbox(strings.Repeat("é", 40))} {
		if user, ok := InboxUser(room); ok {
			t.Errorf("%q is the inbox of %q", room, user)
		}
	}
	if CheckRoom(Inbox("")) {
		t.Error("the empty user has an inbox")
	}
}

func TestDecodeUserAcceptsTheCanonicalFormOnly(t *testing.T) {
	for _, text := range []string{"", "~", "~4", "~4g", "~4F", "~41", "~c", "a b", "a@b", "a/b", "é", "~~", "a~"} {
		if user, ok := DecodeUser(text); ok || user != "" {
			t.Errorf("%q became %q", text, user)
		}
	}
}

func FuzzUser(f *testing.F) {
	for _, s := range []string{"alice", "bob@example.com", "~40", "~7e40", "@~4", "\x00", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := EncodeUser(s)
		if got, ok := DecodeUser(encoded); ok != (s != "") || got != s {
			t.Fatalf("%q became %q and %q, %v", s, encoded, got, ok)
		}
		if user, ok := DecodeUser(s); ok && EncodeUser(user) != s {
			t.Fatalf("%q and %q are one user", s, EncodeUser(user))
		}
		if user, ok := InboxUser(Inbox(s)); ok != (s != "" && len(encoded) < MaxRoomLen) || ok && user != s {
			t.Fatalf("the inbox of %q is that of %q, %v", s, user, ok)
		}
	})
}

var (
	roomForm      = regexp.MustCompile(`^[A-Za-z0-9_:./=+~-]{1,200}$`)
	inboxForm     = regexp.MustCompile(`^@(?:[A-Za-z0-9_.-]|~[0-9a-f]{2})+$`)
	needlessForms = regexp.MustCompile(`~(?:3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a]|2[de])`)
)

func FuzzRoom(f *testing.F) {
	for _, s := range []string{"general", "@alice", "@bob~40example.com", "@~61", "$control", "a@b", "ns/room", "@~5f", "a\n", strings.Repeat("@", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := roomForm.MatchString(s) || inboxForm.MatchString(s) && !needlessForms.MatchString(s) && len(s) <= 200
		if CheckRoom(s) != want || CheckRoom([]byte(s)) != want {
			t.Fatalf("%q: got %v, want %v", s, CheckRoom(s), want)
		}
	})
}
