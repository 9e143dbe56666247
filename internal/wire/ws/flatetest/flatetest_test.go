package flatetest_test

import (
	"bytes"
	"compress/flate"
	"testing"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws/flatetest"
)

func TestReadsWhatTheStandardLibraryWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.IntRange(-2, 9).Draw(t, "level")
		window := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "window")
		part := rapid.SliceOfN(rapid.Byte(), 0, 300)
		var written bytes.Buffer
		w, err := flate.NewWriterDict(&written, level, window)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for range rapid.IntRange(0, 5).Draw(t, "parts") {
			p := bytes.Repeat(part.Draw(t, "part"), rapid.IntRange(1, 20).Draw(t, "times"))
			want = append(want, p...)
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := flatetest.Inflate(written.Bytes(), window)
		if err != nil || !bytes.Equal(got.Output, want) {
			t.Fatalf("got %d bytes, want %d, %v", len(got.Output), len(want), err)
		}
	})
}

func TestTellsTheLargestDistance(t *testing.T) {
	// A window of 1,000 different pairs of bytes, and its beginning once more.
	var window []byte
	for i := range 1000 {
		window = append(window, byte(i), byte(i>>8)|0x80)
	}
	var written bytes.Buffer
	w, err := flate.NewWriterDict(&written, 9, window)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(window[:100])
	_ = w.Flush()
	got, err := flatetest.Inflate(written.Bytes(), window)
	if err != nil || got.Distance != 2000 || !bytes.Equal(got.Output, window[:100]) {
		t.Errorf("distance %d, %v", got.Distance, err)
	}
}

func TestRefusesWhatIsNoStream(t *testing.T) {
	for name, data := range map[string]string{
		"reserved kind of block":     "\x06",
		"stored length":              "\x00\x05\x00\x00\x00Hello",
		"reference before the start": "\x02\x11\x00\x00",
	} {
		if got, err := flatetest.Inflate([]byte(data), nil); err == nil {
			t.Errorf("%s: got %q", name, got.Output)
		}
	}
}
