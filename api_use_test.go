package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/internal/api"
)

// program uses the API of a server with a key.
type program struct {
	*contract
	h   http.Handler
	key string
}

// stageAPI starts a server and returns it, a program that may do everything, and the URL for clients.
func stageAPI(t *testing.T, o wireroom.Options) (*program, string) {
	t.Helper()
	o.APIKeys = apiKeys()
	server, url := start(t, o)
	return &program{newContract(t), server.Admin(), allKey}, url
}

// does sends a request and returns what is answered; the status must be want.
func (p *program) does(want int, method, target, body string) map[string]any {
	p.t.Helper()
	w := p.answer(p.h, apiAsk{method: method, target: target, key: p.key, body: body})
	if w.Code != want {
		p.t.Fatalf("%s %s %s: %d %s, want %d", method, target, body, w.Code, w.Body, want)
	}
	var answer map[string]any
	if w.Code != http.StatusNoContent {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			p.t.Fatal(err)
		}
	}
	return answer
}

func (p *program) get(target string) map[string]any {
	p.t.Helper()
	return p.does(200, "GET", target, "")
}

func (p *program) post(target, body string) map[string]any {
	p.t.Helper()
	return p.does(200, "POST", target, body)
}

// joined returns a client that is in a room, and its user.
func joinedAs(t *testing.T, url, name, room string) (*peer, string) {
	t.Helper()
	c := dial(t, url+"/ws?name="+name, nil)
	user := c.expect("welcome")["user"].(string)
	c.send(`{"type":"join","room":"` + room + `","id":1}`)
	c.expect("ok")
	return c, user
}

func TestAProgramPublishes(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	bob, _ := joinedAs(t, url, "Bob", "team/a")
	published := p.post("/api/publish", `{"room":"team/a","data":{"n":0},"event":"tick","from":{"user":"clock","name":"Clock"}}`)
	m := bob.expect("message")
	if m["pos"] != published["pos"] || m["event"] != "tick" || fmt.Sprint(m["from"]) != "map[name:Clock user:clock]" || fmt.Sprint(m["data"]) != "map[n:0]" {
		t.Errorf("a member gets %v, published %v", m, published)
	}
	p.post("/api/publish", `{"room":"team/a","bytes":"AP8="}`)
	if _, frame, err := bob.conn.Read(t.Context()); err != nil || string(frame[len(frame)-2:]) != "\x00\xff" {
		t.Errorf("bytes: %q %v", frame, err)
	}
	if got := p.post("/api/publish", `{"room":"team/a","data":null,"ephemeral":true}`); got["pos"] != nil {
		t.Errorf("an ephemeral message has a position: %v", got)
	}
	if m := bob.expect("message"); m["data"] != nil || m["pos"] != nil {
		t.Errorf("null: %v", m)
	}
}

func TestAProgramPublishesInManyRoomsAtOnce(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	one, _ := joinedAs(t, url, "One", "team/1")
	two, _ := joinedAs(t, url, "Two", "team/2")
	answer := p.post("/api/publish", `{"rooms":["team/2","team/1","team/2"],"data":"all"}`)
	results := answer["results"].([]any)
	if len(results) != 2 || answer["failed"] != 0.0 {
		t.Fatalf("answered %v", answer)
	}
	for i, c := range []*peer{one, two} {
		if m := c.expect("message"); m["pos"] != results[i].(map[string]any)["pos"] || m["data"] != "all" {
			t.Errorf("%d gets %v of %v", i, m, results)
		}
	}
}

func TestAProgramsMessageIsStoredOnceForItsKey(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	bob, _ := joinedAs(t, url, "Bob", "team/a")
	body := `{"room":"team/a","data":1,"key":"order-7"}`
	first, second := p.post("/api/publish", body), p.post("/api/publish", body)
	if first["pos"] != second["pos"] || second["duplicate"] != true {
		t.Errorf("published %v, then %v", first, second)
	}
	w := p.answer(p.h, apiAsk{method: "POST", target: "/api/publish", key: allKey, body: `{"room":"team/a","data":1}`, header: "Idempotency-Key: order-7"})
	if !strings.Contains(w.Body.String(), `"duplicate":true`) {
		t.Errorf("by the header: %s", w.Body)
	}
	w = p.answer(p.h, apiAsk{method: "POST", target: "/api/publish", key: allKey, body: body, header: "Idempotency-Key: order-8"})
	if w.Code != http.StatusBadRequest {
		t.Errorf("two keys: %d", w.Code)
	}
	p.key = teamKey
	if other := p.post("/api/publish", body); other["duplicate"] == true || other["pos"] == first["pos"] {
		t.Errorf("the key of another program's message counts: %v", other)
	}
	bob.expect("message")
	if m := bob.expect("message"); m["key"] != "order-7" {
		t.Errorf("received %v", m)
	}
}

