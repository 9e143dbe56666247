package wireroom_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine/redis"
	"github.com/wireroom/wireroom/test/redistest"
)

// TestANewNameReachesTheRoom has somebody come back by another name, over every transport and while older connections of the
// user are there: whoever is in the room hears of it, on the same node and on another one.
func TestANewNameReachesTheRoom(t *testing.T) {
	secret := []byte("the secret of all nodes")
	options := func() wireroom.Options {
		return wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret), Secret: secret}
	}
	t.Run("one node", func(t *testing.T) {
		server, url := start(t, options())
		rename(t, secret, []*wireroom.Server{server}, url, url)
	})
	t.Run("two nodes", func(t *testing.T) {
		store := redistest.Start(t)
		var servers []*wireroom.Server
		var urls []string
		for range 2 {
			o := options()
			o.Engine = redis.New(redis.Options{URL: store.URL(), Logger: slog.New(slog.DiscardHandler)})
			server, url := start(t, o)
			servers, urls = append(servers, server), append(urls, url)
		}
		rename(t, secret, servers, urls[0], urls[1])
	})
}

// rename has a watcher look from one address, and alice come by the other.
func rename(t *testing.T, secret []byte, servers []*wireroom.Server, from, to string) {
	token := func(user, name string) string {
		text, err := auth.SigningKey{Algorithm: "HS256", Secret: secret}.Sign(auth.Identity{User: user, Name: name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	watcher := dial(t, from+"/ws?token="+token("bob", "Bob"), nil)
	watcher.expect("welcome")
	watcher.send(`{"type":"join","room":"a","presence":true,"id":1}`)
	watcher.expect("ok")
	hears := func(name string) {
		t.Helper()
		if e := watcher.expect("user_joined"); e["user"] != "alice" || e["name"] != name || e["count"] != 2.0 {
			t.Fatalf("heard %v, want %s", e, name)
		}
	}
	native := func(name string) *peer {
		p := dial(t, to+"/ws?token="+token("alice", name), nil)
		p.expect("welcome")
		p.send(`{"type":"join","room":"a","id":1}`)
		p.expect("ok")
		hears(name)
		return p
	}
	first := native("first")
	native("second")
	first.send(`{"type":"auth","id":2,"token":"` + token("alice", "refreshed") + `"}`)
	first.expect("ok")
	hears("refreshed")
	stream(t, web(to)+"/sse?room=a&token="+token("alice", "streaming"))
	hears("streaming")
	polling := func(name, client, cursor string) string {
		return poll(t, web(to)+"/poll?room=a&wait=0&token="+token("alice", name)+client+"&cursor="+encode(cursor)).Cursor
	}
	cursor := polling("polling", clientName, "")
	hears("polling")
	polling("polling on", clientName, cursor)
	hears("polling on")
	late := web(to) + "/poll?wait=0&room=b&client=c-that-comes-late&token=" + token("alice", "late")
	poll(t, late+"&room=a&presence=true&cursor="+encode(poll(t, late).Cursor)) // the other room is joined anew, this one is not
	hears("late")
	polling("nameless", "", cursor)
	hears("nameless")
	for _, presence := range []string{"", "&presence=true", ""} { // a name that was told is no news, though rooms are joined anew
		cursor = polling("polling on", clientName+presence, cursor)
	}
	first.send(`{"type":"publish","room":"a","data":1,"id":3}`)
	if e := watcher.expect("message"); e["from"].(map[string]any)["name"] != "refreshed" {
		t.Fatalf("got %v", e)
	}
	for i, server := range servers {
		for deadline := time.Now().Add(time.Minute); ; { // until it is known
			members, err := server.Members("a", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(members.Members) == 2 && members.Members[0].Name == "nameless" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("server %d says %v", i, members.Members)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// TestAnonymousComesBackByAnotherName has an anonymous user take another name as its stream begins anew, within the time in
// which nobody misses it.
func TestAnonymousComesBackByAnotherName(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	watcher := dial(t, url+"/ws", nil)
	watcher.expect("welcome")
	watcher.send(`{"type":"join","room":"a","presence":true,"id":1}`)
	watcher.expect("ok")
	s := stream(t, web(url)+"/sse?room=a&name=Ann")
	token := s.expect("welcome").envelope["token"].(string)
	if e := watcher.expect("user_joined"); e["name"] != "Ann" {
		t.Fatalf("heard %v", e)
	}
	s.close()
	stream(t, web(url)+"/sse?room=a&name=Anna&token="+encode(token))
	e := watcher.receive()
	if e["type"] == "user_left" { // that time was over, on a busy machine
		e = watcher.receive()
	}
	if e["type"] != "user_joined" || e["name"] != "Anna" || e["count"] != 2.0 {
		t.Fatalf("heard %v", e)
	}
}

// TestANameIsToldWithinBounds has users take other names in rooms, of which everybody there is told.
func TestANameIsToldWithinBounds(t *testing.T) {
	secret := []byte("the secret of this test")
	_, url := start(t, wireroom.Options{
		Access: "anyone", Anonymous: true, Auth: auth.HMAC(secret), Secret: secret,
		Limits: wireroom.Limits{JoinRate: 0.001, JoinBurst: 5},
	})
	anon := dial(t, url+"/ws", nil)
	token := anon.expect("welcome")["token"].(string)
	anon.send(`{"type":"join","room":"a","id":1}`)
	anon.expect("ok")
	anon.send(`{"type":"auth","token":"` + token + `","name":"Another","id":2}`)
	if e := anon.expect("error"); e["code"] != "forbidden" || e["field"] != "name" {
		t.Errorf("an anonymous user who is in a room was told %v", e)
	}
	named := func(name string) string {
		text, err := auth.SigningKey{Algorithm: "HS256", Secret: secret}.Sign(auth.Identity{User: "alice", Name: name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	alice := dial(t, url+"/ws?token="+named("Ann"), nil)
	alice.expect("welcome")
	alice.send(`{"type":"join","room":"a","id":1}`)
	alice.expect("ok")
	alice.send(`{"type":"join","room":"b","id":2}`)
	alice.expect("ok")
	for i, want := range []string{"ok", "error"} { // of five joins three are left, and each takes two
		alice.send(fmt.Sprintf(`{"type":"auth","token":%q,"id":3}`, named(fmt.Sprint("Ann ", i))))
		if e := alice.expect(want); want == "error" && e["code"] != "rate_limited" {
			t.Errorf("was told %v", e)
		}
	}
	alice.send(`{"type":"auth","token":"` + named("Ann 0") + `","id":4}`) // the same name costs nothing
	alice.expect("ok")
}
