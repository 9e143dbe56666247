package hub

import (
	"cmp"
	"context"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Found is a message of a room's log.
type Found struct {
	Message *protocol.Message // nil where it is not in the log
	Refused protocol.Reason   // why not
	Newer   protocol.Position // the next message of the same event; zero where there is none, or nobody knows
	// NewerKnown tells that Newer is certain, also where it is zero.
	NewerKnown bool
}

// maxNewer is how many messages are looked through for the next one of an event.
const maxNewer = 1024

// Find finds the message at a position in a room's log, or among the newest of its events, and the next one of its event.
func (h *Hub) Find(ctx context.Context, room string, p protocol.Position) (Found, error) {
	found, err := h.findInLog(ctx, room, p)
	if err != nil || found.NewerKnown || !h.Rule(room).History.Latest {
		return found, err
	}
	page, err := h.engine.Read(ctx, room, engine.Query{Latest: true})
	if err != nil {
		return found, err
	}
	for _, m := range page.Messages {
		if m.Position == p {
			return Found{Message: m, NewerKnown: true}, nil
		}
	}
	return found, nil
}

// findInLog is Find, as far as the log goes.
func (h *Hub) findInLog(ctx context.Context, room string, p protocol.Position) (Found, error) {
	page, err := h.engine.Read(ctx, room, engine.Query{Since: p, Limit: 1})
	if err != nil || page.Refused != "" {
		return Found{Refused: page.Refused}, err
	}
	q := engine.Query{Last: 1, Limit: 1}
	if len(page.Messages) > 0 {
		q = engine.Query{Before: page.Messages[0].Position, Limit: 1}
	}
	page, err = h.engine.Read(ctx, room, q)
	if err != nil || len(page.Messages) == 0 || page.Messages[0].Position != p {
		return Found{Refused: cmp.Or(page.Refused, protocol.ReasonExpired)}, err
	}
	found := Found{Message: page.Messages[0]}
	found.Newer, found.NewerKnown, err = h.newer(ctx, found.Message)
	return found, err
}

// newer returns where the next message of the same event stands, and whether that is certain.
func (h *Hub) newer(ctx context.Context, m *protocol.Message) (next protocol.Position, known bool, err error) {
	since := m.Position
	for range maxNewer / replayMessages {
		page, err := h.engine.Read(ctx, m.Room, engine.Query{Since: since, Limit: replayMessages})
		if err != nil || page.Refused != "" {
			return protocol.Position{}, false, err
		}
		for _, next := range page.Messages {
			if next.Event == m.Event {
				return next.Position, true, nil
			}
			since = next.Position
		}
		if !page.More {
			return protocol.Position{}, true, nil
		}
	}
	return protocol.Position{}, false, nil
}

// FindAt finds the only message that was stored in a room at a time, in Unix milliseconds, among the newest ones; it
// finds none where there are several.
func (h *Hub) FindAt(ctx context.Context, room string, at int64) (protocol.Position, error) {
	var only protocol.Position
	q := engine.Query{Last: replayMessages, Limit: replayMessages}
	for range maxNewer / replayMessages {
		page, err := h.engine.Read(ctx, room, q)
		if err != nil || page.Refused != "" || len(page.Messages) == 0 {
			return only, err
		}
		for _, m := range page.Messages {
			switch {
			case m.Time != at:
			case only.IsZero():
				only = m.Position
			default:
				return protocol.Position{}, nil
			}
		}
		if !page.More || page.Messages[0].Time < at {
			return only, nil
		}
		q = engine.Query{Before: page.Messages[0].Position, Limit: replayMessages}
	}
	return protocol.Position{}, nil
}
