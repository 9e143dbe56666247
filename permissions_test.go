package wireroom_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
)

// deed is something that a client may do in a room, or not, and its request; one without a name only makes way.
type deed struct{ name, kind, more string }

// deeds are all that rules speak of, in an order in which one client can do them.
func deeds() []deed {
	return []deed{
		{"join", "join", ""},
		{"publish", "publish", `,"data":1`},
		{"presence", "presence", ""},
		{"history", "history", ""},
		{"", "leave", ""},
		{"join with presence", "join", `,"presence":true`},
		{"", "leave", ""},
		{"join with last", "join", `,"last":1`},
	}
}

// transport is a way to do them: it tells what came of each, "ok" or the code of an error. What a transport does not have
// it leaves out.
type transport struct {
	name string
	does func(t *testing.T, url, token, room string) map[string]string
}

func transports() []transport {
	return []transport{{"WebSocket", byWebSocket}, {"Socket.IO", bySocketIO}, {"POST", byPost}, {"SSE", byStream}, {"polls", byPoll}}
}

// outcome says in short what a reply tells.
func outcome(reply map[string]any) string {
	if code, failed := reply["code"].(string); failed {
		return code
	}
	return "ok"
}

func byWebSocket(t *testing.T, url, token, room string) map[string]string {
	t.Helper()
	p := dial(t, url+"/ws?token="+token, nil)
	p.expect("welcome")
	all := make(map[string]string)
	for i, d := range deeds() {
		p.send(fmt.Sprintf(`{"type":%q,"room":%q%s,"id":%d}`, d.kind, room, d.more, i))
		for {
			if e := p.receive(); e["id"] == float64(i) {
				all[d.name] = outcome(e)
				break
			}
		}
	}
	_ = p.conn.CloseNow()
	return all
}

func bySocketIO(t *testing.T, url, token, room string) map[string]string {
	t.Helper()
	presented := ""
	if token != "" {
		presented = fmt.Sprintf(`{"token":%q}`, token)
	}
	e := emit(t, url+socketIO, presented)
	all := make(map[string]string)
	for i, d := range deeds() {
		e.send(fmt.Sprintf(`42%d[%q,{"room":%q%s}]`, i, d.kind, room, d.more))
		for {
			text, ok := strings.CutPrefix(e.packet(), fmt.Sprintf("43%d", i))
			var answers []map[string]any
			if ok && json.Unmarshal([]byte(text), &answers) == nil {
				all[d.name] = outcome(answers[0])
				break
			}
		}
	}
	e.cut()
	return all
}

func byPost(t *testing.T, url, token, room string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, d := range deeds()[1:4] {
		a := post(t, web(url)+"/send?token="+token, fmt.Sprintf(`{"type":%q,"room":%q%s,"id":1}`, d.kind, room, d.more))
		var reply map[string]any
		if err := json.Unmarshal([]byte(a.body), &reply); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		all[d.name] = outcome(reply)
	}
	return all
}

// queries are what a join is over HTTP.
func queries() map[string]string {
	return map[string]string{"join": "", "join with presence": "&presence=true", "join with last": "&last=1"}
}

func byStream(t *testing.T, url, token, room string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, more := range queries() {
		s := get(t, web(url)+"/sse?room="+room+"&token="+token+more)
		all[name] = "ok"
		if s.response.StatusCode != http.StatusOK {
			all[name] = s.response.Header.Get("Wireroom-Error")
		}
		s.close()
	}
	return all
}

func byPoll(t *testing.T, url, token, room string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, more := range queries() {
		for _, e := range poll(t, web(url)+"/poll?wait=0&room="+room+"&token="+token+more).Messages {
			if e["of"] == "join" {
				all[name] = outcome(e)
			}
		}
	}
	return all
}

// users are tokens of everybody that a rule can tell apart.
func users(t *testing.T, secret []byte) map[string]string {
	t.Helper()
	key := auth.SigningKey{Algorithm: "HS256", Secret: secret}
	all := map[string]string{"nobody": ""}
	for _, who := range []auth.Identity{
		{User: "alice"},
		{User: "admin", Roles: []string{"admin"}},
		{User: "guest", Grants: []auth.Grant{{Verbs: auth.Join | auth.Publish, Rooms: "team/*"}, {Verbs: auth.AllVerbs, Rooms: "open/*"}}},
	} {
		token, err := key.Sign(who, nil)
		if err != nil {
			t.Fatal(err)
		}
		all[who.User] = token
	}
	return all
}

// everythingIn are a room's rows: who may join, publish, see who is there, read what was before, and join with either.
type everythingIn map[string]string // by user

