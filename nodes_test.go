package wireroom_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// TestAnyNodeGoesOnWhereAnotherEnded has every stream, poll and post reach another node than the one before.
func TestAnyNodeGoesOnWhereAnotherEnded(t *testing.T) {
	store := redistest.Start(t)
	secret := []byte("the secret of all nodes")
	var nodes []string
	for range 2 {
		_, url := start(t, wireroom.Options{Engine: redis.New(redis.Options{URL: store.URL(), Logger: slog.New(slog.DiscardHandler)}), Secret: secret})
		nodes = append(nodes, web(url))
	}
	first := poll(t, nodes[0]+"/poll?room=a&room=b"+clientName)
	query := "?room=a&room=b&token=" + first.Messages[0]["token"].(string) + clientName
	cursor, lastID := first.Cursor, first.Cursor
	for i := 1; i <= 20; i++ {
		here, there := nodes[i%2], nodes[(i+1)%2]
		body := fmt.Sprintf(`{"type":"publish","room":"%c","data":%d}`, 'a'+i%2, i)
		if a := post(t, there+"/send"+query, body); a.status != 200 || a.body[:12] != `{"type":"ok"` {
			t.Fatalf("%+v", a)
		}
		p := poll(t, here+"/poll"+query+"&cursor="+encode(cursor))
		// The node says ok of the rooms that it has not had the client in, or not there.
		if strings.TrimLeft(p.types(), "ok ") != "message" || p.data()[0] != float64(i) {
			t.Fatalf("poll %d got %v", i, p)
		}
		cursor = p.Cursor
		s := stream(t, here+"/sse"+query, "Last-Event-ID", lastID)
		s.expect("welcome")
		for range 2 {
			if e := s.expect("ok"); e.envelope["recovered"] != true {
				t.Fatalf("stream %d got %s", i, e.data)
			}
		}
		if got := s.message(); got != float64(i) {
			t.Fatalf("stream %d got %v", i, got)
		}
		lastID = s.lastID
		s.close()
	}
	if cursor != lastID {
		t.Fatalf("the cursor is %s, the id %s", cursor, lastID)
	}
}

// TestMembersPublishOnAnyNode has a room that only members may publish in, and one who is in it on one node publish on
// another that does not have the room.
func TestMembersPublishOnAnyNode(t *testing.T) {
	store := redistest.Start(t)
	secret := []byte("the secret of all nodes")
	var servers []*wireroom.Server
	var nodes []string
	for range 2 {
		server, url := start(t, wireroom.Options{
			Engine: redis.New(redis.Options{URL: store.URL(), Logger: slog.New(slog.DiscardHandler)}), Secret: secret,
			Rules: []wireroom.Rule{{Pattern: "a", Allow: wireroom.Allow{Join: "anyone", Publish: "members"}}}, Access: "anyone",
		})
		servers, nodes = append(servers, server), append(nodes, url)
	}
	p := dial(t, nodes[0]+"/ws", nil)
	query := "?token=" + encode(p.expect("welcome")["token"].(string))
	other := dial(t, nodes[1]+"/ws"+query, nil) // in no room
	other.expect("welcome")
	const publication = `{"type":"publish","room":"a","data":1,"id":1}`
	if a := post(t, web(nodes[1])+"/send"+query, publication); !strings.Contains(a.body, "forbidden") {
		t.Errorf("who is in the room nowhere is answered with %s", a.body)
	}
	p.send(`{"type":"join","room":"a","id":1}`)
	p.expect("ok")
	count := func(want int) {
		for { // until it is known
			if members, err := servers[1].Members("a", "", 1); err == nil && members.Count == want {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	count(1)
	if a := post(t, web(nodes[1])+"/send"+query, publication); !strings.HasPrefix(a.body, `{"type":"ok"`) {
		t.Errorf("a member is answered with %s", a.body)
	}
	other.send(publication)
	other.expect("ok")
	p.expect("message")
	p.expect("message")
	p.send(`{"type":"leave","room":"a","id":1}`)
	p.expect("ok")
	count(0)
	other.send(publication)
	if e := other.expect("error"); e["code"] != "forbidden" {
		t.Errorf("who has left is answered with %v", e)
	}
}
