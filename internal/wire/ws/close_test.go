package ws_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

func TestKnowsWhichCloseCodesMayBeSent(t *testing.T) {
	valid := func(c int) bool { // RFC 6455, section 7.4, and the registry that it founds
		switch c {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			return true
		}
		return c >= 3000 && c <= 4999
	}
	for c := range 1 << 16 {
		if got := ws.CloseCode(c).Valid(); got != valid(c) {
			t.Errorf("Valid of %d is %v", c, got)
		}
	}
}

func TestClosePayloadIsReadBack(t *testing.T) {
	payload := ws.AppendClose([]byte("x"), 4503, "draining;retry=3.2")[1:]
	if code, reason := ws.ParseClose(payload); code != 4503 || reason != "draining;retry=3.2" {
		t.Errorf("read %d %q", code, reason)
	}
	if code, reason := ws.ParseClose(nil); code != ws.CloseNoStatus || reason != "" {
		t.Errorf("of nothing: read %d %q", code, reason)
	}
}

func TestNeverSendsAnInvalidCloseCode(t *testing.T) {
	for _, code := range []ws.CloseCode{0, 999, 1004, ws.CloseNoStatus, ws.CloseAbnormal, 1015, 1016, 2999, 5000, 65535} {
		if got := ws.AppendClose(nil, code, "why"); len(got) != 0 {
			t.Errorf("%d: appended %x", code, got)
		}
	}
}

func TestCutsTheReasonBetweenRunes(t *testing.T) {
	for _, row := range []struct{ reason, want string }{
		{strings.Repeat("a", 123), strings.Repeat("a", 123)},
		{strings.Repeat("a", 124), strings.Repeat("a", 123)},
		{strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		{strings.Repeat("a", 121) + "é", strings.Repeat("a", 121) + "é"},
		{strings.Repeat("a", 120) + "😀", strings.Repeat("a", 120)},
		{strings.Repeat("€", 60), strings.Repeat("€", 41)},
		{"bad \xff byte", "bad \uFFFD byte"},
	} {
		got := ws.AppendClose(nil, 1000, row.reason)
		if string(got[2:]) != row.want {
			t.Errorf("%.20q...: got %q, want %q", row.reason, got[2:], row.want)
		}
	}
}

func TestEveryCloseThatIsWrittenIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := ws.CloseCode(rapid.Uint16().Draw(t, "code"))
		reason := string(rapid.SliceOf(rapid.Byte()).Draw(t, "reason"))
		payload := ws.AppendClose(nil, code, reason)
		if len(payload) > ws.MaxControl {
			t.Fatalf("%d bytes", len(payload))
		}
		if len(payload) >= 2 && !utf8.Valid(payload[2:]) {
			t.Fatalf("%q is not UTF-8", payload[2:])
		}
		c := ws.Config{Client: true}
		var (
			d *ws.Decoder
			r recorder
		)
		if _, err := c.Decode(&d, ws.AppendFrame(nil, ws.Close, payload), &r); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseErrorTellsCodeAndReason(t *testing.T) {
	err := error(&ws.CloseError{Code: 1009, Reason: "message too big"})
	if got := fmt.Sprint(err); !strings.Contains(got, "1009") || !strings.Contains(got, "message too big") {
		t.Error(got)
	}
}