func TestWhatClientsWouldNotTakeIsNotPublished(t *testing.T) {
	p, _ := stageAPI(t, wireroom.Options{Limits: wireroom.Limits{MaxMessage: 1000}})
	for body, status := range map[string]int{
		`{"room":"a","data":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`: 400,
		`{"room":"a","data":"` + "\xff" + `"}`:                                          400,
		`{"room":"a","data":"` + strings.Repeat("x", 1000) + `"}`:                       413,
		`{"room":"a","bytes":"not base64"}`:                                             400,
		`{"room":"a","data":1,"bytes":"AP8="}`:                                          400,
		`{"room":"a","rooms":["a"],"data":1}`:                                           400,
		`{"rooms":[],"data":1}`:                                                         400,
		`{"rooms":["a","no such"],"data":1}`:                                            400,
		`{"room":"a","data":1,"event":"` + strings.Repeat("e", 65) + `"}`:               400,
		`{"room":"$secret","data":1}`:                                                   400,
	} {
		p.does(status, "POST", "/api/publish", body)
	}
	if rooms := p.get("/api/history?room=a"); len(rooms["messages"].([]any)) != 0 {
		t.Errorf("stored: %v", rooms)
	}
}

func TestHistoryInPages(t *testing.T) {
	p, _ := stageAPI(t, wireroom.Options{})
	for n := range 7 {
		p.post("/api/publish", fmt.Sprintf(`{"room":"team/a","data":%d}`, n))
	}
	read := func(target string) (numbers []float64, next string) {
		answer := p.get(target)
		for _, m := range answer["messages"].([]any) {
			numbers = append(numbers, m.(map[string]any)["data"].(float64))
		}
		next, _ = answer["next"].(string)
		return numbers, next
	}
	var all []float64
	target := "/api/history?room=team/a&limit=3"
	for next := "-"; next != ""; target = "/api/history?room=team/a&limit=3&before=" + next {
		var page []float64
		page, next = read(target)
		all = append(page, all...)
	}
	if want := []float64{0, 1, 2, 3, 4, 5, 6}; !slices.Equal(all, want) {
		t.Errorf("backwards: %v", all)
	}
	first := p.get("/api/history?room=team/a&limit=500")["messages"].([]any)[0].(map[string]any)["pos"].(string)
	all = nil
	for next := first; next != ""; {
		var page []float64
		page, next = read("/api/history?room=team/a&limit=4&since=" + next)
		all = append(all, page...)
	}
	if want := []float64{1, 2, 3, 4, 5, 6}; !slices.Equal(all, want) {
		t.Errorf("forwards: %v", all)
	}
	if got := p.get("/api/history?room=other&since=" + first); got["reason"] != "epoch" || got["recovered"] != false {
		t.Errorf("of another log: %v", got)
	}
	p.does(400, "GET", "/api/history?room=team/a&since=nonsense", "")
	p.does(400, "GET", "/api/history?room=team/a&since="+first+"&before="+first, "")
}

