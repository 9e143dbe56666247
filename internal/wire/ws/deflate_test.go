package ws_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/internal/wire/ws/flatetest"
)

// compressed returns a frame with RSV1 that carries these bytes.
func compressed(op ws.Opcode, content []byte) []byte {
	return frame{op: op, rsv: 4, payload: string(content)}.bytes(true)
}

func TestInflatesTheExamplesOfTheRFC(t *testing.T) { // RFC 7692, section 7.2.3
	c := &ws.Config{Deflate: true}
	for name, row := range map[string]struct {
		input string
		want  string
	}{
		"one block":             {"f2 48 cd c9 c9 07 00", "Hello"},
		"no compression":        {"00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		"BFINAL":                {"f3 48 cd c9 c9 07 00 00", "Hello"},
		"BFINAL, nothing after": {"f3 48 cd c9 c9 07 00", "Hello"},
		"two blocks":            {"f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		"empty message":         {"00", ""},
		"empty fixed block":     {"02 00", ""},
	} {
		got := read(t, c, compressed(ws.Text, unhex(t, row.input)))
		if got.err != nil || !equalEvents(got.events, []event{{ws.Text, row.want}}) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	fragments := fromClient(frame{op: ws.Text, more: true, rsv: 4, payload: "\xf2\x48\xcd"}, frame{payload: "\xc9\xc9\x07\x00"})
	if got := read(t, c, fragments); got.err != nil || !equalEvents(got.events, []event{{ws.Text, "Hello"}}) {
		t.Errorf("fragments: got %v", got)
	}
}

func TestInflatesWithContextTakeover(t *testing.T) { // RFC 7692, section 7.2.3.2
	first, second := "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"
	input := append(compressed(ws.Text, []byte(first)), compressed(ws.Text, []byte(second))...)
	want := []event{{ws.Text, "Hello"}, {ws.Text, "Hello"}}
	got := read(t, &ws.Config{Deflate: true, Takeover: true}, input)
	if got.err != nil || !equalEvents(got.events, want) || !got.holds {
		t.Errorf("got %v", got)
	}
	got = read(t, &ws.Config{Deflate: true}, input)
	if got.err == nil || got.err.Code != ws.CloseInvalidPayload || len(got.events) != 1 {
		t.Errorf("without takeover: got %v", got)
	}
}

func TestRefusesCorruptCompressedData(t *testing.T) {
	whole := new(ws.Deflater).Append(nil, noise(1000))
	for name, content := range map[string][]byte{
		"nothing":                    {},
		"garbage":                    noise(50),
		"reserved kind of block":     {0x06},
		"cut short":                  whole[:len(whole)/2],
		"one byte short":             whole[:len(whole)-1],
		"the tail was left":          append(slices.Clone(whole), 0, 0, 0xff, 0xff),
		"stored length is wrong":     unhex(t, "00 05 00 00 00 48 65 6c 6c 6f 00"),
		"reference before the start": unhex(t, "02 11 00 00"),
		"BFINAL, then a message":     unhex(t, "f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00"),
		"BFINAL, then a byte":        unhex(t, "f3 48 cd c9 c9 07 00 01"),
		"BFINAL, then two zeros":     unhex(t, "f3 48 cd c9 c9 07 00 00 00"),
		"BFINAL twice":               unhex(t, "03 00 03 00"),
	} {
		got := read(t, &ws.Config{Deflate: true}, compressed(ws.Binary, content))
		if got.err == nil || got.err.Code != ws.CloseInvalidPayload {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRefusesCompressedTextThatIsNotUTF8(t *testing.T) {
	content := new(ws.Deflater).Append(nil, []byte("abc\xe2\x82"))
	c := &ws.Config{Deflate: true}
	if got := read(t, c, compressed(ws.Text, content)); got.err == nil || got.err.Code != ws.CloseInvalidPayload {
		t.Errorf("got %v", got)
	}
	if got := read(t, c, compressed(ws.Binary, content)); got.err != nil {
		t.Errorf("binary: got %v", got)
	}
}

func TestLimitsTheInflatedSize(t *testing.T) {
	for _, limit := range []int{1, 511, 512, 1000, 4096, 70_000} {
		c := &ws.Config{Deflate: true, MaxMessage: limit}
		for _, make := range []func(int) []byte{prose, noise} {
			exact := new(ws.Deflater).Append(nil, make(limit))
			if got := read(t, c, compressed(ws.Binary, exact)); got.err != nil || len(got.events) != 1 || len(got.events[0].payload) != limit {
				t.Errorf("limit %d: got %v", limit, got)
			}
			over := new(ws.Deflater).Append(nil, make(limit+1))
			if got := read(t, c, compressed(ws.Binary, over)); got.err == nil || got.err.Code != ws.CloseTooBig {
				t.Errorf("one byte over the limit of %d: got %v", limit, got)
			}
		}
	}
}

func TestTakesInFragmentsWhatCompressionMadeLarger(t *testing.T) {
	const limit = 1000
	content := new(ws.Deflater).Append(nil, noise(limit))
	if len(content) <= limit {
		t.Fatalf("noise of %d bytes became %d", limit, len(content))
	}
	input := fromClient(frame{op: ws.Binary, more: true, rsv: 4, payload: string(content[:limit-1])}, frame{payload: string(content[limit-1:])})
	c := &ws.Config{Deflate: true, MaxMessage: limit}
	if got := read(t, c, input); got.err != nil || !equalEvents(got.events, []event{{ws.Binary, string(noise(limit))}}) {
		t.Errorf("got %v", got)
	}
}

func TestLimitsTheCompressedSize(t *testing.T) {
	c := &ws.Config{Deflate: true, MaxMessage: 1000}
	empty := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 300) // holds nothing
	if got := read(t, c, compressed(ws.Binary, empty)); got.err == nil || got.err.Code != ws.CloseTooBig {
		t.Errorf("got %v", got)
	}
	first := frame{op: ws.Binary, more: true, rsv: 4, payload: string(empty[:1000])}.bytes(true)
	if got := read(t, c, first, frame{payload: string(empty[:500])}.bytes(true)); got.err == nil || got.err.Code != ws.CloseTooBig {
		t.Errorf("in fragments: got %v", got)
	}
}

// payloads are what is worth compressing in tests.
func payloads() map[string][]byte {
	all := map[string][]byte{"empty": {}, "one byte": {'x'}}
	for _, size := range []int{16, 127, 1000, 40_000} {
		all[fmt.Sprint("prose ", size)] = prose(size)
		all[fmt.Sprint("noise ", size)] = noise(size)
		all[fmt.Sprint("far apart ", size)] = append(append(noise(size), make([]byte, size%777)...), noise(size)...)
	}
	return all
}

func TestNeverRefersBeyondTheWindow(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		d := &ws.Deflater{WindowBits: bits}
		stream := d.NewStream()
		var before []byte
		all := payloads()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			payload := all[name]
			for range 2 { // the second finds what the first has left
				got, err := flatetest.Inflate(d.Append(nil, payload), nil)
				if err != nil || !bytes.Equal(got.Output, payload) || got.Distance > 1<<bits {
					t.Fatalf("%d bits, %s: distance %d, %v", bits, name, got.Distance, err)
				}
			}
			content := unframe(t, stream.AppendFrame(nil, ws.Binary, payload))
			got, err := flatetest.Inflate(content, before)
			if err != nil || !bytes.Equal(got.Output, payload) || got.Distance > 1<<bits {
				t.Fatalf("%d bits, %s in a stream: distance %d, %v", bits, name, got.Distance, err)
			}
			before = append(before, payload...)
		}
	}
}

// unframe returns the payload of a frame that a server compressed.
func unframe(t tester, b []byte) []byte {
	t.Helper()
	if b[0]&0x40 == 0 {
		t.Fatalf("the frame is not compressed: % x", b[:2])
	}
	end := 2
	switch b[1] {
	case 126:
		end = 4
	case 127:
		end = 10
	}
	return b[end:]
}

func TestCompressedFramesAreReadBack(t *testing.T) {
	deflaters := []*ws.Deflater{{}, {Level: 6}, {Level: 9}, {Level: 99}, {Level: -5}, {WindowBits: 9}}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(deflaters).Draw(t, "deflater")
		parts := rapid.SliceOfN(rapid.SampledFrom([][]byte{prose(50), noise(20), prose(3000), {0}, []byte("😀")}), 0, 30).Draw(t, "parts")
		payload := bytes.Join(parts, nil)
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, "prefix")
		server := d.AppendFrame(slices.Clone(prefix), ws.Binary, payload)
		client := d.AppendMasked(slices.Clone(prefix), ws.Binary, key, payload)
		for _, frame := range [][]byte{server, client} {
			if !bytes.HasPrefix(frame, prefix) {
				t.Fatal("what stood in the slice was changed")
			}
			if len(frame) > len(prefix)+14+len(payload) {
				t.Fatalf("%d bytes became %d", len(payload), len(frame)-len(prefix))
			}
		}
		want := []event{{ws.Binary, string(payload)}}
		c := ws.Config{Deflate: true, MaxMessage: 1 << 20}
		if got := read(t, &c, client[len(prefix):]); got.err != nil || !equalEvents(got.events, want) {
			t.Fatalf("client: got %v", got)
		}
		c.Client = true
		if got := read(t, &c, server[len(prefix):]); got.err != nil || !equalEvents(got.events, want) {
			t.Fatalf("server: got %v", got)
		}
	})
}

