package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

func TestPostedEnvelopesAreAnsweredInOrder(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	server.Handle("hello", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		return m.Reply(s.Client())
	})
	server.Handle("tell", func(_ context.Context, s *wireroom.Session, _ wireroom.Message) error {
		return s.Send("told", 1)
	})
	server.Handle("enter", func(ctx context.Context, s *wireroom.Session, _ wireroom.Message) error {
		_, err := s.Join(ctx, "a", wireroom.JoinOptions{})
		return err
	})
	address := web(url) + "/send?" + clientName[1:]
	a := post(t, address, ` [{"type":"publish","room":"a","data":1,"id":"x"},{"type":"publish","room":"a"},{"type":"ping","ts":7},
		{"type":"hello","id":3},{"type":"join","room":"a"},{"type":"auth","token":"x"},{"type":"leave","room":"a"},
		{"type":"state","room":"a","state":1},{"type":"pong"},{"type":"publish","room":"a","bytes":"aGk="},{"type":"enter"},
		{"type":"history","room":"a"},{"type":"presence","room":"@bob"},{"type":7}]`)
	var replies []map[string]any
	if err := json.Unmarshal([]byte(a.body), &replies); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	got := ""
	for _, r := range replies {
		got += fmt.Sprint(r["type"], " ", r["of"], " ", r["code"], ",")
	}
	want := "ok publish <nil>,error publish bad_request,pong <nil> <nil>,ok hello <nil>,error join bad_request," +
		"error auth bad_request,error leave bad_request,error state bad_request,error pong bad_request," +
		"ok publish <nil>,error enter bad_request,ok history <nil>,error presence forbidden,error <nil> bad_request,"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if replies[0]["id"] != "x" || replies[2]["ts"] != 7.0 || replies[3]["id"] != 3.0 || replies[3]["data"] != clientName[8:] || replies[1]["id"] != nil {
		t.Fatalf("got %s", a.body)
	}
	if a := post(t, address, `{"type":"ping"}`); !strings.HasPrefix(a.body, `{"type":"pong"`) || a.status != 200 {
		t.Fatalf("got %v", a)
	}
	if a := post(t, address, `{"type":"tell"}`); a.body != `[{"type":"ok","of":"tell"},{"type":"told","data":1}]` {
		t.Fatalf("got %s", a.body)
	}
	if sessions, _ := server.Counts(); sessions != 0 {
		t.Fatalf("%d sessions", sessions)
	}
}

func TestPostIsRefused(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret), Limits: wireroom.Limits{MaxMessage: 1000}})
	with := "Bearer " + sign(t, secret, "alice")
	for _, row := range []struct {
		name, query, body string
		headers           []string
		status            int
		code              string
	}{
		{"no JSON", "", "hello", []string{"Authorization", with}, 400, "bad_request"},
		{"nothing", "", "", []string{"Authorization", with}, 400, "bad_request"},
		{"an empty array", "", "[]", []string{"Authorization", with}, 400, "bad_request"},
		{"too many", "", "[" + strings.Repeat("1,", 64) + "1]", []string{"Authorization", with}, 400, "bad_request"},
		{"too long", "", `{"type":"` + strings.Repeat("x", 1000) + `"}`, []string{"Authorization", with}, 413, "too_large"},
		{"no JSON by its own word", "", `{"type":"ping"}`, []string{"Authorization", with, "Content-Type", "image/png"}, 400, "bad_request"},
		{"nobody", "", `{"type":"ping"}`, nil, 401, "unauthorized"},
		{"somebody else", "", `{"type":"ping"}`, []string{"Authorization", "Bearer x"}, 401, "unauthorized"},
		{"from elsewhere", "", `{"type":"ping"}`, []string{"Authorization", with, "Origin", "https://elsewhere.example"}, 403, "forbidden"},
		{"a bad client", "?client=x", `{"type":"ping"}`, []string{"Authorization", with}, 400, "bad_request"},
	} {
		a := post(t, web(url)+"/send"+row.query, row.body, row.headers...)
		if a.status != row.status || !strings.Contains(a.body, row.code) {
			t.Errorf("%s: %d %s, want %d %s", row.name, a.status, a.body, row.status, row.code)
		}
	}
	if a := ask(t, web(url)+"/send"); a.status != 405 || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}