// TestEveryTransportDecidesAlike asks for everything that a rule can allow, as everybody, on every transport.
func TestEveryTransportDecidesAlike(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	keep := engine.Retention{Messages: 10, Age: time.Hour}
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Anonymous: true, Rules: []wireroom.Rule{
		{Pattern: "team/*", History: keep, Allow: wireroom.Allow{Join: "grant, role:admin", Publish: "grant", Presence: "role:admin", History: "nobody"}},
		{Pattern: "news/**", History: keep, Allow: wireroom.Allow{Join: "anyone", Publish: "role:admin", Presence: "nobody", History: "signed-in"}},
		{Pattern: "club", History: keep, Allow: wireroom.Allow{Join: "signed-in", Publish: "members", Presence: "members", History: "members"}},
		// The first rule that matches holds: these open nothing.
		{Pattern: "team/**", Allow: wireroom.Allow{Join: "anyone", Publish: "anyone", Presence: "anyone", History: "anyone"}},
		{Pattern: "news/*", Allow: wireroom.Allow{Join: "anyone", Publish: "anyone", Presence: "anyone", History: "anyone"}},
	}})
	tokens := users(t, secret)
	for room, rows := range map[string]everythingIn{
		"team/a": {"nobody": "- - - - - -", "alice": "- - - - - -", "guest": "y y - - - -", "admin": "y - y - y -"},
		"news/a": {"nobody": "y - - - - -", "alice": "y - - y - y", "guest": "y - - y - y", "admin": "y y - y - y"},
		"club":   {"nobody": "- - - - - -", "alice": "y y y y y y"},
		"open/a": {"nobody": "- - - - - -", "alice": "- - - - - -", "guest": "y y y y y y", "admin": "- - - - - -"},
		// No rule speaks of these: what is not allowed is forbidden, but for writing to an inbox.
		"other":  {"nobody": "- - - - - -", "alice": "- - - - - -", "guest": "- - - - - -", "admin": "- - - - - -"},
		"@alice": {"nobody": "- y - - - -", "alice": "y y y y y y", "guest": "- y - - - -", "admin": "- y - - - -"},
	} {
		for user, want := range rows {
			for _, by := range transports() {
				if room == "club" && by.name == "POST" {
					continue // who is no member by a connection is told so below
				}
				decided(t, by, url, tokens[user], room, fmt.Sprintf("%s in %s", user, room), want)
			}
		}
	}
	// Not alice: her connections to the club may not have ended yet.
	if got := byPost(t, url, tokens["admin"], "club"); got["publish"] != "forbidden" || got["presence"] != "forbidden" || got["history"] != "forbidden" {
		t.Errorf("who is in no room may %v by POST where members may", got)
	}
}

// decided fails unless a transport lets a user do what is wanted, and forbids the rest.
func decided(t *testing.T, by transport, url, token, room, who, want string) {
	t.Helper()
	words := strings.Fields(want)
	got := by.does(t, url, token, room)
	if len(got) < 3 {
		t.Errorf("%s by %s: only %v was told", who, by.name, got)
	}
	i := 0
	for _, d := range deeds() {
		if d.name == "" {
			continue
		}
		said, asked := got[d.name]
		if expected := map[string]string{"y": "ok", "-": "forbidden"}[words[i]]; asked && said != expected {
			t.Errorf("%s by %s: %s is %s, want %s", who, by.name, d.name, said, expected)
		}
		i++
	}
}

// Nothing configured is open; as soon as there is a key, everything is closed that nobody opened.
func TestWhatNobodyOpenedIsClosedOnceThereIsAKey(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, open := start(t, wireroom.Options{})
	_, closed := start(t, wireroom.Options{Auth: auth.HMAC(secret)})
	_, ruled := start(t, wireroom.Options{Rules: []wireroom.Rule{{Pattern: "news/*", Allow: wireroom.Allow{Join: "anyone"}}}})
	for _, by := range transports() {
		decided(t, by, open, "", "lobby", "anybody where nothing is configured", "y y y y y y")
		decided(t, by, open, "", "@alice", "anybody, in an inbox, where nothing is configured", "- y - - - -")
		decided(t, by, closed, users(t, secret)["alice"], "lobby", "a user where there is a key", "- - - - - -")
		decided(t, by, ruled, "", "lobby", "anybody where there is a rule", "- - - - - -")
		decided(t, by, ruled, "", "news/a", "anybody where a rule opens one thing", "y - - - - -")
	}
}

// TestEveryTransportLooksIntoWhatIsPublished publishes what a rule does not take, and in somebody else's name.
func TestEveryTransportLooksIntoWhatIsPublished(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "signed-in", Rules: []wireroom.Rule{{
		Pattern: "chat", History: engine.Retention{Messages: 10, Age: time.Hour}, Content: wireroom.Content{MaxCharacters: 5},
	}}})
	token := users(t, secret)["alice"]
	const body = `"room":"chat","data":{"text":%q},"from":{"user":"admin","client":"c","name":"Admin"},"user":"admin","ts":1,"pos":"a.1.b"`
	for name, publish := range map[string]func(text string) map[string]any{
		"WebSocket": func(text string) map[string]any {
			p := dial(t, url+"/ws?token="+token, nil)
			p.expect("welcome")
			p.send(fmt.Sprintf(`{"type":"publish","id":1,`+body+`}`, text))
			return p.receive()
		},
		"Socket.IO": func(text string) map[string]any {
			e := emit(t, url+socketIO, fmt.Sprintf(`{"token":%q}`, token))
			e.envelope("welcome")
			e.send(fmt.Sprintf(`421["publish",{`+body+`}]`, text))
			return e.ack(1)
		},
		"POST": func(text string) map[string]any {
			var reply map[string]any
			if err := json.Unmarshal([]byte(post(t, web(url)+"/send?token="+token, fmt.Sprintf(`{"type":"publish","id":1,`+body+`}`, text)).body), &reply); err != nil {
				t.Fatal(err)
			}
			return reply
		},
	} {
		if got := publish("longer"); got["code"] != "invalid_data" || got["field"] != "data/text" || got["retryable"] != false {
			t.Errorf("%s: %v, want invalid_data in data/text", name, got)
		}
		if got := publish("short"); outcome(got) != "ok" {
			t.Errorf("%s: %v", name, got)
		}
	}
	page, err := server.History(t.Context(), "chat", engine.Query{Last: 10, Limit: 10})
	if err != nil || len(page.Messages) != 3 {
		t.Fatalf("%d messages are stored, %v; want the short one of each transport", len(page.Messages), err)
	}
	for _, m := range page.Messages {
		if m.From.User != "alice" || m.From.Name == "Admin" || m.Time < 1e12 {
			t.Errorf("stored as of %+v at %d", m.From, m.Time)
		}
	}
}
