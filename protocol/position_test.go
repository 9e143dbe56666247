package protocol

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// anyPosition draws a position that is one.
func anyPosition(t *rapid.T) Position {
	return Position{
		Epoch:  Epoch(rapid.Uint64Range(1, 1<<40-1).Draw(t, "epoch")),
		Offset: rapid.Uint64().Draw(t, "offset"),
		Check:  rapid.Uint32().Draw(t, "check"),
	}
}

func TestBeforeUndoesNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, id := anyPosition(t), rapid.Uint64().Draw(t, "id")
		if got := p.Next(id).Before(id); got != p {
			t.Fatalf("%v became %v", p, got)
		}
		if got := p.Before(id).Next(id); got != p {
			t.Fatalf("%v became %v the other way round", p, got)
		}
	})
}

func TestNextKeepsTheEpochAndCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, id := anyPosition(t), rapid.Uint64().Draw(t, "id")
		next := p.Next(id)
		if next.Epoch != p.Epoch || next.Offset != p.Offset+1 || !next.Follows(p, id) {
			t.Fatalf("%v is followed by %v", p, next)
		}
		for _, wrong := range []Position{
			{p.Epoch ^ 1, p.Offset, p.Check},
			{p.Epoch, p.Offset + 1, p.Check},
			{p.Epoch, p.Offset, p.Check ^ 1},
		} {
			if next.Follows(wrong, id) {
				t.Fatalf("%v follows %v", next, wrong)
			}
		}
	})
}

func TestLogsThatDifferedOnceNeverAgreeAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyPosition(t)
		b := a
		b.Check = rapid.Uint32().Filter(func(c uint32) bool { return c != a.Check }).Draw(t, "other check")
		for _, id := range rapid.SliceOf(rapid.Uint64()).Draw(t, "ids") {
			a, b = a.Next(id), b.Next(id)
			if a.Check == b.Check {
				t.Fatalf("both logs are at %v", a)
			}
		}
	})
}

// The step is repeated by engines' scripts in other languages; these are its values.
func TestNextHasFixedValues(t *testing.T) {
	p := Position{Epoch: 1}
	for _, row := range []struct {
		id    uint64
		check uint32
	}{
		{0, 0},
		{1, 0x00042021},
		{0x0123456789abcdef, 0x7a09488f},
		{0xffffffffffffffff, 0x3074a2a2},
	} {
		if p = p.Next(row.id); p.Check != row.check {
			t.Errorf("id %#x: check %#x, want %#x", row.id, p.Check, row.check)
		}
	}
}

func TestPositionRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPosition(t)
		text := p.String()
		got, err := ParsePosition(text)
		if err != nil || got != p {
			t.Fatalf("%+v became %q and %+v, %v", p, text, got, err)
		}
		if got, err := ParsePosition([]byte(text)); err != nil || got != p {
			t.Fatalf("%q as bytes: %+v, %v", text, got, err)
		}
		if len(text) > MaxPositionLen || string(p.Append([]byte("x"))) != "x"+text {
			t.Fatalf("text %q", text)
		}
	})
}

func TestPositionTextIsShortAndSafeInAURL(t *testing.T) {
	longest := Position{Epoch: 1<<40 - 1, Offset: 1<<64 - 1, Check: 1<<32 - 1}.String()
	if longest != "77777777.18446744073709551615.ffffffff" || len(longest) != MaxPositionLen || MaxPositionLen > 40 {
		t.Errorf("the longest is %q", longest)
	}
	if got := (Position{Epoch: 1, Check: 0xa}).String(); got != "aaaaaaab.0.0000000a" {
		t.Errorf("the shortest is %q", got)
	}
}

