package ws

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// Deflater makes compressed frames (RFC 7692, section 7.2.1), without context takeover: a frame is the same for every
// peer that agreed to a window of that size or a larger one. Its zero value is ready, its methods may be called at
// once, and it must not be copied. It holds one compressor, of about 1 MB, for each call at the same time.
type Deflater struct {
	Level      int // 1, the fastest, to 9; others are taken for the nearest, so 0 is 1. For the full window only
	WindowBits int // 8 to 15, the binary logarithm of the window's size in bytes; 0 is 15, the full window
	pool       sync.Pool
}

// standard makes the frames of AppendDeflated. Nothing in it changes but the memory that it uses again.
var standard = Deflater{}

// AppendDeflated appends the frame of the zero Deflater.
func AppendDeflated(dst []byte, op Opcode, payload []byte) []byte {
	return standard.AppendFrame(dst, op, payload)
}

// AppendFrame appends a whole frame as a server sends it, op being Text or Binary. A payload that does not get shorter
// stays as it is.
func (d *Deflater) AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return d.append(dst, Header{Opcode: op}, payload)
}

// AppendMasked appends a whole frame as a client sends it: AppendFrame, masked with a key as AppendMasked wants it.
func (d *Deflater) AppendMasked(dst []byte, op Opcode, key [4]byte, payload []byte) []byte {
	return d.append(dst, Header{Opcode: op, Masked: true, Key: key}, payload)
}

func (d *Deflater) append(dst []byte, h Header, payload []byte) []byte {
	c := d.compressor()
	defer d.pool.Put(c)
	c.writer.Reset(c)
	start := len(dst)
	dst = c.appendFrame(dst, h, payload)
	if len(dst)-start < len(payload) {
		return dst
	}
	h.Length = len(payload)
	return appendPayload(AppendHeader(dst[:start], h), h, payload)
}

// Append appends the compressed form of a message, as the frames that it is split into carry it one after the other;
// the first of them has Header.Deflated.
func (d *Deflater) Append(dst, payload []byte) []byte {
	c := d.compressor()
	defer d.pool.Put(c)
	c.writer.Reset(c)
	return c.append(dst, payload)
}

// compressor returns one to use and put back.
func (d *Deflater) compressor() *compressor {
	if c, ok := d.pool.Get().(*compressor); ok {
		return c
	}
	return newCompressor(d.Level, d.WindowBits)
}

// Stream makes the compressed frames of one connection with context takeover: each message is compressed with what the
// messages before it had, so each must be sent, in that order. It holds a compressor of about 1 MB for as long as it is
// used. Its methods must not be called at once.
type Stream struct{ compressor *compressor }

// NewStream returns a Stream with the level and the window of d.
func (d *Deflater) NewStream() *Stream { return &Stream{newCompressor(d.Level, d.WindowBits)} }

// AppendFrame appends a whole frame as a server sends it, op being Text or Binary.
func (s *Stream) AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return s.compressor.appendFrame(dst, Header{Opcode: op}, payload)
}

// AppendMasked appends a whole frame as a client sends it, with a key as AppendMasked wants it.
func (s *Stream) AppendMasked(dst []byte, op Opcode, key [4]byte, payload []byte) []byte {
	return s.compressor.appendFrame(dst, Header{Opcode: op, Masked: true, Key: key}, payload)
}

// compressor compresses messages into the end of a slice.
type compressor struct {
	writer *flate.Writer
	output []byte // while a message is compressed
}

// newCompressor returns a compressor for a stream that begins.
func newCompressor(level, windowBits int) *compressor {
	c := new(compressor)
	var err error
	if bits := orDefault(windowBits, maxWindowBits); bits >= maxWindowBits {
		c.writer, err = flate.NewWriter(c, min(max(level, flate.BestSpeed), flate.BestCompression))
	} else {
		c.writer, err = flate.NewWriterWindow(c, 1<<max(bits, minWindowBits))
	}
	if err != nil {
		panic("ws: a compressor of a level and a window that exist: " + err.Error())
	}
	return c
}

// Write implements io.Writer for the flate.Writer.
func (c *compressor) Write(p []byte) (int, error) {
	c.output = append(c.output, p...)
	return len(p), nil
}

// append appends the compressed form of a message.
func (c *compressor) append(dst, payload []byte) []byte {
	c.output = dst
	_, _ = c.writer.Write(payload) // fails only with c.Write, which does not
	_ = c.writer.Flush()
	dst, c.output = c.output, nil
	return dst[:len(dst)-len(emptyBlock)]
}

// emptyBlock is what a flush ends with and RFC 7692, section 7.2.1, has removed.
const emptyBlock = "\x00\x00\xff\xff"

// appendFrame appends a compressed frame. It leaves room for the header of the payload as it is, which most often has
// the size of the real one.
func (c *compressor) appendFrame(dst []byte, h Header, payload []byte) []byte {
	h.Deflated = true
	start := len(dst)
	h.Length = len(payload)
	dst = AppendHeader(dst, h)
	from := len(dst)
	dst = c.append(dst, payload)
	h.Length = len(dst) - from
	var head [maxHeader]byte
	header := AppendHeader(head[:0], h)
	if moved := start + len(header); moved != from {
		dst = moveTo(dst, from, moved)
	}
	copy(dst[start:], header)
	if h.Masked {
		Mask(h.Key, 0, dst[start+len(header):])
	}
	return dst
}

// moveTo moves what begins at from to another place, and returns the slice with its new end.
func moveTo(b []byte, from, to int) []byte {
	size := len(b) - from
	for len(b) < to+size {
		b = append(b, 0)
	}
	copy(b[to:], b[from:from+size])
	return b[:to+size]
}