func TestRoomsMembersAndConnectionsAreSeen(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{Node: "n1"})
	_, ann := joinedAs(t, url, "Ann", "team/a")
	joinedAs(t, url, "Ben", "team/a")
	joinedAs(t, url, "Cid", "team/b")
	p.post("/api/publish", `{"room":"team/a","data":1}`)
	page := p.get("/api/rooms?limit=1")
	room := page["rooms"].([]any)[0].(map[string]any)
	if page["node"] != "n1" || page["next"] != "team/a" || room["members"] != 2.0 || room["users"] != 2.0 || room["head"] == nil {
		t.Errorf("the first room: %v", page)
	}
	page = p.get("/api/rooms?limit=1&cursor=team/a&prefix=team/")
	if rooms := page["rooms"].([]any); len(rooms) != 1 || rooms[0].(map[string]any)["room"] != "team/b" || page["next"] != nil {
		t.Errorf("the second room: %v", page)
	}
	members := p.get("/api/presence?room=team/a&limit=1")
	more := p.get("/api/presence?room=team/a&limit=1&cursor=" + members["next"].(string))
	if members["count"] != 2.0 || len(more["members"].([]any)) != 1 || more["next"] != nil {
		t.Errorf("members: %v, %v", members, more)
	}
	seen := p.get("/api/connections?user=" + ann)["connections"].([]any)
	if len(seen) != 1 {
		t.Fatalf("connections of a user: %v", seen)
	}
	one := seen[0].(map[string]any)
	place := one["rooms"].([]any)[0].(map[string]any)
	if one["name"] != "Ann" || one["transport"] != "websocket" || one["network"] != "local" || one["anonymous"] != true || place["room"] != "team/a" || place["behind"] != false {
		t.Errorf("a connection: %v", one)
	}
	var clients []string
	cursor := ""
	for range 3 {
		page := p.get("/api/connections?limit=1&cursor=" + cursor)
		for _, c := range page["connections"].([]any) {
			clients = append(clients, c.(map[string]any)["client"].(string))
		}
		cursor, _ = page["next"].(string)
	}
	if cursor != "" || len(clients) != 3 || !slices.IsSorted(clients) || len(slices.Compact(clients)) != 3 {
		t.Errorf("in pages: %v and %q", clients, cursor)
	}
	if got := p.get("/api/connections?room=team/b")["connections"].([]any); len(got) != 1 {
		t.Errorf("in a room: %v", got)
	}
	node := p.get("/api/node")
	if node["sessions"] != 3.0 || node["rooms"] != 2.0 || node["ready"] != true || node["key"] != "all" || node["durability"] != "memory" {
		t.Errorf("the node: %v", node)
	}
	if nodes := p.get("/api/nodes")["nodes"].([]any); len(nodes) != 1 || nodes[0].(map[string]any)["sessions"] != 3.0 {
		t.Errorf("the nodes: %v", nodes)
	}
}

func TestStreamsAndPollsAreSeen(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	web := "http" + strings.TrimPrefix(url, "ws")
	stream, err := http.Get(web + "/sse?room=team/a&name=Sue")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	token := dial(t, url+"/ws?name=Pat", nil).expect("welcome")["token"].(string) // without one it could not come back
	poll, err := http.Get(web + "/poll?room=team/a&wait=0&token=" + token)
	if err != nil {
		t.Fatal(err)
	}
	poll.Body.Close()
	var seen []string
	for _, c := range p.get("/api/connections?room=team/a")["connections"].([]any) {
		seen = append(seen, fmt.Sprint(c.(map[string]any)["name"], " ", c.(map[string]any)["transport"]))
	}
	if slices.Sort(seen); !slices.Equal(seen, []string{"Pat poll", "Sue sse"}) {
		t.Errorf("seen: %v", seen)
	}
}

func TestAUserIsPutOutAndKeptOut(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	c, user := joinedAs(t, url, "Mal", "team/a")
	p.does(204, "POST", "/api/kick", `{"room":"team/a","user":"`+user+`","reason":"spam","for":30}`)
	if kicked := c.expect("kicked"); kicked["reason"] != "spam" || kicked["for"] != 30.0 {
		t.Errorf("kicked: %v", kicked)
	}
	c.send(`{"type":"join","room":"team/a","id":2}`)
	if got := c.expect("error"); got["code"] != "forbidden" {
		t.Errorf("joins again: %v", got)
	}
	p.does(204, "POST", "/api/block", `{"user":"`+user+`"}`)
	c.closes(t, 4403)
	p.does(204, "POST", "/api/unblock", `{"user":"`+user+`"}`)
	c, user = joinedAs(t, url, "Mal", "team/a")
	p.does(204, "POST", "/api/revoke", `{"user":"`+user+`"}`)
	c.closes(t, 4401)
	for _, body := range []string{`{}`, `{"user":"a","token":"b"}`, `{"token":"b","before":1}`} {
		p.does(400, "POST", "/api/revoke", body)
	}
	p.does(204, "POST", "/api/revoke", `{"token":"jti-1","until":4102444800000}`)
}

