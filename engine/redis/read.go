package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// unwrittenLife is how long a room keeps its epoch in which nothing was ever stored, after it was last asked for.
const unwrittenLife = time.Hour

// Read implements engine.Engine.
func (e *Engine) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	if err := e.begin(); err != nil {
		return engine.Page{}, fmt.Errorf("redis: read %q: %w", room, err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	page, err := e.page(room, q, e.do(ctx, e.scripts.read, e.names.kept(room), arguments(q)...))
	if err != nil {
		return engine.Page{}, fmt.Errorf("redis: read %q: %w", room, failure(err, engine.ErrUnavailable))
	}
	return page, nil
}

// arguments are what the script is asked with.
func arguments(q engine.Query) []string {
	mode, limit, at := "h", q.Limit, q.Since
	switch {
	case q.Latest:
		mode = "l"
	case !q.Since.IsZero():
		mode = "s"
	case !q.Before.IsZero():
		mode, at = "b", q.Before
	case q.Last > 0:
		mode, limit = "t", min(q.Last, q.Limit)
	}
	epoch := ""
	if !at.IsZero() {
		epoch = epochText(at.Epoch)
	}
	return []string{
		epochText(protocol.NewEpoch()), milliseconds(unwrittenLife), mode,
		epoch, decimal(at.Offset), decimal(uint64(at.Check)), strconv.Itoa(max(limit, 0)), strconv.Itoa(max(q.MaxBytes, 0)),
	}
}

// page reads the script's answer to q.
func (e *Engine) page(room string, q engine.Query, result rueidis.RedisResult) (engine.Page, error) {
	answer, err := result.ToArray()
	if err != nil {
		return engine.Page{}, err
	}
	if len(answer) != 4 {
		return engine.Page{}, errScript
	}
	head, base, reason, entries, err := parts(answer)
	if err != nil {
		return engine.Page{}, err
	}
	page := engine.Page{Head: head.position, Start: head.position, Refused: protocol.Reason(reason)}
	for _, entry := range entries {
		text, err1 := entry.ToString()
		m, err2 := decodeMessage(room, text)
		if err := errors.Join(err1, err2); err != nil {
			return engine.Page{}, fmt.Errorf("a message that is kept: %w", err)
		}
		page.Messages = append(page.Messages, m)
	}
	place(q, &page, base)
	return page, nil
}

// parts takes the script's answer apart.
func parts(answer []rueidis.RedisMessage) (head stamp, base uint64, reason string, entries []rueidis.RedisMessage, err error) {
	text, err1 := answer[0].ToString()
	head, err2 := decodeStamp(text)
	text, err3 := answer[1].ToString()
	base, err4 := strconv.ParseUint(text, 10, 64)
	reason, err5 := answer[2].ToString()
	entries, err6 := answer[3].ToArray()
	return head, base, reason, entries, errors.Join(err1, err2, err3, err4, err5, err6)
}

// place says where the messages of a page stand. base is the offset of what left the log last.
func place(q engine.Query, page *engine.Page, base uint64) {
	n := len(page.Messages)
	switch {
	case q.Latest:
		if proven := !q.Since.IsZero() && page.Refused == ""; proven {
			page.Start, page.Count = q.Since, n
		}
	case page.Refused != "":
		return
	case !q.Since.IsZero():
		page.Start = q.Since
		page.Count = int(page.Head.Offset - q.Since.Offset)
		page.More = n < page.Count
		return
	default:
		slices.Reverse(page.Messages)
		oldest := page.Head.Offset + 1
		if !q.Before.IsZero() {
			oldest = q.Before.Offset
		}
		oldest -= uint64(n)
		page.More = oldest > base+1 && (q.Last > 0 || !q.Before.IsZero())
	}
	if n > 0 {
		page.Start = page.Messages[0].Position.Before(page.Messages[0].ID)
	}
}

// Heads implements the trait engine.Heads: in one pipeline, and one more for the rooms in which nothing is stored.
func (e *Engine) Heads(ctx context.Context, rooms []string) ([]protocol.Position, error) {
	if err := e.begin(); err != nil {
		return nil, fmt.Errorf("redis: heads: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	commands := make([]rueidis.Completed, len(rooms))
	for i, room := range rooms {
		commands[i] = e.client.B().Getrange().Key(e.names.kept(room)[0]).Start(0).End(stampLen - 1).Build()
	}
	heads := make([]protocol.Position, len(rooms))
	var failed error
	var unwritten []int
	for i, result := range e.client.DoMulti(ctx, commands...) {
		text, err := result.ToString()
		s, none := decodeStamp(text)
		switch {
		case err != nil:
			failed = unread(failed, err)
		case none != nil || s.position.Offset == 0:
			unwritten = append(unwritten, i)
		default:
			heads[i] = s.position
		}
	}
	failed = e.unwrittenHeads(ctx, rooms, unwritten, heads, failed)
	if failed != nil {
		return heads, fmt.Errorf("redis: heads of %d rooms: %w", len(rooms), failed)
	}
	return heads, nil
}

// unwrittenHeads reads the heads of the rooms with the given numbers, in which nothing is stored: asking for them keeps
// their epochs alive.
func (e *Engine) unwrittenHeads(ctx context.Context, rooms []string, unwritten []int, heads []protocol.Position, failed error) error {
	keys, each := make([][]string, len(unwritten)), make([][]string, len(unwritten))
	for k, i := range unwritten {
		keys[k], each[k] = e.names.kept(rooms[i]), arguments(engine.Query{})
	}
	for k, result := range e.doEach(ctx, e.scripts.read, keys, each) {
		page, err := e.page(rooms[unwritten[k]], engine.Query{}, result)
		if err != nil {
			failed = unread(failed, err)
			continue
		}
		heads[unwritten[k]] = page.Head
	}
	return failed
}

// unread adds to what failed that a head could not be read, unless asking again is of no use.
func unread(failed, err error) error {
	if err = failure(err, engine.ErrUnavailable); failed != nil || !errors.Is(err, engine.ErrUnavailable) {
		return failed
	}
	return err
}
