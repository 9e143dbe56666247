package hub

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
