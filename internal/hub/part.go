package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// The budget of a node for what it reads of logs, whatever the number of members that are behind: what is read at once,
// and what is kept for members that stand at the same place. A part is of at most maxRunBytes, unless one message is
// larger, and as much again in each framing.
const (
	maxReads = 32
	maxParts = 64
)

// parts is what was read of logs lately: members that come back together share it, with its frames.
type parts struct {
	slots chan struct{} // one for each read under way

	mu    sync.Mutex
	byKey map[partKey]*part
	order []partKey // the oldest first
}

// partKey says which part of a log.
type partKey struct {
	room  *room
	since protocol.Position
}

// part is a part of a room's log, or what the engine said instead.
type part struct {
	ready    chan struct{} // closed when the rest is set
	page     engine.Page
	err      error
	deserted bool // err is only that the member that read has gone
	frames   atomic.Pointer[framed]
}

func (p *parts) init() {
	p.slots = make(chan struct{}, maxReads)
	p.byKey = make(map[partKey]*part)
}

// forget drops what was read, so that nothing is kept longer than a tick.
func (p *parts) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.byKey)
	p.order = p.order[:0]
}

// claim returns the part with a key; mine tells that the caller must read it.
func (p *parts) claim(key partKey) (claimed *part, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.byKey[key]; known != nil {
		return known, false
	}
	if len(p.order) == maxParts {
		delete(p.byKey, p.order[0])
		p.order = slices.Delete(p.order, 0, 1)
	}
	claimed = &part{ready: make(chan struct{})}
	p.byKey[key] = claimed
	p.order = append(p.order, key)
	return claimed, true
}

// drop forgets one part.
func (p *parts) drop(key partKey, dropped *part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byKey[key] == dropped {
		delete(p.byKey, key)
		p.order = slices.DeleteFunc(p.order, func(k partKey) bool { return k == key })
	}
}

// part returns the part of the room's log after a position: read now, or for another member within the last tick.
func (r *room) part(ctx context.Context, since protocol.Position) (*part, error) {
	h, key := r.hub, partKey{r, since}
	for {
		p, mine := h.parts.claim(key)
		if mine {
			p.page, p.err = r.readLog(ctx, engine.Query{Since: since, Limit: replayMessages, MaxBytes: maxRunBytes})
			p.deserted = p.err != nil && ctx.Err() != nil
			if p.err != nil || p.page.Refused != "" || p.page.Head == since {
				h.parts.drop(key, p) // for those who come later it may be otherwise
			}
			close(p.ready)
			return p, p.err
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !p.deserted || h.ctx.Err() != nil {
			return p, p.err
		}
	}
}

// readLog reads a part of the room's log within the node's budget.
func (r *room) readLog(ctx context.Context, q engine.Query) (engine.Page, error) {
	if !r.hub.inline {
		select {
		case r.hub.parts.slots <- struct{}{}:
		case <-ctx.Done():
			return engine.Page{}, context.Cause(ctx)
		}
		defer func() { <-r.hub.parts.slots }()
	}
	return r.hub.engine.Read(ctx, r.name, q)
}

// framesIn returns the messages of the part in a framing, made once.
func (p *part) framesIn(f Framing) []byte {
	for {
		head := p.frames.Load()
		for n := head; n != nil; n = n.next {
			if n.framing == f {
				return n.bytes
			}
		}
		n := &framed{framing: f, next: head}
		for _, m := range p.page.Messages {
			n.bytes = f.AppendFrame(n.bytes, m)
		}
		if p.frames.CompareAndSwap(head, n) {
			return n.bytes
		}
	}
}

// through returns the position of the last message of the part, or the head when it goes up to there.
func (p *part) through() protocol.Position {
	if n := len(p.page.Messages); p.page.More && n > 0 {
		return p.page.Messages[n-1].Position
	}
	return p.page.Head
}
