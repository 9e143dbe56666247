package wireroom_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

func publish(t *testing.T, s *wireroom.Server, room string, data any) *protocol.Published {
	t.Helper()
	p, err := s.Publish(t.Context(), room, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStreamGoesOnWhereItWas(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		publish(t, server, "a/b=c", "old")
		address := web(url) + "/sse?room=a/b=c&room=other&last=1"
		s := stream(t, address)
		s.expect("welcome")
		if e := s.expect("ok"); e.envelope["of"] != "join" || e.envelope["room"] != "a/b=c" || e.envelope["count"] != 1.0 {
			t.Fatalf("the first reply is %s", e.data)
		}
		if e := s.expect("ok"); e.envelope["room"] != "other" {
			t.Fatalf("the second reply is %s", e.data)
		}
		if got := s.message(); got != "old" {
			t.Fatalf("got %v", got)
		}
		one := publish(t, server, "a/b=c", 1)
		s.message()
		two := publish(t, server, "other", 2)
		s.message()
		want := fmt.Sprintf("a/b=c=%s,other=%s", one.Position, two.Position)
		if s.lastID != want {
			t.Fatalf("the id is %q, want %q", s.lastID, want)
		}
		s.close()
		publish(t, server, "other", 3)
		publish(t, server, "a/b=c", 4)
		for _, how := range [][]string{
			{address, "Last-Event-ID", s.lastID},
			{address + "&lastEventId=" + encode(s.lastID)},
			{address + "&cursor=" + encode(s.lastID)},
			{address + "&lastEventId=a%2Fb%3Dc%3D" + one.Position.String(), "Last-Event-ID", s.lastID},
		} {
			again := stream(t, how[0], how[1:]...)
			again.expect("welcome")
			for range 2 {
				if e := again.expect("ok"); e.envelope["recovered"] != true || e.envelope["count"] != 1.0 {
					t.Fatalf("the reply is %s", e.data)
				}
			}
			if got := fmt.Sprint(again.message(), again.message()); got != "3 4" && got != "4 3" {
				t.Fatalf("got %s", got)
			}
			again.close()
		}
	})
}

func encode(text string) string { return url.QueryEscape(text) }

func TestStreamSaysWhatItCannotRecover(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	here := publish(t, server, "a", 1)
	for vector, want := range map[string]string{
		"a=aaaaaaab.1.00000000":                "epoch",
		"a=nonsense":                           "epoch",
		"nonsense":                             "epoch",
		"b=" + here.Position.String() + ",":    "epoch",
		"a=" + here.Position.String() + ",b=q": "<nil>",
		"b=x,a%3D" + here.Position.String():    "<nil>",
		"a=q,a=" + here.Position.String():      "<nil>",
	} {
		s := stream(t, web(url)+"/sse?room=a", "Last-Event-ID", vector)
		s.expect("welcome")
		if e := s.expect("ok"); fmt.Sprint(e.envelope["reason"]) != want || e.id != "a="+here.Position.String() {
			t.Errorf("%q: %+v, want the reason %s", vector, e, want)
		}
		s.close()
	}
}

func TestStreamIsRefusedInWordsThatStopABrowser(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	_, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret), Anonymous: true})
	long := strings.Repeat("a", 150)
	rooms := ""
	for i := range 17 {
		rooms += fmt.Sprint("&room=", i)
	}
	for _, row := range []struct {
		query  string
		header string
		status int
		code   string
	}{
		{"", "", 400, "bad_request"},
		{"room=", "", 400, "invalid_room"},
		{"room=a%20b", "", 400, "invalid_room"},
		{"room=a%0Adata:x", "", 400, "invalid_room"},
		{"room=$a", "", 400, "invalid_room"},
		{rooms[1:], "", 400, "room_limit"},
		{"room=a", strings.Repeat("x", 4097), 400, "room_limit"},
		{"room=a&lastEventId=" + strings.Repeat("x", 4097), "", 400, "room_limit"},
		{"room=a&lastEventId=a%0A", "", 400, "bad_request"},
		{"room=a&lastEventId=%00", "", 400, "bad_request"},
		{"room=a&client=short", "", 400, "bad_request"},
		{"room=a&client=" + long, "", 400, "bad_request"},
		{"room=a&client=0123456789abcde%0A", "", 400, "bad_request"},
		{"room=a&last=-1", "", 400, "bad_request"},
		{"room=a&last=x", "", 400, "bad_request"},
		{"room=a&presence=perhaps", "", 400, "bad_request"},
		{"room=a&token=wrong", "", 401, "unauthorized"},
		{"room=@bob", "", 204, "forbidden"},
		{"room=a", "stop", 204, "forbidden"},
	} {
		headers := []string{}
		if row.header != "" {
			headers = []string{"Last-Event-ID", row.header}
		}
		a := ask(t, web(url)+"/sse?"+row.query, headers...)
		if a.status != row.status || a.header.Get("Wireroom-Error") != row.code || a.status != 204 && !strings.Contains(a.body, `"code":"`+row.code+`"`) {
			t.Errorf("%.60s: %d %s %v, want %d %s", row.query, a.status, a.body, a.header, row.status, row.code)
		}
	}
}

