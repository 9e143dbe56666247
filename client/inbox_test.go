package client

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

func TestTheInboxIsJoinedByItself(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		since, _ := protocol.ParsePosition(at(3))
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{Inbox: JoinOptions{Since: since}, Dial: l.dial})
		})
		p := l.accept()
		p.upgrade()
		p.welcome(`"user":"alice","inbox":"@alice"`)
		c := dialled.must(t)
		e := p.expect("join")
		if e.Room != "@alice" || e.Since != at(3) {
			t.Errorf("the client sent %+v", e)
		}
		p.ok(e, fmt.Sprintf(`"room":"@alice","pos":%q,"head":%q,"count":2,"recovered":true`, at(3), at(5)))
		p.message("@alice", 6)
		if m := next[*protocol.Message](t, c.Inbox()); m.Room != "@alice" {
			t.Errorf("the message is %+v", m)
		}
		if _, err := c.Join(t.Context(), "@alice"); !errors.Is(err, ErrJoined) {
			t.Errorf("Join returned %v", err)
		}
		p.cut()
		p = l.accept() // as another user
		p.upgrade()
		p.welcome(`"user":"bob","inbox":"@bob"`)
		e = p.expect("join")
		if e.Room != "@bob" || e.Since != "" {
			t.Errorf("the client sent %+v", e)
		}
		p.joined(e, 50)
		p.message("@bob", 51)
		if g := next[*protocol.Gap](t, c.Inbox()); g.Room != "@bob" || g.Position.String() != at(50) {
			t.Errorf("the gap is %+v", g)
		}
		if m := next[*protocol.Message](t, c.Inbox()); m.Room != "@bob" || c.Inbox().Name() != "@bob" {
			t.Errorf("the message is %+v", m)
		}
		p.cut()
		_ = c.Close()
	})
}

func TestWithNoInboxThereIsNone(t *testing.T) {
	inTime(t, func(t *testing.T) {
		l := listen(t)
		dialled := later(func() (*Client, error) {
			return Dial(t.Context(), "ws://server/ws", Options{NoInbox: true, Dial: l.dial})
		})
		p := l.accept()
		p.upgrade()
		p.welcome(`"user":"alice","inbox":"@alice"`)
		c := dialled.must(t)
		if c.Inbox() != nil {
			t.Error("there is an inbox")
		}
		joining := later(func() (*Room, error) { return c.Join(t.Context(), "@alice") })
		if e := p.expect("join"); e.Room != "@alice" {
			t.Errorf("the client sent %+v", e)
		}
		p.cut()
		_ = c.Close()
		_, _ = joining.wait()
	})
}
