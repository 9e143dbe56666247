package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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
