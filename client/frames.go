package client

import (
	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// fullFrames is how many bytes are written at once, about.
const fullFrames = 64 << 10

// frames gathers what is written at once.
type frames struct {
	buf     []byte // WebSocket frames, masked
	content []byte // of the frame being made
}

// reset empties f. The memory of something large is not kept.
func (f *frames) reset() {
	f.buf, f.content = f.buf[:0], f.content[:0]
	if cap(f.buf)+cap(f.content) > 8*fullFrames {
		f.buf, f.content = nil, nil
	}
}

// full reports whether f is to be written before there comes more.
func (f *frames) full() bool { return len(f.buf) >= fullFrames }

// request appends q, in a binary frame if it has Bytes. It returns false, and appends nothing, if the content of the
// frame would be longer than most bytes; 0 is no limit.
func (f *frames) request(q *protocol.Request, most int) bool {
	opcode := ws.Text
	if q.Bytes == nil {
		f.content = q.Append(f.content[:0])
	} else {
		opcode = ws.Binary
		f.content = q.AppendBinary(f.content[:0])
	}
	if len(f.content) == 0 || most > 0 && len(f.content) > most {
		return false
	}
	f.buf = appendFrame(f.buf, opcode, f.content)
	return true
}

// pong appends the answer to a ping of the WebSocket protocol.
func (f *frames) pong(payload []byte) { f.buf = appendFrame(f.buf, ws.Pong, payload) }
