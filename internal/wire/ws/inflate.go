package ws

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// windowSize is how far back DEFLATE refers, in bytes (RFC 1951, section 2).
const windowSize = 32 << 10

// tail is what a sender leaves out at the end of a message (RFC 7692, section 7.2.2), and an empty block that ends the
// stream, without which its end could not be told from one that was cut short.
const tail = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

// maxInflated is the size in bytes up to which the buffer of an inflater is used again. Inflaters are held for one call
// only, so there are not more of them than calls at the same time.
const maxInflated = 256 << 10

// inflater inflates messages.
type inflater struct {
	source bytes.Reader
	reader io.Reader // implements flate.Resetter
	output []byte
}

// inflaters has inflaters that hold nothing.
var inflaters = sync.Pool{New: func() any {
	return &inflater{reader: flate.NewReader(bytes.NewReader(nil))}
}}

// release forgets the message and gives the memory back.
func (f *inflater) release() {
	f.source.Reset(nil)
	f.output = emptied(f.output, maxInflated)
	inflaters.Put(f)
}

// inflate returns what a message holds that came as input, which it may append to, after messages that ended in window.
// The limit is on the outcome and is looked at while it grows. What is returned is valid until release.
func (f *inflater) inflate(input, window []byte, limit int) ([]byte, *CloseError) {
	f.source.Reset(append(input, tail...))
	if err := f.reader.(flate.Resetter).Reset(&f.source, window); err != nil {
		return nil, errCorrupt
	}
	f.output = f.output[:0]
	for {
		f.grow(4*len(input), limit)
		n, err := f.reader.Read(f.output[len(f.output):cap(f.output)])
		f.output = f.output[:len(f.output)+n]
		switch {
		case len(f.output) > limit:
			return nil, errTooBig
		case err == io.EOF:
			return f.output, f.checkRest()
		case err != nil:
			return nil, errCorrupt
		}
	}
}

// grow makes room in a full output, up to one byte more than the limit: with it the reader meets the end of a message
// that has just that size.
func (f *inflater) grow(hint, limit int) {
	have := len(f.output)
	if have < cap(f.output) {
		return
	}
	larger := make([]byte, have, min(max(2*have, hint, 512), limit+1))
	copy(larger, f.output)
	f.output = larger
}

// checkRest returns what is wrong with the input behind the end of the stream. A sender may end the stream itself, with
// BFINAL in the last block of a message, and an empty block behind it, of which one byte is left (RFC 7692, section
// 7.2.3.4). More streams in one message are refused: they cost much more to read than to write.
func (f *inflater) checkRest() *CloseError {
	switch f.source.Len() {
	case 0, len(tail):
		return nil
	case len(tail) + 1:
		_, _ = f.source.Seek(-int64(len(tail)+1), io.SeekEnd) // is there: this many bytes are left
		if rest, err := f.source.ReadByte(); err == nil && rest == 0 {
			return nil
		}
	}
	return errCorrupt
}

// slide returns the end of what was sent so far when payload comes behind a window.
func slide(window, payload []byte) []byte {
	if len(payload) >= windowSize {
		return append(window[:0], payload[len(payload)-windowSize:]...)
	}
	if over := len(window) + len(payload) - windowSize; over > 0 {
		window = window[:copy(window, window[over:])]
	}
	return append(window, payload...)
}
