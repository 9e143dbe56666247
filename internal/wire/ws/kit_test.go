package ws_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/wireroom/wireroom/internal/wire/ws"
)

// event is one call of a sink.
type event struct {
	op      ws.Opcode
	payload string
}

func (e event) String() string {
	if len(e.payload) > 40 {
		return fmt.Sprintf("%d:%.40q... (%d bytes)", e.op, e.payload, len(e.payload))
	}
	return fmt.Sprintf("%d:%q", e.op, e.payload)
}

// recorder notes what it is given, and asks to stop after it if stop says so.
type recorder struct {
	events []event
	stop   func() bool
}

func (r *recorder) Message(op ws.Opcode, payload []byte) bool { return r.note(op, payload) }
func (r *recorder) Control(op ws.Opcode, payload []byte) bool { return r.note(op, payload) }

func (r *recorder) note(op ws.Opcode, payload []byte) bool {
	r.events = append(r.events, event{op, string(payload)})
	for i := range payload { // it is the sink's to change
		payload[i] = 0xEE
	}
	return r.stop == nil || !r.stop()
}

// reading is what became of some input.
type reading struct {
	events []event
	err    *ws.CloseError
	holds  bool // a decoder was left
}

func (r reading) String() string {
	s := fmt.Sprint(r.events)
	if r.err != nil {
		s += " " + r.err.Error()
	}
	return s
}

// tester is a test, or a check of a property in one.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// read decodes pieces one after the other. It fails the test if a call does not take all of its piece.
func read(t tester, c *ws.Config, pieces ...[]byte) reading {
	t.Helper()
	var (
		d *ws.Decoder
		r recorder
	)
	for _, piece := range pieces {
		own := append([]byte(nil), piece...)
		n, err := c.Decode(&d, own, &r)
		if n != len(piece) {
			t.Fatalf("Decode took %d of %d bytes", n, len(piece))
		}
		if err != nil {
			return reading{events: r.events, err: err}
		}
	}
	result := reading{events: r.events, holds: d != nil}
	if d != nil {
		d.Release()
	}
	return result
}

// bytewise returns p in pieces of one byte.
func bytewise(p []byte) [][]byte {
	pieces := make([][]byte, len(p))
	for i := range p {
		pieces[i] = p[i : i+1]
	}
	return pieces
}

// same reports whether two readings are equal; what is held is compared where there was no error.
func same(a, b reading) bool {
	if (a.err == nil) != (b.err == nil) || a.err != nil && *a.err != *b.err || a.err == nil && a.holds != b.holds {
		return false
	}
	return fmt.Sprint(a.events) == fmt.Sprint(b.events) && equalEvents(a.events, b.events)
}

func equalEvents(a, b []event) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// frame is a frame to write, with everything that can be wrong with it.
type frame struct {
	op      ws.Opcode
	more    bool // FIN is not set
	rsv     byte // 4 is RSV1, 2 is RSV2, 1 is RSV3
	payload string
}

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// bytes returns the frame as a client sends it, or as a server does.
func (f frame) bytes(client bool) []byte {
	b := ws.AppendHeader(nil, ws.Header{
		Opcode: f.op, Fragment: f.more, Masked: client, Key: testKey, Length: len(f.payload),
	})
	b[0] |= f.rsv << 4
	from := len(b)
	b = append(b, f.payload...)
	if client {
		ws.Mask(testKey, 0, b[from:])
	}
	return b
}

// fromClient returns frames as a client sends them.
func fromClient(frames ...frame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.bytes(true)...)
	}
	return b
}

// noise returns bytes that hardly compress, the same for the same size.
func noise(size int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// prose returns text that compresses well.
func prose(size int) []byte {
	const line = `{"type":"message","room":"general","pos":"k3f9x2ab.1042.9c1d44b2","data":{"text":"good morning, all"}}`
	return []byte(strings.Repeat(line, size/len(line)+1)[:size])
}