func TestStreamWithARoomThatIsForbidden(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	s := stream(t, web(url)+"/sse?room=@bob&room=a")
	s.expect("welcome")
	if e := s.expect("failure"); e.envelope["code"] != "forbidden" || e.envelope["room"] != "@bob" || e.envelope["of"] != "join" {
		t.Fatalf("got %s", e.data)
	}
	s.expect("ok")
	publish(t, server, "a", 1)
	if s.message(); strings.Contains(s.lastID, "@bob") {
		t.Fatalf("the id is %s", s.lastID)
	}
}

// TestStreamBeginsWithLongListsOfUsers has the replies to the joins of one stream be longer than what anybody else may
// say before it begins.
func TestStreamBeginsWithLongListsOfUsers(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		_, url := start(t, o)
		const users, rooms = 20, 8
		state := strings.Repeat("x", protocol.MaxStateLen-2)
		query := "presence=true"
		for i := range rooms {
			query += fmt.Sprint("&room=", i)
		}
		for range users {
			p := dial(t, url+"/ws", nil)
			p.expect("welcome")
			for i := range rooms {
				p.send(fmt.Sprintf(`{"type":"join","room":"%d","state":"%s","id":1}`, i, state))
				p.expect("ok")
			}
		}
		s := stream(t, web(url)+"/sse?"+query)
		s.expect("welcome")
		for range rooms {
			e := s.expect("ok")
			if list := e.envelope["members"].([]any); len(list) != users+1 || e.id == "" {
				t.Fatalf("%d users, id %q", len(list), e.id)
			}
		}
	})
}

func TestStateIsBounded(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	p := dial(t, url+"/ws", nil)
	p.expect("welcome")
	long := `"` + strings.Repeat("x", protocol.MaxStateLen-1) + `"`
	for _, text := range []string{
		`{"type":"join","room":"a","state":` + long + `,"id":1}`,
		`{"type":"join","room":"a","id":1}`,
		`{"type":"state","room":"a","state":` + long + `,"id":1}`,
		`{"type":"state","room":"a","state":` + strings.Replace(long, "x", "", 1) + `,"id":1}`,
	} {
		p.send(text)
		if !strings.Contains(text, long) {
			p.expect("ok")
		} else if e := p.expect("error"); e["code"] != "too_large" || e["field"] != "state" {
			t.Errorf("answered with %v", e)
		}
	}
}

func TestStreamOfTheOwnInbox(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	s := stream(t, web(url)+"/sse?room=@&token="+sign(t, secret, "alice"))
	s.expect("welcome")
	if e := s.expect("ok"); e.envelope["room"] != "@alice" {
		t.Fatalf("got %s", e.data)
	}
	publish(t, server, "@alice", "psst")
	s.message()
}

func TestKickedFromAStream(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	server, url := start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
	address := web(url) + "/sse?room=a&token=" + sign(t, secret, "alice")
	s := stream(t, address)
	s.expect("welcome")
	s.expect("ok")
	if err := server.Kick(t.Context(), "a", "alice", "spam", time.Minute); err != nil {
		t.Fatal(err)
	}
	if e := s.expect("kicked"); e.envelope["reason"] != "spam" {
		t.Fatalf("got %s", e.data)
	}
	if a := ask(t, address); a.status != http.StatusNoContent || a.header.Get("Wireroom-Error") != "forbidden" {
		t.Fatalf("came back to %d %v", a.status, a.header)
	}
}

// A room that cannot be joined now is asked for again, with those that can: there is no other way to it.
func TestWhoseRoomCannotBeJoinedNowComesBack(t *testing.T) {
	var busy atomic.Bool
	server, url := start(t, wireroom.Options{Hooks: wireroom.Hooks{
		OnJoin: func(_ context.Context, _ *wireroom.Session, room string) error {
			if room == "b" && busy.Load() {
				return &protocol.Error{Code: protocol.CodeOverloaded, Message: "not now", RetryAfter: 7}
			}
			return nil
		},
	}})
	busy.Store(true)
	s := stream(t, web(url)+"/sse?room=a&room=b")
	e := s.expect("failure")
	if e.retry != "7000" || e.envelope["room"] != "b" || e.envelope["code"] != "overloaded" || e.envelope["retryable"] != true {
		t.Fatalf("the stream says %+v", e)
	}
	if _, err := s.next(); err != io.EOF {
		t.Fatalf("the stream goes on: %v", err)
	}
	p := poll(t, web(url)+"/poll?room=a&room=b")
	if p.types() != "welcome ok error" || p.Messages[2]["room"] != "b" || !strings.HasPrefix(p.Cursor, "a=") || strings.Contains(p.Cursor, "b=") {
		t.Fatalf("the poll is answered with %v", p)
	}
	publish(t, server, "b", 1)
	busy.Store(false)
	p = poll(t, web(url)+"/poll?room=a&room=b&last=1&wait=0&cursor="+encode(p.Cursor))
	if p.types() != "ok ok message" || fmt.Sprint(p.data()) != "[1]" {
		t.Fatalf("the next one with %v", p)
	}
	s = stream(t, web(url)+"/sse?room=a&room=b")
	s.expect("welcome")
	s.expect("ok")
	s.expect("ok")
}
