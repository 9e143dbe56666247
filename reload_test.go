package wireroom_test

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

func TestAReloadHoldsAtOnce(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		p := dial(t, url+"/ws", nil)
		p.expect("welcome")
		for _, room := range []string{"open", "closing"} {
			p.send(`{"type":"join","room":"` + room + `","id":1}`)
			p.expect("ok")
		}
		p.send(`{"type":"publish","room":"open","data":1,"id":1,"echo":false}`)
		p.expect("ok")

		err := server.Reload(wireroom.Changes{
			Rules: []wireroom.Rule{
				{Pattern: "closing", Allow: wireroom.Allow{Join: "nobody"}},
				{Pattern: "open", Allow: wireroom.Allow{Publish: "nobody"}, NoPresence: true},
			},
			Access:  "anyone",
			Origins: []string{"https://new.example"},
			Limits:  wireroom.Limits{Rooms: 1, MaxMessage: 1000},
		})
		if err != nil {
			t.Fatal(err)
		}
		if e := p.expect("kicked"); e["room"] != "closing" {
			t.Errorf("kicked out of %v", e)
		}
		p.send(`{"type":"publish","room":"open","data":1,"id":1}`)
		if e := p.expect("error"); e["code"] != "forbidden" {
			t.Errorf("a room whose rule changed while it is open: %v", e)
		}
		p.send(`{"type":"presence","room":"open","id":1}`)
		p.expect("ok") // an open room keeps its presence
		p.send(`{"type":"join","room":"another","id":1}`)
		if e := p.expect("error"); e["code"] != "room_limit" {
			t.Errorf("a second room: %v", e)
		}
		header := http.Header{"Origin": {"https://new.example"}}
		other := dial(t, url+"/ws", &websocket.DialOptions{HTTPHeader: header})
		if e := other.expect("welcome"); e["max_message"] != 1000.0 {
			t.Errorf("the welcome is %v", e)
		}
	})
}

func TestAWrongReloadChangesNothing(t *testing.T) {
	server, url := start(t, wireroom.Options{Origins: []string{"https://old.example"}})
	for _, c := range []wireroom.Changes{
		{Rules: []wireroom.Rule{{Pattern: "***"}}},
		{Origins: []string{"nonsense"}},
		{TrustedProxies: []string{"nonsense"}},
		{ForwardedHeader: "Nonsense"},
		{Access: "nonsense"},
	} {
		c.Limits.Rooms = 1
		if err := server.Reload(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	p := dial(t, url+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://old.example"}}})
	p.expect("welcome")
	for _, room := range []string{"a", "b"} {
		p.send(`{"type":"join","room":"` + room + `","id":1}`)
		p.expect("ok")
	}
}

// What no rule speaks of stays closed, if that is what it was.
func TestAReloadOpensNothing(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Auth: auth.HMAC(secret)})
	token, err := auth.SigningKey{Algorithm: "HS256", Secret: secret}.Sign(auth.Identity{User: "alice"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := dial(t, url+"/ws?token="+token, nil)
	p.expect("welcome")
	for range 2 {
		p.send(`{"type":"join","room":"a","id":1}`)
		if e := p.expect("error"); e["code"] != "forbidden" {
			t.Errorf("joining gives %v", e)
		}
		if err := server.Reload(wireroom.Changes{}); err != nil {
			t.Fatal(err)
		}
	}
}
