package hub

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// TestWhatIsOfALogThatIsNoMoreIsAskedForOnce feeds, as a fail-over may, what a primary fed that is gone.
func TestWhatIsOfALogThatIsNoMoreIsAskedForOnce(t *testing.T) {
	for name, stray := range map[string]func(head protocol.Position) protocol.Position{
		"of another epoch":     func(p protocol.Position) protocol.Position { p.Epoch ^= 1; return p },
		"in another's place":   func(p protocol.Position) protocol.Position { p.Check ^= 1; return p },
		"beyond the head":      func(p protocol.Position) protocol.Position { p.Offset += 3; return p },
		"beyond in other time": func(p protocol.Position) protocol.Position { p.Offset, p.Epoch = p.Offset+9, p.Epoch^1; return p },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newLossy(1, 0, 0)
				h := newHubOn(t, e, nil)
				s := newSocket(h, new(lines), "a")
				s.join(t, JoinRequest{Room: "r"})
				for i := range 3 {
					publish(t, h, "r", fmt.Sprint(i))
				}
				time.Sleep(time.Second)
				before := e.readsSoFar()
				h.Deliver(&protocol.Message{Room: "r", ID: 7, Position: stray(headOf(t, e)), Data: []byte(`"stray"`)})
				time.Sleep(time.Minute)
				if n := e.readsSoFar() - before; n != 1 {
					t.Errorf("the log was read %d times, want once", n)
				}
				publish(t, h, "r", "3")
				time.Sleep(time.Second)
				expect(t, "what was delivered", s.say(t), "0 1 2 3")
			})
		})
	}
}

// largest is a lossy engine that notes how much was read of logs at once, and by how many.
type largest struct {
	*lossy
	messages, reading, most int
}

func (e *largest) Read(ctx context.Context, room string, q engine.Query) (engine.Page, error) {
	e.lossy.mu.Lock()
	e.reading++
	e.most = max(e.most, e.reading)
	e.lossy.mu.Unlock()
	page, err := e.lossy.Read(ctx, room, q)
	e.lossy.mu.Lock()
	defer e.lossy.mu.Unlock()
	e.reading--
	e.messages = max(e.messages, len(page.Messages))
	return page, err
}

// TestHolesAreFilledWithinTheBudget has many rooms miss much at once.
func TestHolesAreFilledWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms, missed = 2 * maxReads, 600
		e := &largest{lossy: newLossy(1, 0, 0)}
		h := newHubOn(t, e, nil)
		sockets := make([]*socket, rooms)
		for i := range sockets {
			sockets[i] = newSocket(h, new(lines), "a")
			sockets[i].join(t, JoinRequest{Room: fmt.Sprint("r", i)})
		}
		e.lose(1)
		for i := range rooms {
			for n := range missed {
				m := &protocol.Message{Room: fmt.Sprint("r", i), Data: fmt.Append(nil, n)}
				h.Publish(t.Context(), &engine.Publication{Message: m}, func(engine.Receipt, error) {})
			}
		}
		e.lose(0)
		e.most = 0
		e.feed.Interrupted()
		time.Sleep(time.Minute)
		for i, s := range sockets {
			if got := s.take(t); len(got) != missed || string(got[missed-1].Data) != fmt.Sprint(missed-1) {
				t.Fatalf("room %d: %d messages, want %d", i, len(got), missed)
			}
		}
		if e.messages > replayMessages || e.most > maxReads {
			t.Errorf("%d messages were read at once, by up to %d; want at most %d by %d", e.messages, e.most, replayMessages, maxReads)
		}
	})
}

// readsSoFar returns how often logs were read.
func (e *lossy) readsSoFar() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reads
}

// counter is a log handler that counts.
type counter struct{ n *atomic.Int64 }

func (c counter) Enabled(context.Context, slog.Level) bool { return true }
func (c counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c counter) WithGroup(string) slog.Handler            { return c }
func (c counter) Handle(context.Context, slog.Record) error {
	c.n.Add(1)
	return nil
}

// TestAnOutageIsLoggedNowAndThen has many members wait for an engine that does not answer, and rooms with a hole.
func TestAnOutageIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newLossy(1, 0, 0)
		var logged atomic.Int64
		rules, err := rule.NewSet(nil, "")
		if err != nil {
			t.Fatal(err)
		}
		h, err := New(t.Context(), Options{Engine: e, Rules: rules, Logger: slog.New(counter{&logged})})
		if err != nil {
			t.Fatal(err)
		}
		framing := new(lines)
		for i := range 50 {
			room := fmt.Sprint("r", i)
			s := newSocket(h, framing, "a")
			s.join(t, JoinRequest{Room: room})
			publish(t, h, room, "1")
		}
		time.Sleep(time.Second)
		e.failAll(1)
		for i := range 50 {
			h.Deliver(&protocol.Message{Room: fmt.Sprint("r", i), ID: 7, Position: protocol.Position{Epoch: 1, Offset: 9}})
		}
		e.feed.Interrupted()
		time.Sleep(time.Minute)
		if n := logged.Load(); n < 1 || n > 7 {
			t.Errorf("a minute in which the engine does not answer is %d lines of the log, want one in ten seconds", n)
		}
		e.failAll(0)
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// failAll sets which part of the calls fails.
func (e *lossy) failAll(part float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = part
}
