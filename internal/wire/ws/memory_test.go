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
