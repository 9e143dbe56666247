package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func TestSizesHaveUnits(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "7": 7, "7B": 7, "64KiB": 64 << 10, "64 kib": 64 << 10, "4MiB": 4 << 20, "1GiB": 1 << 30,
		"64KB": 64_000, "4MB": 4_000_000, "1gb": 1_000_000_000, "9223372036854775807": 1<<63 - 1, "8589934591GiB": 8589934591 << 30,
	} {
		var got config.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "KiB", "-1", "+1", "1.5MiB", "1K", "1 M B", "0x10", "8589934592GiB", "9223372036854775808", "1KiBB", "1_000"} {
		got := config.Size(5)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != 5 {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}

func TestSizesAreWrittenInTheirLargestUnit(t *testing.T) {
	for size, want := range map[config.Size]string{
		0: "0", 1: "1B", 1023: "1023B", 1024: "1KiB", 1000: "1KB", 1 << 20: "1MiB", 1 << 30: "1GiB", 1 << 40: "1024GiB", 5_000_000: "5MB", 1536: "1536B", 3 << 19: "1536KiB",
	} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(size), got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("64KiB")
	f.Add("9223372036854775807B")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again config.Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s || s < 0 {
			t.Errorf("%q is %d, written %q, which is %d: %v", text, s, s, again, err)
		}
	})
}

func TestASecretIsNotShown(t *testing.T) {
	const text = "xyzzy-xyzzy-xyzzy"
	holder := struct{ Secret config.Secret }{text}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("loaded", "secret", holder.Secret, "in", holder)
	}
	shown := fmt.Sprint(holder, &holder, holder.Secret) + fmt.Sprintf("%s %v %+v %#v %q %x", holder, holder, holder, holder, holder, holder)
	for _, shown := range []string{shown, string(encoded), log.String()} {
		if strings.Contains(shown, text) || strings.Contains(shown, fmt.Sprintf("%x", text)) || !strings.Contains(shown, "hidden") {
			t.Errorf("shown: %s", shown)
		}
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("no secret is shown as %q", got)
	}
}
