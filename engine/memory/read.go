package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// Read implements engine.Engine.
func (e *Engine) Read(_ context.Context, name string, q engine.Query) (engine.Page, error) {
	r, err := e.look(name)
	if err != nil {
		return engine.Page{}, fmt.Errorf("memory: read %q: %w", name, err)
	}
	defer r.mu.Unlock()
	_, now := e.clock()
	e.trim(r, now)
	return r.read(q), nil
}

// Heads implements the trait engine.Heads.
func (e *Engine) Heads(_ context.Context, rooms []string) ([]protocol.Position, error) {
	heads := make([]protocol.Position, len(rooms))
	for i, name := range rooms {
		r, err := e.look(name)
		if err != nil {
			return nil, fmt.Errorf("memory: heads of %d rooms: %w", len(rooms), err)
		}
		heads[i] = r.head
		r.mu.Unlock()
	}
	return heads, nil
}

// trim lets the messages go that have become too old. The room's lock is held.
func (e *Engine) trim(r *room, now time.Duration) {
	before := r.log.bytes
	r.log.trim(r.retention, now)
	e.bytes.Add(r.log.bytes - before)
	if r.log.entries.n == 0 {
		e.logs.remove(&r.inLogs)
	}
}

// read answers q. The room's lock is held.
func (r *room) read(q engine.Query) engine.Page {
	page := engine.Page{Head: r.head, Start: r.head}
	switch {
	case !q.Since.IsZero():
		page.Refused = r.log.prove(q.Since, r.head)
	case !q.Before.IsZero():
		page.Refused = r.log.prove(q.Before, r.head)
	}
	switch {
	case q.Latest:
		r.readLatest(&page, q.Since)
	case page.Refused != "":
	case !q.Since.IsZero():
		r.log.readSince(&page, q)
	case !q.Before.IsZero():
		r.log.readNewest(&page, int(q.Before.Offset-r.log.base.Offset)-1, q.Limit, q.MaxBytes)
	case q.Last > 0:
		r.log.readNewest(&page, r.log.entries.n, min(q.Last, q.Limit), q.MaxBytes)
	}
	return page
}

// readLatest fills page with the newest per event after since, or with all of them where since is zero or refused.
func (r *room) readLatest(page *engine.Page, since protocol.Position) {
	proven := !since.IsZero() && page.Refused == ""
	var after uint64
	if proven {
		after = since.Offset
		page.Start = since
	}
	page.Messages = r.latest.after(after)
	if proven {
		page.Count = len(page.Messages)
	}
	if len(page.Messages) > 0 {
		oldest := page.Messages[0]
		page.Start = oldest.Position.Before(oldest.ID)
	}
}

// readSince fills page from the oldest message after q.Since on, which is proven.
func (l *log) readSince(page *engine.Page, q engine.Query) {
	first := int(q.Since.Offset - l.base.Offset)
	end, size := first, 0
	for end < l.entries.n && end-first < q.Limit {
		size += l.entries.at(end).message.Size()
		if q.MaxBytes > 0 && size > q.MaxBytes && end > first {
			break
		}
		end++
	}
	page.Start = q.Since
	page.Count = l.entries.n - first
	page.More = end < l.entries.n
	page.Messages = l.copy(first, end)
}

// readNewest fills page with the newest of the first end messages; end is -1 before the first of all.
func (l *log) readNewest(page *engine.Page, end, limit, maxBytes int) {
	first, size := end, 0
	for first > 0 && end-first < limit {
		size += l.entries.at(first - 1).message.Size()
		if maxBytes > 0 && size > maxBytes && first < end {
			break
		}
		first--
	}
	page.More = first > 0
	page.Messages = l.copy(first, end)
	if first < end {
		page.Start = l.before(first)
	}
}

// copy returns the messages from first on up to, not including, end.
func (l *log) copy(first, end int) []*protocol.Message {
	if first == end {
		return nil
	}
	messages := make([]*protocol.Message, 0, end-first)
	for i := first; i < end; i++ {
		messages = append(messages, l.entries.at(i).message)
	}
	return messages
}
