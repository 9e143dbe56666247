package ws

import (
	"sync"
	"unicode/utf8"
)

// Decoder holds what a connection has received in part. Decode makes it and lets go of it.
type Decoder struct {
	head    [maxHeader]byte // of the frame that is being read
	have    int             // bytes of the header
	started bool            // the header is complete, the payload is not
	closed  bool            // nothing is read any more
	pos     int             // in the payload
	left    int             // bytes of the payload that have not come

	message message
	text    text   // of the message, if it is not deflated
	payload []byte // of the message, as it came
	control []byte // payload of the control frame that is being read
	window  []byte // the end of the messages before, up to windowSize; only with Takeover

	budget  *Budget // nil while nothing is counted
	counted int64   // bytes that it knows of
}

// decoders has Decoders that hold nothing.
var decoders = sync.Pool{New: func() any { return new(Decoder) }}

// maxKept is the size in bytes up to which a Decoder's buffer is used again. It is small, because a peer may take its
// time to send a message, and holds the buffer meanwhile.
const maxKept = 4 << 10

// Release gives the memory back. The Decoder must not be used afterwards.
func (d *Decoder) Release() {
	d.reset()
	decoders.Put(d)
}

// reset forgets everything.
func (d *Decoder) reset() {
	d.give()
	*d = Decoder{payload: emptied(d.payload, maxKept), control: d.control[:0]}
}

// idle reports whether d is between two messages.
func (d *Decoder) idle() bool { return !d.closed && !d.started && d.have == 0 && d.message.op == 0 }

// take goes on with a frame, or begins one.
func (d *Decoder) take(t *turn, at **Decoder) *CloseError {
	if !d.started {
		if err := d.takeHead(t); err != nil || !d.started {
			return err
		}
	}
	chunk := t.rest[:min(len(t.rest), d.left)]
	t.rest = t.rest[len(chunk):]
	if !t.config.Client {
		Mask(maskKey(d.head[:d.have]), d.pos, chunk)
	}
	if err := d.keep(chunk); err != nil {
		return err
	}
	d.pos += len(chunk)
	d.left -= len(chunk)
	if d.left > 0 {
		return nil
	}
	return d.finish(t, at)
}

// takeHead reads the header as far as it is there, and starts the frame when it is complete.
func (d *Decoder) takeHead(t *turn) *CloseError {
	for d.have < headerEnd(d.head[:d.have]) {
		if len(t.rest) == 0 {
			return nil
		}
		d.head[d.have] = t.rest[0]
		d.have++
		t.rest = t.rest[1:]
		if err := t.config.check(d.head[:d.have], d.message); err != nil {
			return err
		}
	}
	d.started, d.pos = true, 0
	d.left = int(payloadLength(d.head[:d.have]))
	op := d.opcode()
	if op.Control() {
		return nil
	}
	if op != Continuation {
		d.message.op = op
		d.message.deflated = d.head[0]&deflatedBit != 0
	}
	d.message.frames++
	d.message.size += d.left
	return nil
}

// opcode returns the opcode of the frame that is being read.
func (d *Decoder) opcode() Opcode { return Opcode(d.head[0] & opcodeBits) }

// final reports whether the frame that is being read is the last of its message.
func (d *Decoder) final() bool { return d.head[0]&finalBit != 0 }

// keep copies a piece of payload.
func (d *Decoder) keep(chunk []byte) *CloseError {
	if d.opcode().Control() {
		d.control = append(d.control, chunk...)
		return nil
	}
	if d.message.op == Text && !d.message.deflated && !d.text.write(chunk) {
		return errTextUTF8
	}
	d.grow(len(chunk))
	d.payload = append(d.payload, chunk...)
	return nil
}

// grow makes room for n bytes of payload. It never trusts a length that a header announced: the buffer doubles when
// what has arrived fills it. The announced length only keeps it from becoming larger than needed.
func (d *Decoder) grow(n int) {
	have := len(d.payload)
	if have+n <= cap(d.payload) {
		return
	}
	size := max(2*cap(d.payload), have+n, 512)
	if d.final() {
		size = min(size, have+d.left+len(tail)) // inflate appends the tail
	}
	larger := make([]byte, have, size)
	copy(larger, d.payload)
	d.payload = larger
}

// finish does what follows from a frame that is complete.
func (d *Decoder) finish(t *turn, at **Decoder) *CloseError {
	op, final := d.opcode(), d.final()
	d.have, d.started = 0, false
	switch {
	case op.Control():
		payload := d.control
		d.control = payload[:0]
		return t.control(at, op, payload)
	case !final:
		return nil
	case d.message.deflated:
		return d.deliverDeflated(t)
	case d.message.op == Text && !d.text.complete():
		return errTextUTF8
	}
	d.deliver(t, d.payload)
	return nil
}

// deliver hands a whole message to the sink.
func (d *Decoder) deliver(t *turn, payload []byte) {
	t.stop = !t.sink.Message(d.message.op, payload)
	d.message = message{} // the text is complete, and so as it was
	d.payload = emptied(d.payload, maxKept)
}

// deliverDeflated inflates the message and hands it to the sink.
func (d *Decoder) deliverDeflated(t *turn) *CloseError {
	f := inflaters.Get().(*inflater)
	defer f.release()
	payload, err := f.inflate(d.payload, d.window, t.config.maxMessage())
	if err != nil {
		return err
	}
	if d.message.op == Text && !utf8.Valid(payload) {
		return errTextUTF8
	}
	if t.config.Takeover {
		d.window = slide(d.window, payload)
	}
	d.deliver(t, payload)
	return nil
}

// emptied returns b with nothing in it, or nil if it is larger than what is worth keeping.
func emptied(b []byte, most int) []byte {
	if poisoning {
		for i := range b {
			b[i] = 0xDD
		}
	}
	if cap(b) > most {
		return nil
	}
	return b[:0]
}
