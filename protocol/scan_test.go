package protocol

import (
	"bytes"
	"testing"
)

func TestPlainRunStopsAtTheFirstByteThatIsNotPlain(t *testing.T) {
	naive := func(text []byte, i int) int {
		for i < len(text) && text[i] >= 0x20 && text[i] != '"' && text[i] != '\\' {
			i++
		}
		return i
	}
	for _, filler := range []byte{' ', '!', '#', '[', ']', 0x7f, 0x80, 0x9f, 0xa0, 0xa2, 0xdc, 0xff} {
		for c := range 256 {
			for at := range 40 {
				text := bytes.Repeat([]byte{filler}, 40)
				text[at] = byte(c)
				for _, start := range []int{0, 1, at, 39, 40} {
					if got, want := plainRun(text, start), naive(text, start); got != want {
						t.Fatalf("%#x at %d among %#x: from %d to %d, want %d", c, at, filler, start, got, want)
					}
				}
			}
		}
	}
}
