package protocol

import (
	"strings"
	"testing"
)

func TestCustomIsWrittenWithItsDataAsItIs(t *testing.T) {
	for want, c := range map[string]*Custom{
		`{"type":"tick","data":{"n": 1}}`: {Kind: "tick", Data: []byte(`{"n": 1}`)},
		`{"type":"tick"}`:                 {Kind: "tick"},
	} {
		if got := string(AppendPush(nil, c)); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
	}
}

func TestCheckTypeRefusesTheProtocolsOwnAndWhatNeedsEscapes(t *testing.T) {
	for _, kind := range []string{"tick", "a", "chat:message", "chat.message-2", "X_9", "add user", "ü", strings.Repeat("x", MaxEventLen)} {
		if !CheckType(kind) {
			t.Errorf("refused %q", kind)
		}
	}
	for _, kind := range []string{
		"", `a"b`, `a\b`, "a\n", "a\x7f", "a\xff", strings.Repeat("x", MaxEventLen+1),
		TypeAuth, TypeJoin, TypeLeave, TypePublish, TypePresence, TypeState, TypeHistory, TypePing, TypePong,
		TypeWelcome, TypeAuthRequired, TypeOK, TypeError, TypeMessage, TypeUserJoined, TypeUserLeft, TypeGap,
		TypeKicked, TypeTokenExpiring, TypeDraining,
	} {
		if CheckType(kind) {
			t.Errorf("accepted %q", kind)
		}
	}
}
