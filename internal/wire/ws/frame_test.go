package ws_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// unhex reads bytes as RFC 6455 prints them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer("0x", "", " ", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWritesTheFramesOfTheRFC(t *testing.T) { // RFC 6455, section 5.7
	long := bytes.Repeat([]byte{'x'}, 65536)
	for name, row := range map[string]struct {
		got  []byte
		want string
	}{
		"text":            {ws.AppendFrame(nil, ws.Text, []byte("Hello")), "0x81 0x05 0x48 0x65 0x6c 0x6c 0x6f"},
		"masked text":     {ws.AppendMasked(nil, ws.Text, testKey, []byte("Hello")), "0x81 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58"},
		"first fragment":  {append(ws.AppendHeader(nil, ws.Header{Opcode: ws.Text, Fragment: true, Length: 3}), "Hel"...), "0x01 0x03 0x48 0x65 0x6c"},
		"last fragment":   {ws.AppendFrame(nil, ws.Continuation, []byte("lo")), "0x80 0x02 0x6c 0x6f"},
		"ping":            {ws.AppendFrame(nil, ws.Ping, []byte("Hello")), "0x89 0x05 0x48 0x65 0x6c 0x6c 0x6f"},
		"masked pong":     {ws.AppendMasked(nil, ws.Pong, testKey, []byte("Hello")), "0x8a 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58"},
		"256 bytes":       {ws.AppendFrame(nil, ws.Binary, long[:256])[:4], "0x82 0x7E 0x0100"},
		"64 KiB":          {ws.AppendFrame(nil, ws.Binary, long)[:10], "0x82 0x7F 0x0000000000010000"},
		"125 bytes":       {ws.AppendFrame(nil, ws.Binary, long[:125])[:2], "0x82 0x7D"},
		"126 bytes":       {ws.AppendFrame(nil, ws.Binary, long[:126])[:4], "0x82 0x7E 0x007E"},
		"65535 bytes":     {ws.AppendFrame(nil, ws.Binary, long[:65535])[:4], "0x82 0x7E 0xFFFF"},
		"deflated":        {ws.AppendHeader(nil, ws.Header{Opcode: ws.Text, Deflated: true, Length: 7}), "0xc1 0x07"},
		"behind a prefix": {ws.AppendFrame([]byte{1, 2}, ws.Ping, nil), "0x01 0x02 0x89 0x00"},
	} {
		if want := unhex(t, row.want); !bytes.Equal(row.got, want) {
			t.Errorf("%s: got % x, want % x", name, row.got, want)
		}
	}
}

func TestWritingLeavesThePayloadAlone(t *testing.T) {
	payload := []byte("Hello")
	ws.AppendMasked(make([]byte, 0, 64), ws.Text, testKey, payload)
	new(ws.Deflater).AppendMasked(make([]byte, 0, 64), ws.Text, testKey, payload)
	if string(payload) != "Hello" {
		t.Errorf("the payload became %q", payload)
	}
}

// maskBytewise is the algorithm as RFC 6455, section 5.3, states it.
func maskBytewise(key [4]byte, pos int, p []byte) {
	for i := range p {
		p[i] ^= key[(pos+i)%4]
	}
}

func TestMasksAsTheRFCStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))
		pos := rapid.IntRange(0, 1<<30).Draw(t, "pos")
		p := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "p")
		from := rapid.IntRange(0, len(p)).Draw(t, "from") // another alignment
		want := append([]byte(nil), p...)
		maskBytewise(key, pos, want[from:])
		ws.Mask(key, pos, p[from:])
		if !bytes.Equal(p, want) {
			t.Fatalf("got %x, want %x", p, want)
		}
	})
}

func TestMasksEveryLengthAtEveryPosition(t *testing.T) {
	for length := range 140 {
		for pos := range 4 {
			p, want := noise(length), noise(length)
			ws.Mask(testKey, pos, p)
			maskBytewise(testKey, pos, want)
			if !bytes.Equal(p, want) {
				t.Fatalf("length %d, position %d: got %x, want %x", length, pos, p, want)
			}
		}
	}
}
