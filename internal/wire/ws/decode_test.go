package ws_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

func TestReadsTheFramesOfTheRFC(t *testing.T) { // RFC 6455, section 5.7
	for name, row := range map[string]struct {
		client bool
		input  string
		want   []event
	}{
		"unmasked text": {true, "81 05 48 65 6c 6c 6f", []event{{ws.Text, "Hello"}}},
		"masked text":   {false, "81 85 37 fa 21 3d 7f 9f 4d 51 58", []event{{ws.Text, "Hello"}}},
		"fragments":     {true, "01 03 48 65 6c 80 02 6c 6f", []event{{ws.Text, "Hello"}}},
		"ping":          {true, "89 05 48 65 6c 6c 6f", []event{{ws.Ping, "Hello"}}},
		"masked pong":   {false, "8a 85 37 fa 21 3d 7f 9f 4d 51 58", []event{{ws.Pong, "Hello"}}},
	} {
		c := &ws.Config{Client: row.client}
		input := unhex(t, row.input)
		for _, got := range []reading{read(t, c, input), read(t, c, bytewise(input)...)} {
			if want := (reading{events: row.want}); !same(got, want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	}
}

// wrong is input that a server refuses with its last byte, and not before.
type wrong struct {
	name  string
	input []byte
	code  ws.CloseCode
}

func wrongInput(t testing.TB) []wrong {
	x := func(s string) []byte { return unhex(t, s) }
	hel := fromClient(frame{op: ws.Text, more: true, payload: "Hel"})
	behind := func(s string) []byte { return append(slices.Clone(hel), x(s)...) }
	closing := func(payload string) []byte { return fromClient(frame{op: ws.Close, payload: payload}) }
	text := func(payload string) []byte { // a frame that announces more than it brings
		return fromClient(frame{op: ws.Text, payload: payload + "..."})[:6+len(payload)]
	}
	var rows []wrong
	for op := range ws.Opcode(16) {
		if op > ws.Binary && op < ws.Close || op > ws.Pong {
			rows = append(rows, wrong{fmt.Sprintf("reserved opcode %d", op), []byte{0x80 | byte(op)}, 1002})
			rows = append(rows, wrong{fmt.Sprintf("reserved opcode %d in a message", op), append(slices.Clone(hel), 0x80|byte(op)), 1002})
		}
	}
	for rsv := byte(1); rsv < 8; rsv++ {
		for _, op := range []ws.Opcode{ws.Text, ws.Binary, ws.Close, ws.Ping, ws.Pong} {
			rows = append(rows, wrong{fmt.Sprintf("reserved bits %d of opcode %d", rsv, op), []byte{0x80 | rsv<<4 | byte(op)}, 1002})
		}
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, wrong{fmt.Sprintf("close code %d", code), closing(string([]byte{byte(code >> 8), byte(code)})), 1002})
	}
	return append(rows,
		wrong{"unmasked text", x("81 05"), 1002},
		wrong{"unmasked ping", x("89 00"), 1002},
		wrong{"unmasked continuation", behind("80 02"), 1002},
		wrong{"fragmented ping", x("09"), 1002},
		wrong{"fragmented pong", x("0a"), 1002},
		wrong{"fragmented close", x("08"), 1002},
		wrong{"ping of 126 bytes", x("89 fe"), 1002},
		wrong{"close of 64 KiB", x("88 ff"), 1002},
		wrong{"continuation of nothing", x("00"), 1002},
		wrong{"last continuation of nothing", x("80"), 1002},
		wrong{"text within a message", behind("81"), 1002},
		wrong{"fragment of binary within a message", behind("02"), 1002},
		wrong{"RSV1 on a continuation", behind("c0"), 1002},
		wrong{"continuation behind a message", append(fromClient(frame{op: ws.Text, payload: "x"}), 0x80), 1002},
		wrong{"length with the top bit", x("82 ff 80 00 00 00 00 00 00 00"), 1002},
		wrong{"all bits of the length", x("82 ff ff ff ff ff ff ff ff ff"), 1002},
		wrong{"125 in 16 bits", x("82 fe 00 7d"), 1002},
		wrong{"65535 in 64 bits", x("82 ff 00 00 00 00 00 00 ff ff"), 1002},
		wrong{"length near 2^63", x("82 ff 7f ff ff ff ff ff ff ff"), 1009},
		wrong{"one byte over the limit", x("82 ff 00 00 00 00 00 01 00 01"), 1009},
		wrong{"sum over the limit", append(fromClient(frame{op: ws.Binary, more: true, payload: "x"}), x("80 ff 00 00 00 00 00 01 00 00")...), 1009},
		wrong{"sum of three over the limit", append(fromClient(frame{op: ws.Binary, more: true, payload: string(make([]byte, 40_000))},
			frame{more: true, payload: "x"}), x("80 fe ff ff")...), 1009},
		wrong{"sum that overflows", append(fromClient(frame{op: ws.Binary, more: true, payload: "x"}), x("80 ff 7f ff ff ff ff ff ff ff")...), 1009},
		wrong{"close of one byte", closing("\x03"), 1002},
		wrong{"close reason that is not UTF-8", closing("\x03\xe8\xff"), 1007},
		wrong{"close reason that ends in a rune", closing("\x03\xe8\xe2\x82"), 1007},
		wrong{"overlong slash", text("ok \xc0"), 1007},
		wrong{"overlong in three bytes", text("\xe0\x80"), 1007},
		wrong{"overlong in four bytes", text("\xf0\x8f"), 1007},
		wrong{"surrogate", text("\xed\xa0"), 1007},
		wrong{"beyond 10FFFF", text("\xf4\x90"), 1007},
		wrong{"byte that is never UTF-8", text("\xf5"), 1007},
		wrong{"stray continuation byte", text("a\x80"), 1007},
		wrong{"rune cut by another", text("\xe2\x82a"), 1007},
		wrong{"text that ends in a rune", fromClient(frame{op: ws.Text, payload: "\xe2\x82"}), 1007},
		wrong{"fragments that end in a rune", fromClient(
			frame{op: ws.Text, more: true, payload: "\xe2"}, frame{op: ws.Continuation, payload: "\x82"}), 1007},
		wrong{"rune broken across fragments", append(fromClient(frame{op: ws.Text, more: true, payload: "\xf4"}),
			fromClient(frame{op: ws.Continuation, payload: "\x90..."})[:7]...), 1007},
		wrong{"empty end of an unfinished rune", fromClient(
			frame{op: ws.Text, more: true, payload: "\xf0\x9f\x98"}, frame{op: ws.Continuation}), 1007},
	)
}

func TestRefusesWhatIsWrongAtOnce(t *testing.T) {
	c := &ws.Config{MaxMessage: 65536}
	for _, row := range wrongInput(t) {
		if got := read(t, c, row.input); got.err == nil || got.err.Code != row.code {
			t.Errorf("%s: got %v, want %d", row.name, got, row.code)
		}
		if got := read(t, c, bytewise(row.input)...); got.err == nil || got.err.Code != row.code {
			t.Errorf("%s, bytewise: got %v, want %d", row.name, got, row.code)
		}
		if got := read(t, c, bytewise(row.input[:len(row.input)-1])...); got.err != nil {
			t.Errorf("%s, without its last byte: got %v", row.name, got)
		}
	}
}

func TestRefusesTheCompressedBitWhereItMayNotBe(t *testing.T) { // RFC 7692, section 6.1
	c := &ws.Config{Deflate: true}
	open := frame{op: ws.Text, more: true, payload: "x"}.bytes(true)
	for _, first := range []byte{0xc8, 0xc9, 0xca, 0xd1, 0xe2} {
		if got := read(t, c, []byte{first}); got.err == nil || got.err.Code != ws.CloseProtocolError {
			t.Errorf("%x: got %v", first, got)
		}
	}
	for _, first := range []byte{0x40, 0xc0, 0xc9} {
		if got := read(t, c, open, []byte{first}); got.err == nil || got.err.Code != ws.CloseProtocolError {
			t.Errorf("%x within a message: got %v", first, got)
		}
	}
}

func TestClientRefusesMaskedFrames(t *testing.T) {
	c := &ws.Config{Client: true}
	if got := read(t, c, []byte{0x81, 0x85}); got.err == nil || got.err.Code != ws.CloseProtocolError {
		t.Errorf("got %v", got)
	}
}

func TestTakesWhatIsJustRight(t *testing.T) {
	c := &ws.Config{MaxMessage: 70000, MaxFragments: 3}
	long := strings.Repeat("x", 70000)
	for name, row := range map[string]struct {
		frames []frame
		want   []event
	}{
		"empty text":              {[]frame{{op: ws.Text}}, []event{{ws.Text, ""}}},
		"empty binary":            {[]frame{{op: ws.Binary}}, []event{{ws.Binary, ""}}},
		"empty close":             {[]frame{{op: ws.Close}}, []event{{ws.Close, ""}}},
		"close with a reason":     {[]frame{{op: ws.Close, payload: "\x03\xe8bye €"}}, []event{{ws.Close, "\x03\xe8bye €"}}},
		"ping of 125 bytes":       {[]frame{{op: ws.Ping, payload: long[:125]}}, []event{{ws.Ping, long[:125]}}},
		"125 bytes":               {[]frame{{op: ws.Text, payload: long[:125]}}, []event{{ws.Text, long[:125]}}},
		"126 bytes":               {[]frame{{op: ws.Text, payload: long[:126]}}, []event{{ws.Text, long[:126]}}},
		"65535 bytes":             {[]frame{{op: ws.Binary, payload: long[:65535]}}, []event{{ws.Binary, long[:65535]}}},
		"65536 bytes":             {[]frame{{op: ws.Binary, payload: long[:65536]}}, []event{{ws.Binary, long[:65536]}}},
		"the limit":               {[]frame{{op: ws.Binary, payload: long}}, []event{{ws.Binary, long}}},
		"binary that is not text": {[]frame{{op: ws.Binary, payload: "\xff\xfe"}}, []event{{ws.Binary, "\xff\xfe"}}},
		"noncharacters":           {[]frame{{op: ws.Text, payload: "\uFFFE\uFFFF\U0010FFFF\x00"}}, []event{{ws.Text, "\uFFFE\uFFFF\U0010FFFF\x00"}}},
		"the limit in fragments": {
			[]frame{{op: ws.Text, more: true, payload: long[:1]}, {op: 0, more: true, payload: long[:69990]}, {op: 0, payload: long[:9]}},
			[]event{{ws.Text, long}},
		},
		"empty fragments": {
			[]frame{{op: ws.Text, more: true}, {more: true}, {}},
			[]event{{ws.Text, ""}},
		},
		"rune in three fragments": {
			[]frame{{op: ws.Text, more: true, payload: "a\xe2"}, {more: true, payload: "\x82"}, {payload: "\xacb"}},
			[]event{{ws.Text, "a€b"}},
		},
		"control frames between fragments": {
			[]frame{{op: ws.Ping, payload: "0"}, {op: ws.Text, more: true, payload: "a"}, {op: ws.Ping, payload: "1"}, {more: true, payload: "b"}, {op: ws.Pong, payload: "2"}, {payload: "c"}, {op: ws.Ping, payload: "3"}},
			[]event{{ws.Ping, "0"}, {ws.Ping, "1"}, {ws.Pong, "2"}, {ws.Text, "abc"}, {ws.Ping, "3"}},
		},
		"two messages in fragments": {
			[]frame{{op: ws.Text, more: true, payload: "a"}, {payload: "b"}, {op: ws.Binary, more: true, payload: "c"}, {more: true, payload: "d"}, {payload: "e"}},
			[]event{{ws.Text, "ab"}, {ws.Binary, "cde"}},
		},
		"close within a message": {
			[]frame{{op: ws.Text, more: true, payload: "a"}, {op: ws.Close, payload: "\x03\xe9"}},
			[]event{{ws.Close, "\x03\xe9"}},
		},
	} {
		input := fromClient(row.frames...)
		for _, got := range []reading{read(t, c, input), read(t, c, bytewise(input)...)} {
			if got.err != nil || !equalEvents(got.events, row.want) {
				t.Errorf("%s: got %v, want %v", name, got, row.want)
			}
		}
	}
}

func TestLimitsFragments(t *testing.T) {
	for _, row := range []struct{ limit, frames int }{{3, 3}, {0, ws.DefaultMaxFragments}, {1, 1}} {
		c := &ws.Config{MaxFragments: row.limit}
		input := frame{op: ws.Text, more: true}.bytes(true)
		for range row.frames - 1 {
			input = append(input, frame{more: true}.bytes(true)...)
		}
		if got := read(t, c, input); got.err != nil {
			t.Errorf("limit %d: %d frames: %v", row.limit, row.frames, got)
		}
		if got := read(t, c, append(input, 0x80)); got.err == nil || got.err.Code != ws.ClosePolicy {
			t.Errorf("limit %d: one frame more: %v", row.limit, got)
		}
	}
}

func TestCountsFragmentsOfEachMessage(t *testing.T) {
	c := &ws.Config{MaxFragments: 2}
	message := fromClient(frame{op: ws.Text, more: true, payload: "a"}, frame{op: ws.Ping}, frame{op: ws.Ping}, frame{payload: "b"})
	if got := read(t, c, message, message, message); got.err != nil {
		t.Error(got)
	}
}

func TestDefaultsHaveLimits(t *testing.T) {
	c := new(ws.Config)
	exact := frame{op: ws.Binary, payload: string(make([]byte, ws.DefaultMaxMessage))}.bytes(true)
	if got := read(t, c, exact); got.err != nil || len(got.events) != 1 {
		t.Errorf("the limit: %v", got)
	}
	over := ws.AppendHeader(nil, ws.Header{Opcode: ws.Binary, Masked: true, Length: ws.DefaultMaxMessage + 1})
	if got := read(t, c, over); got.err == nil || got.err.Code != ws.CloseTooBig {
		t.Errorf("one byte more: %v", got)
	}
}

func TestNegativeLimitsAreNone(t *testing.T) {
	c := &ws.Config{MaxMessage: -1, MaxFragments: -1}
	head := ws.AppendHeader(nil, ws.Header{Opcode: ws.Binary, Fragment: true, Masked: true, Length: math.MaxInt / 2})
	if got := read(t, c, head); got.err != nil {
		t.Errorf("a large frame: %v", got)
	}
	many := frame{op: ws.Text, more: true}.bytes(true)
	for range ws.DefaultMaxFragments {
		many = append(many, frame{more: true}.bytes(true)...)
	}
	if got := read(t, c, many); got.err != nil {
		t.Errorf("many fragments: %v", got)
	}
	c.Deflate = true
	packed := new(ws.Deflater).AppendMasked(nil, ws.Binary, testKey, make([]byte, 1<<20))
	if got := read(t, c, packed); got.err != nil || len(got.events) != 1 {
		t.Errorf("compressed: %v", got)
	}
}

func TestIgnoresEverythingAfterAClose(t *testing.T) {
	c := new(ws.Config)
	bye := fromClient(frame{op: ws.Close, payload: "\x03\xe8"})
	for name, after := range map[string][]byte{
		"a message":           fromClient(frame{op: ws.Text, payload: "late"}),
		"a ping":              fromClient(frame{op: ws.Ping}),
		"another close":       bye,
		"what is no protocol": []byte("\xff\xff\xff\xff"),
	} {
		want := []event{{ws.Close, "\x03\xe8"}}
		input := append(slices.Clone(bye), after...)
		for _, got := range []reading{read(t, c, input), read(t, c, bye, after), read(t, c, bytewise(input)...)} {
			if got.err != nil || !equalEvents(got.events, want) {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
}

func TestIgnoresEverythingAfterAnError(t *testing.T) {
	c := new(ws.Config)
	for _, first := range [][]byte{{0xff}, fromClient(frame{op: ws.Text, more: true, payload: "x"}, frame{op: ws.Text})} {
		var (
			d *ws.Decoder
			r recorder
		)
		if n, err := c.Decode(&d, slices.Clone(first), &r); err == nil || n != len(first) {
			t.Fatalf("took %d of %d, %v", n, len(first), err)
		}
		late := fromClient(frame{op: ws.Text, payload: "late"})
		if n, err := c.Decode(&d, late, &r); n != len(late) || err != nil || len(r.events) > 0 {
			t.Errorf("took %d, %v, %v", n, err, r.events)
		}
		d.Release()
	}
}

func TestStopsBehindTheFrameAfterWhichTheSinkAsksTo(t *testing.T) {
	c := &ws.Config{Deflate: true}
	input := fromClient(
		frame{op: ws.Text, payload: "one"}, frame{op: ws.Ping, payload: "two"},
		frame{op: ws.Text, more: true, payload: "th"}, frame{op: ws.Pong, payload: "in"}, frame{payload: "ree"},
	)
	input = new(ws.Deflater).AppendMasked(input, ws.Text, testKey, prose(400))
	input = append(input, fromClient(frame{op: ws.Binary, payload: "end"}, frame{op: ws.Close})...)
	want := read(t, c, input)
	if want.err != nil || len(want.events) != 7 {
		t.Fatal(want)
	}
	for size := 1; size <= len(input); size++ {
		var (
			d     *ws.Decoder
			r     = recorder{stop: func() bool { return true }}
			calls int
		)
		for rest := slices.Clone(input); len(rest) > 0; calls++ {
			n, err := c.Decode(&d, rest[:min(size, len(rest))], &r)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.events) > calls+1 {
				t.Fatalf("size %d: %d events after %d calls", size, len(r.events), calls+1)
			}
			rest = rest[n:]
		}
		d.Release()
		if !equalEvents(r.events, want.events) {
			t.Fatalf("size %d: got %v, want %v", size, r.events, want.events)
		}
	}
}

func TestTakesAllOfTheInputWhenStoppedByAClose(t *testing.T) {
	c := new(ws.Config)
	var d *ws.Decoder
	r := recorder{stop: func() bool { return true }}
	input := append(fromClient(frame{op: ws.Close}), "more"...)
	if n, err := c.Decode(&d, input, &r); n != len(input) || err != nil {
		t.Errorf("took %d of %d, %v", n, len(input), err)
	}
	d.Release()
}
