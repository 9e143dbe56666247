package socketio

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/transport/engineio"
	"github.com/wireroom/wireroom/internal/transport/stateless"
)

// pieceBytes is how much is written at once, roughly. What events end with can be many times what the rooms hand over,
// so that one delivery may be several pieces; only one is ever kept while a socket is full.
const pieceBytes = 64 << 10

// rest is what was taken of a delivery and did not go out yet, as records: what they end with is made when they are
// sent.
type rest struct {
	records []byte
	unless  *atomic.Bool
}

// Ready implements session.Outlet.
func (p *peer) Ready() bool {
	b := p.talk.conn.Begin()
	blocked := p.opening != nil || p.rest != nil
	b.End()
	return !blocked && p.talk.conn.Ready()
}

// Deliver implements session.Outlet.
func (p *peer) Deliver(handed conn.Frames, unless *atomic.Bool) conn.Outcome {
	frames := handed.Bytes
	if len(frames) == 0 {
		return conn.Sent
	}
	b := p.talk.conn.Begin()
	defer b.End()
	switch {
	case p.closed:
		return conn.Gone
	case p.opening != nil || p.rest != nil:
		return conn.Blocked
	}
	left, outcome := p.write(&b, frames, unless)
	if len(left) == 0 || len(left) == len(frames) || outcome == conn.Gone || outcome == conn.Skipped {
		return outcome
	}
	p.rest = &rest{bytes.Clone(left), unless}
	return conn.Kept
}

// sendRest sends what was left of a delivery; it reports whether that is all out. What is left of a room that the client
// is not in any more is not sent.
func (p *peer) sendRest() bool {
	b := p.talk.conn.Begin()
	defer b.End()
	if p.rest == nil {
		return true
	}
	left, outcome := p.write(&b, p.rest.records, p.rest.unless)
	if len(left) > 0 && outcome == conn.Blocked {
		p.rest.records = left
		return false
	}
	p.rest = nil
	return outcome == conn.Sent || outcome == conn.Skipped
}

// write writes records as events, a piece at a time, and returns those that it did not, and what became of the last
// piece: Kept only if that was all, and Blocked otherwise. The connection is locked.
func (p *peer) write(b *engineio.Batch, records []byte, unless *atomic.Bool) (left []byte, outcome conn.Outcome) {
	for len(records) > 0 {
		before := p.stands.save()
		b.Reset()
		left := records
		for len(left) > 0 && b.Len() < pieceBytes {
			var r stateless.Record
			r, left = stateless.Next(left)
			p.appendRecord(b, r)
		}
		switch outcome = b.Write(unless); outcome {
		case conn.Sent, conn.Kept:
			records = left
		default:
			p.stands.restore(before)
			return records, outcome
		}
		if outcome == conn.Kept && len(records) > 0 {
			return records, conn.Blocked
		}
	}
	return nil, outcome
}

// appendRecord adds an event, with where the client stands then, and its attachments. The connection is locked.
func (p *peer) appendRecord(b *engineio.Batch, r stateless.Record) {
	place, body := next(r.Body)
	text, attachments := next(body)
	if len(r.Room) > 0 && p.stands.move(r.Room, r.Position) && len(place) > 0 {
		b.Text(text, p.stands.suffixAt(place))
	} else {
		b.Text(text, p.suffix())
	}
	for len(attachments) > 0 {
		text, attachments = next(attachments)
		b.Binary(text)
	}
}

// suffix returns what ends an event: where the client stands, if that travels, and the bracket. It is valid until it is
// called again. The connection is locked.
func (p *peer) suffix() []byte {
	if !p.talk.speech.Recovery {
		return closing
	}
	return p.stands.suffix()
}

// closing ends the list of an event's arguments.
var closing = []byte{']'}

// A body is texts, each behind its length: where the event moves who gets it, the event without its end, then its
// attachments.

// appendLength begins a text, whose length is set by setLength when it is complete.
func appendLength(b []byte) (start int, to []byte) { return len(b), append(b, 0, 0, 0, 0) }

func setLength(b []byte, start int) {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
}

// next takes the first text off a body.
func next(body []byte) (text, rest []byte) {
	n := 4 + int(binary.LittleEndian.Uint32(body))
	return body[4:n], body[n:]
}
