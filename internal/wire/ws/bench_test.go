package ws_test

import (
	"fmt"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{20, 100, 1000, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := new(ws.Config)
			input := frame{op: ws.Text, payload: string(prose(size))}.bytes(true)
			scratch := make([]byte, len(input))
			var (
				d *ws.Decoder
				s counter
			)
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				copy(scratch, input)
				if _, err := c.Decode(&d, scratch, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeInTwoPieces(b *testing.B) {
	c := new(ws.Config)
	input := frame{op: ws.Text, payload: string(prose(1000))}.bytes(true)
	scratch := make([]byte, len(input))
	var (
		d *ws.Decoder
		s counter
	)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		copy(scratch, input)
		_, _ = c.Decode(&d, scratch[:500], &s)
		if _, err := c.Decode(&d, scratch[500:], &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{64 << 10, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				ws.Mask(testKey, 1, p)
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{200, 1024, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			payload := prose(size)
			var dst []byte
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				dst = ws.AppendDeflated(dst[:0], ws.Text, payload)
			}
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, size := range []int{200, 1024, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := &ws.Config{Client: true, Deflate: true}
			input := ws.AppendDeflated(nil, ws.Text, prose(size))
			var (
				d *ws.Decoder
				s counter
			)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Decode(&d, input, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
