package wireroom_test

import (
	"context"
	"testing"

	"github.com/wireroom/wireroom"
)

// A stream whose session the application puts into the room that it asks for goes on where its client was, and so does
// a poll.
func TestWhoTheApplicationHasJoinedGoesOnWithoutWebSocket(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		o.Hooks.OnOpen = func(ctx context.Context, s *wireroom.Session) error {
			_, err := s.Join(ctx, "a", wireroom.JoinOptions{})
			return err
		}
		server, url := start(t, o)
		one := publish(t, server, "a", 1)
		two := publish(t, server, "a", 2)
		s := stream(t, web(url)+"/sse?room=a", "Last-Event-ID", "a="+one.Position.String())
		s.expect("welcome")
		if e := s.expect("ok"); e.envelope["recovered"] != true || e.envelope["count"] != 1.0 {
			t.Fatalf("the reply is %s", e.data)
		}
		if got := s.message(); got != 2.0 || s.lastID != "a="+two.Position.String() {
			t.Fatalf("got %v, and the id %q", got, s.lastID)
		}
		s.close()
		fresh := stream(t, web(url)+"/sse?room=a")
		fresh.expect("welcome")
		if e := fresh.expect("ok"); e.id != "a="+two.Position.String() {
			t.Fatalf("a stream begins without an id: %+v", e)
		}
		fresh.close()
		p := poll(t, web(url)+"/poll?room=a&wait=0&cursor=a="+one.Position.String())
		if p.Cursor != "a="+two.Position.String() || len(p.Messages) == 0 || p.Messages[len(p.Messages)-1]["data"] != 2.0 {
			t.Fatalf("the poll is answered with %+v", p)
		}
	})
}
