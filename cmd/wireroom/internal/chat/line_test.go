package chat

import (
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

func TestMessagesAreShownAsWhatTheySay(t *testing.T) {
	for _, row := range []struct {
		m    protocol.Message
		want string
	}{
		{protocol.Message{Data: []byte(`"hi"`)}, "hi"},
		{protocol.Message{Data: []byte(`{"text":"hi","at":1}`)}, "hi"},
		{protocol.Message{Data: []byte(`{"message":"hi"}`)}, "hi"},
		{protocol.Message{Data: []byte(`{"text":1}`)}, `{"text":1}`},
		{protocol.Message{Data: []byte(`[1, 2]`), Event: "order"}, "[order] [1, 2]"},
		{protocol.Message{Bytes: []byte{1, 2, 3}}, "(binary, 3 bytes)"},
		{protocol.Message{Data: []byte(`"one\ntwo"`)}, "one\n      two"},
		{protocol.Message{Data: []byte(`"a\u001b[31mb\r\u0007\u009bc\u202ed\te"`)}, "a[31mbcd e"},
	} {
		if got := text(&row.m); got != row.want {
			t.Errorf("%s is shown as %q, want %q", row.m.Data, got, row.want)
		}
	}
}

func TestNamesCannotColourAnything(t *testing.T) {
	s := style{colours: true}
	if got, want := s.name(protocol.Sender{User: "x", Name: "\x1b[5mA\x1b[0m"}), s.name(protocol.Sender{User: "x", Name: "[5mA[0m"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (style{}).name(protocol.Sender{}); got != "server" {
		t.Errorf("got %q", got)
	}
}

func TestANameIsWhatATextBeginsWith(t *testing.T) {
	for _, c := range []struct {
		text, name, rest string
		ok               bool
	}{
		{"ann hello", "Ann", "hello", true},
		{"Ann Lee hello", "ann lee", "hello", true},
		{"annie hello", "Ann", "", false},
		{"ann", "Ann", "", false},
		{"kkkk yo", "\u212a\u212a\u212a\u212a", "yo", true}, // KELVIN SIGN: three bytes, of one that is k
	} {
		if rest, ok := behind(c.text, c.name); ok != c.ok || ok && rest != c.rest {
			t.Errorf("%q behind %q is %q, %v", c.text, c.name, rest, ok)
		}
	}
}
