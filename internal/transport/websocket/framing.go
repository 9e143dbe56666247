package websocket

import (
	"sync"

	"github.com/wireroom/wireroom/internal/wire/ws"
	"github.com/wireroom/wireroom/protocol"
)

// deflateFrom is the payload length from which compressing is worth it, in bytes.
const deflateFrom = 128

// framing is how a transport's connections get what rooms hold: a dialect in WebSocket frames, deflated or not. It
// implements hub.Framing; the connections of a kind share one.
type framing struct {
	dialect  Dialect      // nil is the native one
	deflater *ws.Deflater // nil without permessage-deflate
}

// AppendFrame implements hub.Framing.
func (f *framing) AppendFrame(dst []byte, p protocol.Push) []byte {
	if f.dialect != nil {
		payload, binary := f.dialect.Encode(p)
		if payload == nil {
			return dst
		}
		return f.of(p).append(dst, payload, binary)
	}
	b := frames.Get().(*frameBuffer)
	defer frames.Put(b)
	if m, ok := p.(*protocol.Message); ok && m.Bytes != nil {
		b.bytes = protocol.AppendBinary(b.bytes[:0], m)
		return f.append(dst, b.bytes, true)
	}
	b.bytes = protocol.AppendPush(b.bytes[:0], p)
	return f.of(p).append(dst, b.bytes, false)
}

// of returns how p is framed. A welcome has a token, beside a name that somebody else may have chosen: compressed together
// they would tell by their length how much of the one is in the other (CRIME, BREACH).
func (f *framing) of(p protocol.Push) *framing {
	if p.Type() == protocol.TypeWelcome && f.deflater != nil {
		return &framing{dialect: f.dialect}
	}
	return f
}

func (f *framing) append(dst, payload []byte, binary bool) []byte {
	op := ws.Text
	if binary {
		op = ws.Binary
	}
	if f.deflater != nil && len(payload) >= deflateFrom {
		return f.deflater.AppendFrame(dst, op, payload)
	}
	return ws.AppendFrame(dst, op, payload)
}

// frameBuffer is memory for a frame that is copied when it is sent.
type frameBuffer struct{ bytes, payload []byte }

var frames = sync.Pool{New: func() any { return new(frameBuffer) }}

// reply makes the frame of a reply; it is valid until the buffer is used again.
func (b *frameBuffer) reply(f *framing, r *protocol.Reply) []byte {
	if f.dialect == nil {
		b.payload = r.Append(b.payload[:0])
		b.bytes = f.append(b.bytes[:0], b.payload, false)
		return b.bytes
	}
	payload, binary := f.dialect.Reply(r)
	if payload == nil {
		return nil
	}
	b.bytes = f.append(b.bytes[:0], payload, binary)
	return b.bytes
}
