package wireroom_test

import (
	"log/slog"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// TestSocketIORecoversOnOtherNodes has a client come back to another node than the one that it was cut from, and then to
// one where the other has died.
func TestSocketIORecoversOnOtherNodes(t *testing.T) {
	store := redistest.Start(t)
	secret := []byte("the secret of all nodes")
	var servers []*wireroom.Server
	var nodes []string
	for range 2 {
		server, url := start(t, wireroom.Options{
			Engine: redis.New(redis.Options{URL: store.URL(), Logger: slog.New(slog.DiscardHandler)}), Secret: secret,
		})
		servers, nodes = append(servers, server), append(nodes, url)
	}
	e := newcomer(t, nodes[0], "a", "b")
	for i := 1; i <= 6; i++ {
		e.cut()
		utter(t, servers[i%2], "a", "volatile", wireroom.PublishOptions{Ephemeral: true})
		utter(t, servers[(i+1)%2], "a", i)
		var recovered bool
		if e, recovered = e.again(nodes[i%2] + socketIO); !recovered {
			t.Fatalf("not recovered on turn %d", i)
		}
		e.envelope("welcome")
		heard := e.envelope("message")
		if heard["data"] == "volatile" { // its node may have had it on the way still
			heard = e.envelope("message")
		}
		if heard["data"] != float64(i) {
			t.Fatalf("heard %v on turn %d", heard["data"], i)
		}
	}
	if err := servers[0].Close(); err != nil { // the node that it is on
		t.Fatal(err)
	}
	utter(t, servers[1], "b", "after")
	e, recovered := e.again(nodes[1] + socketIO)
	if !recovered {
		t.Fatal("not recovered after a node died")
	}
	e.envelope("welcome")
	e.hears("after")
}