// closes waits until the connection is closed with a code.
func (p *peer) closes(t *testing.T, code closeCode) {
	t.Helper()
	for {
		if _, _, err := p.conn.Read(t.Context()); err != nil {
			if got := closeCode(websocket.CloseStatus(err)); got != code {
				t.Errorf("closed with %d (%v), want %d", got, err, code)
			}
			return
		}
	}
}

func TestAKeyIsForItsRoomsOnly(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	joinedAs(t, url, "Ann", "team/a")
	joinedAs(t, url, "Ben", "other")
	p.key = teamKey
	p.post("/api/publish", `{"room":"team/a","data":1}`)
	for _, target := range []string{"/api/history?room=other", "/api/presence?room=other"} {
		p.does(403, "GET", target, "")
	}
	p.does(403, "POST", "/api/publish", `{"room":"other","data":1}`)
	p.does(403, "POST", "/api/publish", `{"rooms":["team/a","other"],"data":1}`)
	p.does(403, "POST", "/api/kick", `{"room":"other","user":"u"}`)
	if rooms := p.get("/api/rooms")["rooms"].([]any); len(rooms) != 1 {
		t.Errorf("rooms that the key is not for: %v", rooms)
	}
	p.does(403, "GET", "/api/connections", "")
}

func TestKeysThatAreWrongAreRefused(t *testing.T) {
	good := wireroom.APIKey{Name: "a", Secret: allKey, Scopes: []wireroom.Scope{"publish"}}
	for name, change := range map[string]func(k *wireroom.APIKey){
		"no name":     func(k *wireroom.APIKey) { k.Name = "" },
		"short":       func(k *wireroom.APIKey) { k.Secret = "short" },
		"no scope":    func(k *wireroom.APIKey) { k.Scopes = nil },
		"odd scope":   func(k *wireroom.APIKey) { k.Scopes = []wireroom.Scope{"everything"} },
		"odd rooms":   func(k *wireroom.APIKey) { k.Rooms = []string{"***"} },
		"not by room": func(k *wireroom.APIKey) { k.Scopes, k.Rooms = []wireroom.Scope{"block"}, []string{"a"} },
	} {
		bad := good
		change(&bad)
		if server, err := wireroom.New(t.Context(), wireroom.Options{APIKeys: []wireroom.APIKey{bad}}); err == nil {
			t.Errorf("%s: taken", name)
			server.Close()
		}
	}
	if _, err := wireroom.New(t.Context(), wireroom.Options{APIKeys: []wireroom.APIKey{good, good}}); err == nil {
		t.Error("twice: taken")
	}
}

func TestKeysAreReplacedByAReload(t *testing.T) {
	server, _ := start(t, wireroom.Options{APIKeys: apiKeys()})
	p := &program{newContract(t), server.Admin(), allKey}
	p.get("/api/node")
	next := wireroom.APIKey{Name: "next", Secret: wrongKey, Scopes: api.Scopes()}
	if err := server.Reload(wireroom.Changes{APIKeys: []wireroom.APIKey{next}}); err != nil {
		t.Fatal(err)
	}
	p.does(401, "GET", "/api/node", "")
	p.key = wrongKey
	p.get("/api/node")
	next.Secret = "short"
	if err := server.Reload(wireroom.Changes{APIKeys: []wireroom.APIKey{next}}); err == nil {
		t.Error("a short key is taken")
	}
	p.get("/api/node")
}

func TestClientsOfSocketIOAreSeen(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	emit(t, url+socketIO, "")
	seen := p.get("/api/connections")["connections"].([]any)
	if len(seen) != 1 || seen[0].(map[string]any)["transport"] != "socket.io" {
		t.Errorf("seen: %v", seen)
	}
}

// metric returns what a server's metric of a name, and of a label's value where it has one, stands at.
func metric(t *testing.T, server *wireroom.Server, name, label string) int64 {
	t.Helper()
	for d, v := range server.Metrics().All() {
		if d.Name == name && d.Value == label {
			return v
		}
	}
	t.Errorf("there is no %s of %q", name, label)
	return 0
}

