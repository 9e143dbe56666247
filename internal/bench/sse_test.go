package bench

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestChunksComeOutWhole cuts a body into chunks, and what is sent of them into pieces.
func TestChunksComeOutWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
		var sent bytes.Buffer
		for left := body; len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "chunk")
			format := rapid.SampledFrom([]string{"%x\r\n", "%X\r\n", "%x;ab=cd\r\n"}).Draw(t, "line")
			fmt.Fprintf(&sent, format, n)
			sent.Write(left[:n])
			sent.WriteString("\r\n")
			left = left[n:]
		}
		sent.WriteString("0\r\n\r\n")
		var c chunk
		var got []byte
		for p := sent.Bytes(); len(p) > 0; {
			n := rapid.IntRange(1, len(p)).Draw(t, "piece")
			for piece := p[:n]; len(piece) > 0; {
				var some []byte
				some, piece = c.next(piece)
				got = append(got, some...)
			}
			p = p[n:]
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("%q came out as %q", body, got)
		}
	})
}
