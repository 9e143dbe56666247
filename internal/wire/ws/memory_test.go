package ws_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// counter counts what it is given.
type counter struct{ messages, controls int }

func (c *counter) Message(ws.Opcode, []byte) bool { c.messages++; return true }
func (c *counter) Control(ws.Opcode, []byte) bool { c.controls++; return true }

func TestWholeFramesNeedNoMemory(t *testing.T) {
	c := &ws.Config{Deflate: true, MaxMessage: 1 << 20}
	input := fromClient(
		frame{op: ws.Text, payload: string(prose(100))}, frame{op: ws.Binary, payload: string(prose(70000))},
		frame{op: ws.Ping, payload: "ping"}, frame{op: ws.Pong}, frame{op: ws.Text},
	)
	scratch := make([]byte, len(input))
	var (
		d *ws.Decoder
		s counter
	)
	got := testing.AllocsPerRun(100, func() {
		copy(scratch, input)
		if _, err := c.Decode(&d, scratch, &s); err != nil {
			t.Fatal(err)
		}
		if d != nil {
			t.Fatal("an idle connection holds a decoder")
		}
	})
	if got != 0 || s.messages != 101*3 || s.controls != 101*2 {
		t.Errorf("%v allocations, %d messages, %d control frames", got, s.messages, s.controls)
	}
}

func TestNothingIsHeldBetweenMessages(t *testing.T) {
	c := &ws.Config{Deflate: true}
	input := fromClient(frame{op: ws.Text, more: true, payload: "a"}, frame{op: ws.Ping, payload: "b"}, frame{payload: "c"})
	input = append(input, fromClient(frame{op: ws.Ping, payload: "alone"})...)
	input = new(ws.Deflater).AppendMasked(input, ws.Text, testKey, prose(500))
	var (
		d    *ws.Decoder
		r    recorder
		held int
	)
	for i, piece := range bytewise(input) {
		before := len(r.events)
		if _, err := c.Decode(&d, slices.Clone(piece), &r); err != nil {
			t.Fatal(err)
		}
		if d != nil {
			held++
		}
		if len(r.events) > before && r.events[before].payload != "b" && d != nil {
			t.Errorf("a decoder is held behind byte %d, %v", i, r.events[before])
		}
	}
	if d != nil || len(r.events) != 4 || held != len(input)-3 {
		t.Errorf("held %v after %v, %d times", d != nil, r.events, held)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAllocatesByWhatArrivedOnly(t *testing.T) {
	const limit = 64 << 20
	announced := func(op ws.Opcode, deflated bool) []byte {
		return ws.AppendHeader(nil, ws.Header{Opcode: op, Deflated: deflated, Masked: true, Length: limit})
	}
	fragments := frame{op: ws.Binary, more: true}.bytes(true)
	for range 20_000 {
		fragments = append(fragments, frame{more: true, payload: "x"}.bytes(true)...)
	}
	for name, input := range map[string][]byte{
		"a header":              announced(ws.Binary, false),
		"a compressed header":   announced(ws.Text, true),
		"the beginning of text": append(announced(ws.Text, false), make([]byte, 100_000)...),
		"of compressed data":    append(announced(ws.Binary, true), make([]byte, 100_000)...),
		"fragments of one byte": fragments,
	} {
		c := &ws.Config{Deflate: true, MaxMessage: limit}
		for _, pieces := range [][][]byte{{input}, slices.Collect(slices.Chunk(input, 1000)), bytewise(input)} {
			got := allocated(func() {
				var (
					d *ws.Decoder
					s counter
				)
				for _, piece := range pieces {
					if _, err := c.Decode(&d, piece, &s); err != nil {
						t.Fatal(name, err)
					}
				}
				d.Release()
			})
			if most := uint64(4*len(input) + 16<<10); got > most {
				t.Errorf("%s in %d pieces: %d bytes of input allocated %d", name, len(pieces), len(input), got)
			}
		}
	}
}

func TestInflatesUpToTheLimitOnly(t *testing.T) {
	bomb := new(ws.Deflater).AppendMasked(nil, ws.Binary, testKey, make([]byte, 32<<20))
	c := &ws.Config{Deflate: true, MaxMessage: 1 << 20}
	got := allocated(func() {
		if got := read(t, c, bomb); got.err == nil || got.err.Code != ws.CloseTooBig || len(got.events) > 0 {
			t.Fatal(got)
		}
	})
	if most := uint64(5*len(bomb) + 4*c.MaxMessage); got > most {
		t.Errorf("%d bytes of input allocated %d", len(bomb), got)
	}
}

func TestAMessageThatComesWholeTakesItsSize(t *testing.T) {
	const size = 60_000
	c := &ws.Config{MaxMessage: size}
	input := frame{op: ws.Binary, payload: string(make([]byte, size))}.bytes(true)
	var (
		d *ws.Decoder
		s counter
	)
	got := allocated(func() {
		for _, piece := range [][]byte{input[:20_000], input[20_000:40_000], input[40_000:]} {
			_, _ = c.Decode(&d, piece, &s)
		}
	})
	// Pieces of 20,000, 40,000 and 60,000 bytes, not of 80,000; buffers are rounded up.
	if s.messages != 1 || got > 130_000 {
		t.Errorf("%d messages, allocated %d bytes", s.messages, got)
	}
}

func TestBuffersAreUsedAgain(t *testing.T) {
	c := &ws.Config{Client: true, Deflate: true}
	input := ws.AppendDeflated(nil, ws.Binary, prose(50_000))
	var (
		d   *ws.Decoder
		s   counter
		dst []byte
	)
	// The race detector has pools lose a quarter of what they are given, and each collection some more; without pools
	// it would be all of it.
	const times, inflater, compressor = 200, 100_000, 800_000
	got := allocated(func() {
		for range times {
			_, _ = c.Decode(&d, input, &s)
		}
	})
	if s.messages != times || got/times > inflater*4/5 {
		t.Errorf("%d messages, inflating allocated %d bytes for each", s.messages, got/times)
	}
	payload := prose(1000)
	got = allocated(func() {
		for range times {
			dst = ws.AppendDeflated(dst[:0], ws.Binary, payload)
		}
	})
	if got/times > compressor*4/5 {
		t.Errorf("deflating allocated %d bytes for each message", got/times)
	}
}

func TestAWindowIsAllThatIsHeldWithTakeover(t *testing.T) {
	held := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // pools keep what they have for one more
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	c := &ws.Config{Client: true, Deflate: true, Takeover: true}
	stream := new(ws.Deflater).NewStream()
	var inputs [][]byte
	for range 100 {
		inputs = append(inputs, stream.AppendFrame(nil, ws.Binary, prose(20_000)))
	}
	var (
		d *ws.Decoder
		s counter
	)
	before := held()
	for _, input := range inputs {
		if _, err := c.Decode(&d, input, &s); err != nil {
			t.Fatal(err)
		}
	}
	if got := int64(held()) - int64(before); d == nil || s.messages != 100 || got > 100_000 {
		t.Errorf("%d messages, %d bytes are held", s.messages, got)
	}
	runtime.KeepAlive(inputs)
	d.Release()
}