func TestCountsWhatHappens(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	value := func(name, label string) int64 { return metric(t, server, name, label) }
	alice, _ := joinedAs(t, url, "Alice", "general")
	bob, _ := joinedAs(t, url, "Bob", "general")
	bob.send(`{"type":"publish","room":"general","data":"12345","key":"k","id":2}`)
	position := alice.expect("message")["pos"].(string)
	bob.send(`{"type":"publish","room":"general","data":"12345","key":"k","id":3}`)
	bob.send(`{"type":"publish","room":"general","data":1,"ephemeral":true,"id":4}`)
	alice.expect("message")
	bob.send(`{"type":"leave","room":"general","id":5}`)
	bob.send(`{"type":"join","room":"general","since":"` + position + `","id":6}`)
	bob.send(`{"type":"history","room":"general","id":7}`)
	for id := 0.0; id != 7; id, _ = bob.receive()["id"].(float64) {
	}
	for _, want := range []struct {
		name, label string
		n           int64
	}{
		{"wireroom_sessions", "", 2},
		{"wireroom_users", "", 2},
		{"wireroom_rooms", "", 1},
		{"wireroom_ready", "", 1},
		{"wireroom_engine_up", "", 1},
		{"wireroom_sessions_opened_total", "", 2},
		{"wireroom_requests_total", "join", 3},
		{"wireroom_requests_total", "leave", 1},
		{"wireroom_requests_total", "publish", 3},
		{"wireroom_requests_total", "read", 1},
		{"wireroom_joins_total", "fresh", 2},
		{"wireroom_joins_total", "recovered", 1},
		{"wireroom_publishes_total", "stored", 1},
		{"wireroom_publishes_total", "duplicate", 1},
		{"wireroom_publishes_total", "ephemeral", 1},
		{"wireroom_publishes_total", "failed", 0},
	} {
		if got := value(want.name, want.label); got != want.n {
			t.Errorf("%s %s is %d, want %d", want.name, want.label, got, want.n)
		}
	}
	if n := value("wireroom_deliveries_total", ""); n < 4 {
		t.Errorf("%d deliveries", n)
	}
	for d, of := range server.Metrics().Histograms() {
		if d.Name == "wireroom_message_bytes" && (of.Count != 2 || of.Sum != 8) {
			t.Errorf("%d messages of %v bytes", of.Count, of.Sum)
		}
	}
	_ = alice.conn.Close(1000, "")
	for value("wireroom_sessions", "") != 1 {
		runtime.Gosched()
	}
	for value("wireroom_sessions_closed_total", "client") != 1 {
		runtime.Gosched()
	}
}

func TestAUserWhoIsCalledLikeAKeyDoesNotStandInItsWay(t *testing.T) {
	user := func(_ context.Context, _ *http.Request, _ *auth.Identity) (*auth.Identity, error) {
		return &auth.Identity{User: "key:all"}, nil
	}
	p, url := stageAPI(t, wireroom.Options{Hooks: wireroom.Hooks{OnConnect: user}})
	mallory := dial(t, url+"/ws", nil)
	mallory.expect("welcome")
	mallory.send(`{"type":"publish","room":"team/a","data":"mallory's","key":"order-7","id":1}`)
	mallory.expect("ok")
	if got := p.post("/api/publish", `{"room":"team/a","data":"real","key":"order-7"}`); got["duplicate"] == true {
		t.Errorf("the message is taken for that of a user: %v", got)
	}
}

func TestPagesOfRoomsHaveThoseThatTheKeyIsFor(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	for _, room := range []string{"a/1", "a/2", "team/1", "team/2", "team/3", "z/1"} {
		joinedAs(t, url, "Ann", room)
	}
	p.key = teamKey
	var names []string
	cursor, pages := "", 0
	for ; pages == 0 || cursor != ""; pages++ {
		page := p.get("/api/rooms?limit=2&cursor=" + cursor)
		for _, room := range page["rooms"].([]any) {
			names = append(names, room.(map[string]any)["room"].(string))
		}
		cursor, _ = page["next"].(string)
	}
	if fmt.Sprint(names) != "[team/1 team/2 team/3]" || pages != 2 {
		t.Errorf("%d pages with %v", pages, names)
	}
}

func TestATinyTimeIsNotForGood(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{Hooks: wireroom.Hooks{
		OnConnect: func(context.Context, *http.Request, *auth.Identity) (*auth.Identity, error) {
			return &auth.Identity{User: "bob"}, nil
		},
	}})
	p.does(204, "POST", "/api/block", `{"user":"bob","for":0.0000000001}`)
	dial(t, url+"/ws", nil).expect("welcome")
}