func TestPostsOfOneUserShareALimit(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret), Limits: wireroom.Limits{
		PublishRate: 0.001, PublishBurst: 3, User: wireroom.UserLimits{Factor: 1},
	}})
	send := func(user, client string) string {
		return post(t, web(url)+"/send?client="+client+"&token="+sign(t, secret, user), `{"type":"publish","room":"a","data":1}`).body
	}
	for i := range 3 {
		if got := send("alice", fmt.Sprint("0123456789abcdef", i)); !strings.HasPrefix(got, `{"type":"ok"`) {
			t.Fatal(got)
		}
	}
	if got := send("alice", "one-more-0123456789"); !strings.Contains(got, `"code":"rate_limited"`) || !strings.Contains(got, "retry_after") {
		t.Fatal(got)
	}
	if got := send("bob", "0123456789abcdef0"); !strings.HasPrefix(got, `{"type":"ok"`) {
		t.Fatal(got)
	}
}

func TestOwnMessagesAreNotEchoedToTheSameClientOfTheSameUser(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	query := func(user string) string { return "client=c0123456789abcdef&token=" + sign(t, secret, user) }
	alice, bob := stream(t, web(url)+"/sse?room=a&"+query("alice")), stream(t, web(url)+"/sse?room=a&"+query("bob"))
	for _, s := range []*source{alice, bob} {
		if e := s.expect("welcome"); e.envelope["client"] != "c0123456789abcdef" {
			t.Fatalf("got %s", e.data)
		}
		s.expect("ok")
	}
	post(t, web(url)+"/send?"+query("bob"), `{"type":"publish","room":"a","data":1,"echo":false}`)
	post(t, web(url)+"/send?"+query("bob"), `{"type":"publish","room":"a","data":2}`)
	if e := alice.expect("message"); e.envelope["data"] != 1.0 {
		t.Fatalf("got %s", e.data)
	}
	e := bob.expect("message")
	from := e.envelope["from"].(map[string]any)
	if e.envelope["data"] != 2.0 || from["client"] != "c0123456789abcdef" || from["user"] != "bob" {
		t.Fatalf("got %s", e.data)
	}
}

// What sixty-four large histories would be is not built up: what is beyond the bound says so, publications go on.
func TestAnswersToOneBodyAreBounded(t *testing.T) {
	_, url := start(t, wireroom.Options{Limits: wireroom.Limits{ByteRate: -1}})
	address := web(url) + "/send"
	large := `{"type":"publish","room":"a","data":"` + strings.Repeat("x", 60<<10) + `"}`
	for range 17 { // a whole answer to a history
		if a := post(t, address, large); a.status != 200 {
			t.Fatalf("got %v", a)
		}
	}
	body := "[" + strings.Repeat(`{"type":"history","room":"a","limit":1000},`, 62) + `{"type":"presence","room":"a"},{"type":"publish","room":"b","data":1,"id":1}]`
	a := post(t, address, body)
	var replies []map[string]any
	if err := json.Unmarshal([]byte(a.body), &replies); err != nil || a.status != 200 || len(replies) != 64 {
		t.Fatalf("%d, %d replies: %v", a.status, len(replies), err)
	}
	whole := 0
	for _, r := range replies[:62] {
		if r["type"] == "ok" {
			whole++
		} else if r["code"] != "too_large" {
			t.Errorf("got %v", r)
		}
	}
	if whole < 3 || whole > 5 || len(a.body) > 5<<20 {
		t.Errorf("%d histories, %d bytes", whole, len(a.body))
	}
	if replies[63]["of"] != "publish" || replies[63]["type"] != "ok" {
		t.Errorf("the publish got %v", replies[63])
	}
}
