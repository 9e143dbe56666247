package conn

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestBufferHoldsWhatWentIn compares a buffer with a plain slice under any sequence of its operations.
func TestBufferHoldsWhatWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pool
		var b *buffer
		var want []byte
		next := byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"grow": func(t *rapid.T) {
				piece := make([]byte, rapid.IntRange(0, 40_000).Draw(t, "n"))
				for i := range piece {
					piece[i] = next
					next++
				}
				b = p.grow(b, piece)
				want = append(want, piece...)
				clear(piece)
			},
			"skip": func(t *rapid.T) {
				if b != nil {
					n := rapid.IntRange(0, len(want)).Draw(t, "n")
					b.skip(n)
					want = want[n:]
				}
			},
			"cut": func(t *rapid.T) {
				if b != nil {
					n := rapid.IntRange(0, len(want)).Draw(t, "n")
					b.cut(n)
					want = want[:len(want)-n]
				}
			},
			"put": func(t *rapid.T) {
				p.put(b)
				b, want = nil, nil
			},
			"": func(t *rapid.T) {
				if b != nil && (b.len() != len(want) || !bytes.Equal(b.bytes(), want)) {
					t.Fatalf("holds %d bytes, want %d", b.len(), len(want))
				}
			},
		})
	})
}

func TestPoolLendsRoomEnough(t *testing.T) {
	var p pool
	for _, n := range []int{0, 1, 1 << 10, 1<<10 + 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		for range 3 {
			b := p.get(n)
			if cap(b.data) < n || b.len() != 0 {
				t.Errorf("asked for %d, got room for %d with %d in it", n, cap(b.data), b.len())
			}
			b.data = append(b.data, "used"...)
			b.skip(2)
			p.put(b)
		}
	}
}
