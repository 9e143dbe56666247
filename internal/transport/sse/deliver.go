package sse

import (
	"bytes"
	"sync/atomic"

	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/transport/stateless"
)

// pieceBytes is how much is written at once, roughly. The ids of a stream with many rooms can be many times what the
// rooms hand over, so that one delivery may be several pieces; only one is ever kept while a socket is full.
const pieceBytes = 64 << 10

// rest is what was taken of a delivery and did not go out yet, as records: their ids are made when they are sent.
type rest struct {
	records []byte
	unless  *atomic.Bool
}

// Deliver implements session.Outlet.
func (s *stream) Deliver(handed conn.Frames, unless *atomic.Bool) conn.Outcome {
	frames := handed.Bytes
	if len(frames) == 0 {
		return conn.Sent
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening != nil || s.rest != nil {
		return conn.Blocked
	}
	left, outcome := s.write(frames, unless)
	if len(left) == 0 || len(left) == len(frames) || outcome == conn.Gone || outcome == conn.Skipped {
		return outcome
	}
	s.rest = &rest{bytes.Clone(left), unless}
	return conn.Kept
}

// sendRest sends what was left of a delivery; it reports whether that is all out. What is left of a room that the
// client is not in any more is not sent.
func (s *stream) sendRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest == nil {
		return true
	}
	left, outcome := s.write(s.rest.records, s.rest.unless)
	if len(left) > 0 && outcome == conn.Blocked {
		s.rest.records = left
		return false
	}
	s.rest = nil
	return outcome == conn.Sent || outcome == conn.Skipped
}

// write writes records as events, a piece at a time, and returns those that it did not, and what became of the last
// piece: Kept only if that was all, and Blocked otherwise. The stream is locked.
func (s *stream) write(records []byte, unless *atomic.Bool) (left []byte, outcome conn.Outcome) {
	b := s.transport.buffers.Lend()
	defer s.transport.buffers.Return(b)
	for len(records) > 0 {
		var before stateless.Saved
		s.vector.Save(&before)
		b.Bytes = b.Bytes[:0]
		rest := records
		for len(rest) > 0 && len(b.Bytes) < pieceBytes {
			var r stateless.Record
			r, rest = stateless.Next(rest)
			b.Bytes = append(b.Bytes, r.Body...)
			b.Bytes = s.endEvent(b.Bytes, r.Room, r.Position)
		}
		outcome = s.socket.Write(b.Bytes, unless)
		switch outcome {
		case conn.Sent, conn.Kept:
			records = rest
		default:
			s.vector.Restore(&before)
			return records, outcome
		}
		if outcome == conn.Kept && len(records) > 0 {
			return records, conn.Blocked
		}
	}
	return nil, outcome
}
