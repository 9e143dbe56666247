package ws

import (
	"math"
	"unicode/utf8"
)

// The limits of a Config that does not say otherwise.
const (
	DefaultMaxMessage   = 64 << 10
	DefaultMaxFragments = 65_536
)

// Config is how frames are read. Its zero value is a server without compression, with the limits above. Connections may
// share one; it must not be changed while they use it.
type Config struct {
	Client       bool    // this side is the client: frames come unmasked
	Deflate      bool    // permessage-deflate was agreed on
	Takeover     bool    // the peer compresses with context takeover: a Decoder stays, with up to 32 KiB
	MaxMessage   int     // bytes of a message, inflated; 0 is DefaultMaxMessage, less is no limit
	MaxFragments int     // frames of a message; 0 is DefaultMaxFragments, less is no limit
	Budget       *Budget // of what this and other Decoders hold together; nil is no limit
}

// Sink takes what Decode reads. payload is the sink's own to change until its method returns, and not to be kept. With
// more false, Decode stops behind the frame. A sink must not release the Decoder that calls it.
type Sink interface {
	// Message takes a whole message; op is Text, whose payload is valid UTF-8, or Binary.
	Message(op Opcode, payload []byte) (more bool)
	// Control takes a Ping, a Pong or a Close, whose code and reason are valid. After a Close nothing follows.
	Control(op Opcode, payload []byte) (more bool)
}

// Decode reads frames from p and hands what they carry to sink, in order, control frames as soon as they are there. It
// returns how many bytes of p it took: all, unless the sink asked to stop; the rest is for the next call. It changes p
// in place.
//
// *d holds what is not complete at the end of p: a piece of a frame, the fragments of a message. It begins as nil and
// is nil again whenever there is nothing to hold, so that a connection that is idle holds no memory here (but with
// Takeover the end of what was inflated). Whoever drops a connection calls Release for the last *d.
//
// After an error the peer must be disconnected: what it sends further is ignored, as it is after a Close.
func (c *Config) Decode(d **Decoder, p []byte, sink Sink) (n int, err *CloseError) {
	t := turn{config: c, sink: sink, rest: p}
	for len(t.rest) > 0 && !t.stop {
		if *d != nil && (*d).closed {
			return len(p), nil
		}
		if err := t.frame(d); err != nil {
			t.end(d)
			return len(p), err
		}
	}
	if *d != nil {
		if err := c.Budget.settle(*d); err != nil {
			t.end(d)
			return len(p), err
		}
	}
	return len(p) - len(t.rest), nil
}

// turn is one call of Decode.
type turn struct {
	config *Config
	sink   Sink
	rest   []byte // of the input
	stop   bool   // asked for by the sink
}

// frame takes one frame, or what there is of it, from the rest of the input.
func (t *turn) frame(d **Decoder) *CloseError {
	if *d == nil || (*d).idle() {
		if done, err := t.whole(d); done || err != nil {
			return err
		}
	}
	if *d == nil {
		*d = decoders.Get().(*Decoder)
	}
	err := (*d).take(t, d)
	if (*d).idle() && len((*d).window) == 0 {
		(*d).Release()
		*d = nil
	}
	return err
}

// whole takes a frame that needs no memory: one that lies complete in the input and is not part of anything larger. It
// reports whether there was one.
func (t *turn) whole(d **Decoder) (bool, *CloseError) {
	head := t.rest[:min(len(t.rest), maxHeader)]
	if err := t.config.check(head, message{}); err != nil {
		return false, err
	}
	end := headerEnd(head)
	if len(head) < end || head[0]&(finalBit|deflatedBit) != finalBit {
		return false, nil
	}
	length := payloadLength(head)
	if uint64(len(t.rest)-end) < length {
		return false, nil
	}
	stop := end + int(length)
	payload := t.rest[end:stop:stop]
	key := maskKey(head)
	t.rest = t.rest[stop:]
	if !t.config.Client {
		Mask(key, 0, payload)
	}
	op := Opcode(head[0] & opcodeBits)
	if op.Control() {
		return true, t.control(d, op, payload)
	}
	if op == Text && !utf8.Valid(payload) {
		return true, errTextUTF8
	}
	t.stop = !t.sink.Message(op, payload)
	return true, nil
}

