package wireroom_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine"
)

// why asks why a user did not get the message that was published so, and returns the answer.
func (p *program) why(user, room string, published map[string]any) map[string]any {
	p.t.Helper()
	query := url.Values{"user": {user}, "room": {room}}
	if pos, ok := published["pos"].(string); ok {
		query.Set("pos", pos)
	} else {
		query.Set("ts", fmt.Sprintf("%.0f", published["ts"]))
	}
	return p.get("/api/why?" + query.Encode())
}

// expectWhy waits until the answer is the one wanted: connections that end do so a moment later.
func (p *program) expectWhy(user, room string, published map[string]any, want string) map[string]any {
	p.t.Helper()
	var answer map[string]any
	eventually(p.t, fmt.Sprintf("the answer %q", want), func() bool {
		answer = p.why(user, room, published)
		return answer["reason"] == want
	}, func() string { return fmt.Sprint(answer) })
	return answer
}

// eventually waits for something, and says what there is if it does not come.
func eventually(t *testing.T, what string, is func() bool, instead func() string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s, but %s", what, instead())
		}
	}
}

func TestAProgramAsksWhyAUserDidNotGetAMessage(t *testing.T) {
	closed := wireroomRuleFor("staff/**")
	closed.Allow.Join = "nobody"
	limits := wireroom.DefaultLimits()
	limits.Rooms = 2
	p, url := stageAPI(t, wireroom.Options{Rules: []wireroom.Rule{closed, wireroomRuleFor("**")}, Access: "anyone", Limits: limits})
	publish := func(room string, more ...string) map[string]any {
		t.Helper()
		return p.post("/api/publish", fmt.Sprintf(`{"room":%q,"data":1%s}`, room, fmt.Sprint(append([]string{""}, more...)[len(more)])))
	}
	early := publish("team/a")
	bob, user := joinedAs(t, url, "Bob", "team/a")
	p.expectWhy(user, "team/a", early, "not_joined")
	got := publish("team/a")
	if answer := p.expectWhy(user, "team/a", got, "delivered"); answer["pos"] != got["pos"] || answer["stored"] != true || answer["client"] == nil {
		t.Errorf("answered %v", answer)
	}
	ephemeral := publish("team/b", `,"ephemeral":true`)
	for time.Now().UnixMilli() <= int64(ephemeral["ts"].(float64)) { // who comes in the same millisecond may have had it
		time.Sleep(time.Millisecond)
	}
	bob.send(`{"type":"join","room":"team/b","id":2}`)
	bob.expect("message")
	bob.expect("ok")
	p.expectWhy(user, "team/b", ephemeral, "ephemeral")
	bob.send(`{"type":"join","room":"staff/a","id":3}`)
	bob.expect("error")
	p.expectWhy(user, "staff/a", publish("staff/a"), "no_permission")
	bob.send(`{"type":"join","room":"team/c","id":4}`)
	bob.expect("error")
	p.expectWhy(user, "team/c", publish("team/c"), "limited")
	bob.send(`{"type":"leave","room":"team/b","id":5}`)
	bob.expect("ok")
	p.expectWhy(user, "team/b", publish("team/b"), "left")
	p.does(204, "POST", "/api/kick", fmt.Sprintf(`{"room":"team/a","user":%q}`, user))
	bob.expect("kicked")
	p.expectWhy(user, "team/a", publish("team/a"), "kicked")
	bob.send(`{"type":"join","room":"team/d","id":6}`)
	bob.expect("ok")
	if err := bob.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end", func() bool { return len(p.get("/api/life?user=" + user)["connections"].([]any)) == 0 }, func() string { return "a connection" })
	p.expectWhy(user, "team/d", publish("team/d"), "disconnected")
	p.expectWhy("nobody-at-all", "team/a", early, "not_joined")
}

