package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
)

// RawMember is a member over a connection of its own: it joins with `since` after each break, and hides nothing that
// the server sends twice or not at all.
type RawMember struct {
	stand
	addr    string
	rooms   []string
	options RawOptions

	mu  sync.Mutex
	raw *Raw
}

// NewRawMember returns a member that runs later.
func (t *Trial) NewRawMember(name, addr string, o RawOptions, rooms ...string) (*RawMember, error) {
	w, err := t.Write("member-" + name)
	return &RawMember{stand: stand{w: w, at: make(map[string]protocol.Position)}, addr: addr, rooms: rooms, options: o}, err
}

// Drop implements Member.
func (m *RawMember) Drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.raw != nil {
		m.raw.Drop()
	}
}

// Run implements Member.
func (m *RawMember) Run(ctx context.Context, joined func(map[string]protocol.Position)) error {
	stop := context.AfterFunc(ctx, m.Drop)
	defer stop()
	first := true
	for ctx.Err() == nil {
		raw, err := DialRaw(ctx, m.addr, m.options)
		if err != nil {
			_ = Sleep(ctx, 50*time.Millisecond)
			continue
		}
		m.mu.Lock()
		m.raw = raw
		m.mu.Unlock()
		if ctx.Err() != nil {
			raw.Drop()
			return nil
		}
		err = m.stay(raw, func() {
			if first {
				joined(m.all())
			}
			first = false
		})
		raw.Drop()
		var wrong *badAnswerError
		if errors.As(err, &wrong) {
			return err
		}
	}
	return nil
}

// badAnswerError is an answer that a server must not give.
type badAnswerError struct{ text string }

func (e *badAnswerError) Error() string { return "a member was answered " + e.text }

// stay joins the rooms and reads until the connection ends.
func (m *RawMember) stay(raw *Raw, in func()) error {
	for _, room := range m.rooms {
		join := map[string]any{"type": "join", "room": room, "id": room}
		if at := m.At(room); !at.IsZero() {
			join["since"] = at
		}
		text, err := json.Marshal(join)
		if err != nil {
			return err
		}
		if err := raw.Send(OpText, text); err != nil {
			return err
		}
	}
	buf := make([]byte, 64<<10)
	for answers := 0; ; {
		text, err := raw.Next(buf)
		if err != nil {
			return err
		}
		joined, err := m.take(text)
		if err != nil {
			return err
		}
		if joined {
			if answers++; answers == len(m.rooms) {
				in()
			}
		}
	}
}

// take takes an envelope of the server. It reports whether that was the answer to a join.
func (m *RawMember) take(text []byte) (joined bool, err error) {
	e, err := protocol.ReadEnvelope(text)
	if err != nil {
		return false, &badAnswerError{string(text)}
	}
	switch e.Type {
	case protocol.TypeMessage:
		var x protocol.Message
		if err := json.Unmarshal(text, &x); err != nil {
			return false, &badAnswerError{string(text)}
		}
		m.move(got(x.Room, &x))
	case protocol.TypeGap:
		var x protocol.Gap
		if err := json.Unmarshal(text, &x); err != nil {
			return false, &badAnswerError{string(text)}
		}
		m.move(history.Record{Do: history.Gap, Room: x.Room, At: x.Position, Why: string(x.Reason)})
	case protocol.TypeOK:
		var x protocol.Joined
		if err := json.Unmarshal(text, &x); err != nil {
			return false, &badAnswerError{string(text)}
		}
		m.joined(&x)
		return true, nil
	case protocol.TypeError:
		return false, fmt.Errorf("refused: %s", text) // it tries again
	}
	return false, nil
}

// joined takes the answer to a join.
func (m *RawMember) joined(j *protocol.Joined) {
	r := history.Record{Do: history.Join, Room: j.Room, At: j.Position, Why: history.Fresh}
	switch {
	case j.Recovered:
		r.Why = history.Recovered
	case j.WithSince:
		r.Why = string(j.Reason)
	}
	m.move(r)
}