func TestLeavesAsItIsWhatDoesNotGetShorter(t *testing.T) {
	for _, payload := range [][]byte{{}, []byte("x"), noise(100), noise(70_000)} {
		if got, want := ws.AppendDeflated(nil, ws.Text, payload), ws.AppendFrame(nil, ws.Text, payload); !bytes.Equal(got, want) {
			t.Errorf("%d bytes became %d, % x", len(payload), len(got), got[:2])
		}
	}
	if got := ws.AppendDeflated(nil, ws.Text, prose(1000)); len(got) > 300 {
		t.Errorf("1000 bytes of prose became %d", len(got))
	}
}

func TestFramesWhoseHeaderGrowsOrShrinksAreReadBack(t *testing.T) {
	var sizes []int
	for size := 110; size < 135; size++ {
		sizes = append(sizes, size, 65_410+size) // around 125 and 65535, between which the header changes
	}
	for _, size := range sizes {
		for _, payload := range [][]byte{noise(size), prose(size)} {
			want := []event{{ws.Binary, string(payload)}}
			c := ws.Config{Deflate: true, MaxMessage: 1 << 20}
			frame := new(ws.Deflater).NewStream().AppendMasked([]byte("before"), ws.Binary, testKey, payload)[len("before"):]
			if got := read(t, &c, frame); got.err != nil || !equalEvents(got.events, want) {
				t.Fatalf("%d bytes, masked: got %v", size, got)
			}
			c.Client = true
			frame = new(ws.Deflater).NewStream().AppendFrame([]byte("before"), ws.Binary, payload)[len("before"):]
			if got := read(t, &c, frame); got.err != nil || !equalEvents(got.events, want) {
				t.Fatalf("%d bytes: got %v", size, got)
			}
		}
	}
}

