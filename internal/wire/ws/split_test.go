package ws_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// streams are inputs of a server, right and wrong ones.
func streams(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{
		"messages": fromClient(frame{op: ws.Text, payload: "a€😀"}, frame{op: ws.Binary, payload: "\xff"}, frame{op: ws.Text}),
		"fragments": fromClient(frame{op: ws.Text, more: true, payload: "a\xe2"}, frame{op: ws.Ping, payload: "p"},
			frame{more: true, payload: "\x82"}, frame{payload: "\xac"}, frame{op: ws.Close, payload: "\x03\xe8bye"}, frame{op: ws.Text}),
		"16 bits of length": fromClient(frame{op: ws.Text, payload: string(prose(300))}, frame{op: ws.Pong}),
		"half a frame":      fromClient(frame{op: ws.Text, payload: "whole"}, frame{op: ws.Binary, payload: "half of it"})[:20],
		"open message":      fromClient(frame{op: ws.Text, more: true, payload: "open"}, frame{op: ws.Ping}),
	}
	var deflater ws.Deflater
	deflated := deflater.AppendMasked(nil, ws.Text, testKey, prose(200))
	deflated = append(deflated, fromClient(frame{op: ws.Ping, payload: "between"})...)
	all["deflated"] = append(deflater.AppendMasked(deflated, ws.Binary, testKey, prose(300)), 0x88, 0x80, 0, 0, 0, 0)
	for _, row := range wrongInput(t) {
		all[row.name] = append(slices.Clone(row.input), fromClient(frame{op: ws.Text, payload: "late"})...)
	}
	return all
}

func TestReadsTheSameHoweverTheInputIsCut(t *testing.T) {
	c := &ws.Config{Deflate: true, MaxMessage: 65536}
	for name, input := range streams(t) {
		want := read(t, c, input)
		if got := read(t, c, bytewise(input)...); !same(got, want) {
			t.Errorf("%s, bytewise: got %v, want %v", name, got, want)
		}
		for cut := 0; cut < len(input); cut += 1 + len(input)/2000 { // everywhere, but in the one that is long
			if got := read(t, c, input[:cut], input[cut:]); !same(got, want) {
				t.Errorf("%s, cut at %d: got %v, want %v", name, cut, got, want)
			}
		}
	}
}

// sent is a message to be sent in some way.
type sent struct {
	op       ws.Opcode
	payload  []byte
	cuts     []int // where it is fragmented
	deflated bool
	between  []frame // control frames, each before the fragment of its number
}

// drawSent draws a message or a control frame.
func drawSent(t *rapid.T) sent {
	s := sent{op: rapid.SampledFrom([]ws.Opcode{ws.Text, ws.Binary, ws.Ping, ws.Pong}).Draw(t, "op")}
	if s.op.Control() {
		s.payload = rapid.SliceOfN(rapid.Byte(), 0, ws.MaxControl).Draw(t, "control")
		return s
	}
	s.payload = []byte(rapid.String().Draw(t, "text"))
	if rapid.Bool().Draw(t, "long") {
		s.payload = bytes.Repeat(s.payload, rapid.IntRange(0, 300).Draw(t, "times"))
	}
	s.deflated = rapid.Bool().Draw(t, "deflated")
	if s.op == ws.Binary {
		s.payload = append(s.payload, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
	}
	s.cuts = rapid.SliceOfN(rapid.IntRange(0, len(s.payload)+1), 0, 4).Draw(t, "cuts")
	for range s.cuts {
		s.between = append(s.between, frame{op: ws.Ping, payload: rapid.StringN(0, 20, 30).Draw(t, "between")})
	}
	return s
}

// appendTo appends the frames of s as one side sends them, and what is to be received.
func (s sent) appendTo(b []byte, client bool, deflater *ws.Deflater) ([]byte, []event) {
	if s.op.Control() {
		return append(b, frame{op: s.op, payload: string(s.payload)}.bytes(client)...), []event{{s.op, string(s.payload)}}
	}
	content := s.payload
	if s.deflated {
		content = deflater.Append(nil, content)
	}
	var events []event
	op, from := s.op, 0
	slices.Sort(s.cuts)
	for i, cut := range append(s.cuts, len(content)) {
		cut = min(max(cut, from), len(content))
		last := i == len(s.cuts)
		f := frame{op: op, more: !last, payload: string(content[from:cut])}
		if i == 0 && s.deflated {
			f.rsv = 4
		}
		b = append(b, f.bytes(client)...)
		if !last {
			b = append(b, s.between[i].bytes(client)...)
			events = append(events, event{ws.Ping, s.between[i].payload})
		}
		op, from = ws.Continuation, cut
	}
	return b, append(events, event{s.op, string(s.payload)})
}

// drawPieces cuts b into pieces.
func drawPieces(t *rapid.T, b []byte) [][]byte {
	if len(b) > 0 && len(b) < 2000 && rapid.Bool().Draw(t, "bytewise") {
		return bytewise(b)
	}
	var pieces [][]byte
	for len(b) > 0 {
		size := rapid.IntRange(1, len(b)).Draw(t, "size")
		pieces = append(pieces, b[:size])
		b = b[size:]
	}
	return pieces
}

func TestReadsWhatWasSent(t *testing.T) {
	var deflater ws.Deflater
	rapid.Check(t, func(t *rapid.T) {
		client := rapid.Bool().Draw(t, "from a client")
		var (
			input []byte
			want  []event
		)
		for _, s := range rapid.SliceOfN(rapid.Custom(drawSent), 1, 6).Draw(t, "sent") {
			var events []event
			input, events = s.appendTo(input, client, &deflater)
			want = append(want, events...)
		}
		c := &ws.Config{Client: !client, Deflate: true, MaxMessage: 1 << 20}
		got := read(t, c, drawPieces(t, input)...)
		if got.err != nil || got.holds || !equalEvents(got.events, want) {
			t.Fatalf("got %v (holds %v), want %v", got, got.holds, want)
		}
	})
}

func TestReadsBrokenInputTheSameHoweverItIsCut(t *testing.T) {
	var deflater ws.Deflater
	rapid.Check(t, func(t *rapid.T) {
		var input []byte
		for _, s := range rapid.SliceOfN(rapid.Custom(drawSent), 1, 3).Draw(t, "sent") {
			input, _ = s.appendTo(input, true, &deflater)
		}
		for range rapid.IntRange(1, 3).Draw(t, "faults") {
			at := rapid.IntRange(0, len(input)-1).Draw(t, "at")
			input[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		c := &ws.Config{Deflate: rapid.Bool().Draw(t, "deflate"), MaxMessage: 4096, MaxFragments: 4}
		want := read(t, c, input)
		if got := read(t, c, drawPieces(t, input)...); !same(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
