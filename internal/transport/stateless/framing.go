package stateless

import (
	"encoding/binary"
	"sync"

	"github.com/wireroom/wireroom/protocol"
)

// Framing is how streams and polls get what rooms hold: as records, each of them a body that is the same for all, and
// the position to which it moves who gets it. It implements hub.Framing.
type Framing struct {
	// Body appends the body of p.
	Body func(dst []byte, p protocol.Push) []byte
}

// A record is the length of its body, the length of its room's name (0 where it moves nobody), the position and the
// name, the body.
const (
	recordHead  = 4 + 1
	recordPlace = 8 + 8 + 4
)

// AppendFrame implements hub.Framing.
func (f *Framing) AppendFrame(dst []byte, p protocol.Push) []byte {
	room, position := Target(p)
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(len(room)))
	if room != "" {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(position.Epoch))
		dst = binary.LittleEndian.AppendUint64(dst, position.Offset)
		dst = binary.LittleEndian.AppendUint32(dst, position.Check)
		dst = append(dst, room...)
	}
	body := len(dst)
	dst = f.Body(dst, p)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-body))
	return dst
}

// Record is one entry of a room. It borrows from what it was read from.
type Record struct {
	Body     []byte
	Room     []byte // empty where the record moves nobody
	Position protocol.Position
}

// Next takes the first record off what AppendFrame has written.
func Next(frames []byte) (r Record, rest []byte) {
	length, name := int(binary.LittleEndian.Uint32(frames)), int(frames[4])
	frames = frames[recordHead:]
	if name > 0 {
		r.Position.Epoch = protocol.Epoch(binary.LittleEndian.Uint64(frames))
		r.Position.Offset = binary.LittleEndian.Uint64(frames[8:])
		r.Position.Check = binary.LittleEndian.Uint32(frames[16:])
		r.Room = frames[recordPlace : recordPlace+name]
		frames = frames[recordPlace+name:]
	}
	r.Body = frames[:length]
	return r, frames[length:]
}

// Buffer is memory for what is copied when it is sent.
type Buffer struct{ Bytes []byte }

// maxKept bounds what a Buffer keeps between two uses.
const maxKept = 128 << 10

// Buffers lends Buffers.
type Buffers struct{ pool sync.Pool }

// Lend returns an empty buffer; Return takes it back.
func (b *Buffers) Lend() *Buffer {
	if lent, ok := b.pool.Get().(*Buffer); ok {
		return lent
	}
	return new(Buffer)
}

// Return takes back what Lend has lent.
func (b *Buffers) Return(lent *Buffer) {
	if cap(lent.Bytes) <= maxKept {
		lent.Bytes = lent.Bytes[:0]
		b.pool.Put(lent)
	}
}