func TestTheLifeOfAConnectionIsTold(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{})
	bob, user := joinedAs(t, url, "Bob", "team/a")
	published := p.post("/api/publish", `{"room":"team/a","data":1}`)
	bob.expect("message")
	bob.send(`{"type":"join","room":"no such room","id":2}`)
	bob.expect("error")
	life := p.get("/api/life?user=" + user)
	here := life["connections"].([]any)[0].(map[string]any)
	room := here["rooms"].([]any)[0].(map[string]any)
	if room["room"] != "team/a" || room["pos"] != published["pos"] || room["behind"] != false || room["waiting"] != 0.0 {
		t.Errorf("the connection is %v", here)
	}
	if turns := life["turns"].([]any); len(turns) != 0 {
		t.Errorf("what has not ended is told of as ended: %v", turns)
	}
	if err := bob.conn.Close(websocket.StatusGoingAway, "bye"); err != nil {
		t.Fatal(err)
	}
	var turns []any
	eventually(t, "two turns", func() bool {
		turns = p.get("/api/life?user=" + user)["turns"].([]any)
		return len(turns) == 2
	}, func() string { return fmt.Sprint(turns) })
	ended, left := turns[0].(map[string]any), turns[1].(map[string]any)
	if ended["kind"] != "ended" || ended["code"] != 1001.0 || left["kind"] != "left" || left["room"] != "team/a" || left["to"] != published["pos"] {
		t.Errorf("the connection's end is told of as %v", turns)
	}
}

func TestWithoutARecorderThoseWhoAreHereAreKnown(t *testing.T) {
	p, url := stageAPI(t, wireroom.Options{Recorded: -1})
	_, user := joinedAs(t, url, "Bob", "team/a")
	p.expectWhy(user, "team/a", p.post("/api/publish", `{"room":"team/a","data":1}`), "delivered")
	p.expectWhy("somebody-else", "team/a", p.post("/api/publish", `{"room":"team/a","data":1}`), "unknown")
}

func TestAMessageThatHasLeftTheLogIsAskedAboutByItsTimeToo(t *testing.T) {
	rule := wireroomRuleFor("**")
	rule.History = engine.Retention{Messages: 1}
	p, url := stageAPI(t, wireroom.Options{Rules: []wireroom.Rule{rule}, Access: "anyone"})
	_, user := joinedAs(t, url, "Bob", "team/a")
	gone := p.post("/api/publish", `{"room":"team/a","data":1}`)
	p.post("/api/publish", `{"room":"team/a","data":2}`)
	p.post("/api/publish", `{"room":"team/a","data":3}`)
	query := "/api/why?room=team/a&user=" + user + "&pos=" + gone["pos"].(string)
	if failure := p.does(400, "GET", query, ""); failure["field"] != "ts" {
		t.Errorf("answered %v", failure)
	}
	if answer := p.get(fmt.Sprintf("%s&ts=%.0f", query, gone["ts"])); answer["reason"] != "delivered" {
		t.Errorf("answered %v", answer)
	}
	kept := p.post("/api/publish", `{"room":"team/a","data":4}`)
	if answer := p.get(fmt.Sprintf("/api/why?room=team/a&user=%s&ts=%.0f", user, kept["ts"])); answer["stored"] != true || answer["pos"] != kept["pos"] {
		t.Errorf("of a message that is kept the time alone says %v", answer)
	}
	if answer := p.get(fmt.Sprintf("/api/why?room=team/a&user=%s&ts=%.0f", user, kept["ts"].(float64)+1)); answer["stored"] != false || answer["pos"] != nil {
		t.Errorf("of another time than any message's it is said that %v", answer)
	}
	for _, wrong := range []string{
		"?room=team/a&user=bob", "?room=team/a&user=bob&pos=x", "?room=team/a&user=bob&ts=yesterday", "?room=team/a&ts=1", "?user=bob&ts=1",
	} {
		p.does(400, "GET", "/api/why"+wrong, "")
	}
}