func TestParsePositionRefusesEverythingElse(t *testing.T) {
	for _, text := range []string{
		"", "k3f9x2ab", "k3f9x2ab.1042", "k3f7x2ab..9c1d44b2", "k3f7x2ab.1042.9c1d44b", "k3f7x2ab.1042.9c1d44b22", "k3f7x2a.1042.9c1d44b2",
		"k3f7x2abb.1042.9c1d44b2", "k3f9x2ab.1042.9c1d44b2", "K3f7x2ab.1042.9c1d44b2", "k3f7x2ab.1042.9C1d44b2", "k3f7x2ab.1042.9c1d44bg",
		"k3f7x2ab.01042.9c1d44b2", "k3f7x2ab.00.9c1d44b2", "k3f7x2ab.+1.9c1d44b2", "k3f7x2ab.-1.9c1d44b2", "k3f7x2ab.1e3.9c1d44b2",
		"k3f7x2ab.1.2.9c1d44b2", "k3f7x2ab:1042.9c1d44b2", "k3f7x2ab.1042:9c1d44b2", " k3f7x2ab.1042.9c1d44b2", "k3f7x2ab.1042.9c1d44b2 ",
		"k3f7x2ab.18446744073709551616.9c1d44b2", "k3f7x2ab.99999999999999999999.9c1d44b2", "k3f7x2ab.184467440737095516150.9c1d44b2",
		"aaaaaaaa.1042.9c1d44b2", "k3f7x2a\x00.1042.9c1d44b2", "k3f7x2é.1042.9c1d44b2", "k3f7x2ab.10\xff2.9c1d44b2",
	} {
		if p, err := ParsePosition(text); !errors.Is(err, ErrPosition) || p != (Position{}) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

var positionForm = regexp.MustCompile(`^([a-z2-7]{8})\.(0|[1-9][0-9]*)\.([0-9a-f]{8})$`)

func FuzzParsePosition(f *testing.F) {
	f.Add("k3f7x2ab.1042.9c1d44b2")
	f.Add("aaaaaaaa.0.00000000")
	f.Add("77777777.18446744073709551615.ffffffff")
	f.Add("77777777.18446744073709551616.ffffffff")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		parts := positionForm.FindStringSubmatch(text)
		want := parts != nil && parts[1] != "aaaaaaaa"
		if want {
			_, tooBig := strconv.ParseUint(parts[2], 10, 64)
			want = tooBig == nil
		}
		if want != (err == nil) || want && p.String() != text {
			t.Fatalf("%q: got %+v, %v", text, p, err)
		}
	})
}

func TestPositionsDoNotAllocate(t *testing.T) {
	text := []byte("k3f7x2ab.1042.9c1d44b2")
	buffer := make([]byte, 0, MaxPositionLen)
	n := testing.AllocsPerRun(100, func() {
		p, err := ParsePosition(text)
		if err != nil || len(p.Append(buffer)) != len(text) {
			t.Fatal(err)
		}
		if _, err := ParsePosition(text[:5]); err == nil {
			t.Fatal("accepted")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestNoPositionIsTheEmptyText(t *testing.T) {
	var p Position
	if !p.IsZero() || p.String() != "" {
		t.Errorf("the zero position is %q", p.String())
	}
	if (Position{Epoch: 1}).IsZero() {
		t.Error("the position before the first message is none")
	}
	p = Position{Epoch: 1}
	if err := p.UnmarshalText(nil); err != nil || !p.IsZero() {
		t.Errorf("the empty text became %v, %v", p, err)
	}
	if err := p.UnmarshalText([]byte("x")); !errors.Is(err, ErrPosition) {
		t.Errorf("x: %v", err)
	}
	text, err := json.Marshal(map[string]Position{"a": {Epoch: 1}, "b": {}})
	if err != nil || string(text) != `{"a":"aaaaaaab.0.00000000","b":""}` {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

func TestEpochsAreRandomAndFitTheirText(t *testing.T) {
	seen := map[Epoch]bool{}
	var union Epoch
	for range 1000 {
		e := NewEpoch()
		if e == 0 || e >= 1<<40 || seen[e] {
			t.Fatalf("epoch %#x", e)
		}
		seen[e] = true
		union |= e
	}
	if union != 1<<40-1 {
		t.Errorf("bits never set: %#x", union^(1<<40-1))
	}
	if NewMessageID() == NewMessageID() {
		t.Error("two messages with one id")
	}
}
