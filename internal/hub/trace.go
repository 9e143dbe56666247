package hub

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Tracer is told of messages, for traces. Its methods must not block, and may be called at once.
type Tracer interface {
	// Published tells that m was handed to the engine at began, and what came of it. ctx is the publisher's.
	Published(ctx context.Context, m *protocol.Message, began time.Time, err error)
	// Delivered tells that from began on this node gave m, which is stored, to the sockets of a room's live members.
	Delivered(m *protocol.Message, began time.Time, members int)
}

// traced returns done, which besides tells of the publish of m that begins now.
func (h *Hub) traced(ctx context.Context, m *protocol.Message, done func(engine.Receipt, error)) func(engine.Receipt, error) {
	began := time.Now()
	return func(r engine.Receipt, err error) {
		h.tracer.Published(ctx, m, began, err)
		done(r, err)
	}
}

// flushing returns when a batch is being delivered, if anybody wants to know.
func (h *Hub) flushing() (began time.Time) {
	if h.tracer != nil {
		began = time.Now()
	}
	return began
}

// trace tells that a batch was delivered. The room is locked.
func (r *room) trace(b *batch, began time.Time) {
	if r.hub.tracer == nil {
		return
	}
	for _, e := range b.entries {
		if m, ok := e.push.(*protocol.Message); ok && e.stored {
			r.hub.tracer.Delivered(m, began, r.occupants())
		}
	}
}