// control hands a control frame to the sink.
func (t *turn) control(d **Decoder, op Opcode, payload []byte) *CloseError {
	if op != Close {
		t.stop = !t.sink.Control(op, payload)
		return nil
	}
	if err := checkClose(payload); err != nil {
		return err
	}
	t.sink.Control(Close, payload)
	t.end(d)
	return nil
}

// end has everything ignored from here on.
func (t *turn) end(d **Decoder) {
	if *d == nil {
		*d = decoders.Get().(*Decoder)
	}
	(*d).reset()
	(*d).closed = true
	t.rest = nil
}

// message is how far a message of several frames has come. Its zero value is that there is none.
type message struct {
	op       Opcode // Text or Binary; 0 when there is none
	deflated bool
	frames   int // whose headers were seen
	size     int // bytes
}

// check returns what is wrong with a frame, as far as the part of its header that is there tells, when m is the message
// that is open (RFC 6455, sections 5.1, 5.2, 5.4 and 5.5; RFC 7692, section 6).
func (c *Config) check(head []byte, m message) *CloseError {
	if err := c.checkFirst(head[0], m); err != nil || len(head) < 2 {
		return err
	}
	control := head[0]&byte(Close) != 0
	switch masked := head[1]&maskedBit != 0; {
	case masked && c.Client:
		return errMasked
	case !masked && !c.Client:
		return errUnmasked
	case control && head[1]&lengthBits > MaxControl:
		return errControlLength
	case control || len(head) < lengthEnd(head):
		return nil
	}
	deflated := m.deflated || head[0]&deflatedBit != 0
	return c.checkLength(head, uint64(c.limit(deflated)-m.size))
}

// checkFirst returns what is wrong with the first byte of a frame.
func (c *Config) checkFirst(first byte, m message) *CloseError {
	op, final := Opcode(first&opcodeBits), first&finalBit != 0
	deflated := first&deflatedBit != 0
	switch {
	case first&unusedBits != 0:
		return errReservedBits
	case deflated && (!c.Deflate || op == Continuation || op.Control()):
		return errReservedBits
	case op.reserved():
		return errReservedOpcode
	case op.Control() && !final:
		return errControlFragment
	case op.Control():
		return nil
	case op == Continuation && m.op == 0:
		return errStray
	case op != Continuation && m.op != 0:
		return errInterleaved
	case c.MaxFragments >= 0 && m.frames >= orDefault(c.MaxFragments, DefaultMaxFragments):
		return errTooManyFragments
	}
	return nil
}

// checkLength returns what is wrong with the length of a data frame of which there may be room bytes.
func (c *Config) checkLength(head []byte, room uint64) *CloseError {
	length := payloadLength(head)
	switch short := head[1] & lengthBits; {
	case short == 127 && length > math.MaxInt64:
		return errLengthSign
	case short == 126 && length < 126 || short == 127 && length <= math.MaxUint16:
		return errLengthForm
	case length > room:
		return errTooBig
	}
	return nil
}

// limit returns how many bytes the frames of a message may carry. What does not compress gets larger by being
// compressed, so a compressed message may be a little larger than what it holds.
func (c *Config) limit(deflated bool) int {
	limit := c.maxMessage()
	if deflated {
		limit += limit/8 + 64
	}
	return limit
}

// maxMessage returns how many bytes a message may have. It is far enough from the largest number to count beyond it.
func (c *Config) maxMessage() int {
	if c.MaxMessage < 0 {
		return math.MaxInt / 2
	}
	return min(orDefault(c.MaxMessage, DefaultMaxMessage), math.MaxInt/2)
}

// orDefault returns n, or the default if it is 0.
func orDefault(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}
