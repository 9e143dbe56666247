package redis_test

import (
	"errors"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// A server that has lost its scripts is given them by whoever notices first. Of what is under way then, a part may be refused
// and the rest be taken: what was refused must not be sent again behind it.
func TestAMessageIsNotSentAgainBehindALaterOne(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	n := newNode(t, redis.Options{URL: server.URL()})
	n.subscribe("room")
	n.hears(n.stores("room").Position)
	before := len(n.fed)
	server.Must("SCRIPT", "FLUSH")
	server.Must("SCRIPT", "LOAD", redis.PassSource)
	later := publication("room")
	later.Ephemeral, later.Message.Data = true, []byte(`"later"`)
	errs := n.SendTogether(publication("room"), later, publication("room"))
	if !errors.Is(errs[0], engine.ErrUnavailable) || errs[1] != nil || errs[2] != nil {
		t.Fatalf("%v; want the first to be unavailable, and the others stored", errs)
	}
	n.await("two messages", func() bool { return len(n.fed) == before+2 })
	if string(n.fed[before].Data) != `"later"` || n.fed[before+1].Position.IsZero() {
		t.Fatalf("fed %+v, then %+v", n.fed[before], n.fed[before+1])
	}
	if head := n.read("room", engine.Query{}).Head; head.Offset != 2 {
		t.Fatalf("the head is %v", head)
	}
}
