package wireroom

import (
	"github.com/wireroom/wireroom/protocol"
)

// Dialect is the words that clients speak: what their frames mean, and what the server's envelopes look like to them.
// Its methods may be called at once and must not block. What they return is not changed afterwards. A panic is logged:
// of Decode it is an internal error to the client, of the others as if they had returned nil.
type Dialect interface {
	// Decode reads one incoming frame into r, which is zero. What r holds may borrow from the frame. A request with
	// the zero Kind and no Type is ignored.
	Decode(frame []byte, binary bool, r *protocol.Request) *protocol.Error
	// Encode returns the frame that tells of p, or nil when clients of this dialect are not told.
	Encode(p protocol.Push) (frame []byte, binary bool)
	// Reply returns the frame that answers a request, or nil for none.
	Reply(r *protocol.Reply) (frame []byte, binary bool)
}

// Native is the dialect of docs/protocol.md.
var Native Dialect

// Raw is the dialect without any words: every incoming frame is a request of the type RawType, which the application
// handles; to clients go only the payloads of messages, as they are, in binary frames, or in text frames where the
// message's event is TextEvent or the message has Data. There is no welcome, no reply, no presence.
var Raw Dialect = raw{}

const (
	// RawType is the type of the requests of the Raw dialect.
	RawType = "raw"
	// TextEvent is the event of a message whose Bytes the Raw dialect sends in a text frame. They must be UTF-8.
	TextEvent = "text"
)

// raw implements Raw.
type raw struct{}

// Decode implements Dialect.
func (raw) Decode(frame []byte, binary bool, r *protocol.Request) *protocol.Error {
	r.Type, r.Bytes = []byte(RawType), frame
	if frame == nil {
		r.Bytes = []byte{}
	}
	if !binary {
		r.Event = []byte(TextEvent)
	}
	return nil
}

// Encode implements Dialect.
func (raw) Encode(p protocol.Push) (frame []byte, binary bool) {
	m, ok := p.(*protocol.Message)
	switch {
	case !ok:
		return nil, false
	case m.Bytes == nil:
		return m.Data, false
	}
	return m.Bytes, m.Event != TextEvent
}

// Reply implements Dialect.
func (raw) Reply(*protocol.Reply) (frame []byte, binary bool) { return nil, false }
