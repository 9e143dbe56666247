package bench

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHeaderComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := header{rapid.Int64Range(0, 1<<48-1).Draw(t, "at"), rapid.Int64Range(0, 1<<36-1).Draw(t, "number")}
		b := h.append(nil)
		if len(b) != headerLen {
			t.Fatalf("%d bytes: %q", len(b), b)
		}
		got, ok := parseHeader(append(b, "..."...))
		if !ok || got != h {
			t.Fatalf("%+v came back as %+v, %v", h, got, ok)
		}
	})
}

func TestParseHeaderRefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "AAAA", "AAAAAAAAAAAAA", "hello, you all!", "AAAAAAAA AAAAA."} {
		if h, ok := parseHeader([]byte(text)); ok {
			t.Errorf("%q is %+v", text, h)
		}
	}
}

// TestClocksOfProcessesAgree makes two clocks at different times from one epoch.
func TestClocksOfProcessesAgree(t *testing.T) {
	epoch := time.Now().Add(-time.Hour).UnixNano()
	first := newClock(epoch)
	second := newClock(epoch)
	if apart := time.Duration(second.now() - first.now()); apart.Abs() > time.Minute {
		t.Errorf("two clocks are %v apart", apart)
	}
}