func TestStreamsUseWhatWasSentBefore(t *testing.T) {
	for _, client := range []bool{false, true} {
		stream := new(ws.Deflater).NewStream()
		var input []byte
		var want []event
		sizes := []int{}
		for i := range 20 {
			payload := append(noise(3000), byte(i))
			if i == 7 {
				payload = nil
			}
			before := len(input)
			if client {
				input = stream.AppendMasked(input, ws.Binary, [4]byte{1, 2, byte(i), 4}, payload)
			} else {
				input = stream.AppendFrame(input, ws.Binary, payload)
			}
			sizes = append(sizes, len(input)-before)
			want = append(want, event{ws.Binary, string(payload)})
		}
		if sizes[0] < 3000 || sizes[1] > 100 || sizes[19] > 100 {
			t.Errorf("frames of %v bytes", sizes)
		}
		c := &ws.Config{Client: !client, Deflate: true, Takeover: true}
		for _, got := range []reading{read(t, c, input), read(t, c, bytewise(input)...)} {
			if got.err != nil || !equalEvents(got.events, want) {
				t.Errorf("from a client %v: got %v", client, got)
			}
		}
	}
}

func TestAWindowSlidesOverManyMessages(t *testing.T) {
	// The standard library's compressor has a window of 32 KiB and is flushed between messages.
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 9)
	if err != nil {
		t.Fatal(err)
	}
	c := &ws.Config{Deflate: true, Takeover: true, MaxMessage: 100_000}
	var (
		d *ws.Decoder
		r recorder
	)
	for i, size := range []int{1, 0, 32_768, 5, 32_767, 32_769, 90_000, 10, 20_000, 20_000, 20_000} {
		payload := []byte(strings.Repeat(string(noise(999)), size/999+1)[:size])
		out.Reset()
		if _, err := w.Write(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		content := bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
		if _, err := c.Decode(&d, compressed(ws.Binary, content), &r); err != nil {
			t.Fatal(i, err)
		}
		if len(r.events) != i+1 || r.events[i].payload != string(payload) {
			t.Fatalf("message %d of %d bytes: got %v", i, size, r.events[len(r.events)-1])
		}
	}
	d.Release()
}

func TestManyMayCompressAtOnce(t *testing.T) {
	var (
		d       ws.Deflater
		working sync.WaitGroup
	)
	for i := range 8 {
		working.Go(func() {
			payload := prose(1000 + i)
			want := d.AppendFrame(nil, ws.Text, payload)
			for range 20 {
				if got := d.AppendFrame(nil, ws.Text, payload); !bytes.Equal(got, want) {
					t.Errorf("%d: two frames of the same message differ", i)
				}
			}
		})
	}
	working.Wait()
}
