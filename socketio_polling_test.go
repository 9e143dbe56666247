package wireroom_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
)

// openPolling opens a connection over polling and returns the URL of its requests.
func openPolling(t *testing.T, url string, headers ...string) string {
	t.Helper()
	a := ask(t, url+"?EIO=4&transport=polling", headers...)
	var hand struct{ Sid string }
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body[1:]), &hand) != nil {
		t.Fatalf("%+v", a)
	}
	return url + "?EIO=4&transport=polling&sid=" + hand.Sid
}

func TestSocketIOPollsShareTheRooms(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	id := openPolling(t, web(url)+socketIO)
	if a := post(t, id, `40`); a.body != "ok" {
		t.Fatalf("%+v", a)
	}
	if a := ask(t, id); !strings.HasPrefix(a.body, `40{"sid":"`) || !strings.Contains(a.body, "\x1e"+`42["welcome",`) {
		t.Fatalf("%+v", a)
	}
	post(t, id, `421["join",{"room":"a"}]`+"\x1e"+`422["publish",{"room":"a","data":1}]`)
	a := ask(t, id)
	for _, part := range []string{`42["position","`, `431[{"ok":true,"room":"a"`, `432[{"ok":true,"room":"a"`} {
		if !strings.Contains(a.body, part) {
			t.Errorf("%q is not in %q", part, a.body)
		}
	}
	heard := a.body
	for i := 2; i <= 50; i++ { // between the polls, and while one waits
		go func() {
			if _, err := server.Publish(t.Context(), "a", i); err != nil {
				t.Error(err)
			}
		}()
	}
	for strings.Count(heard, `42["message"`) < 50 {
		heard += ask(t, id).body
	}
	post(t, id, `451-["publish",{"room":"a","bytes":{"_placeholder":true,"num":0}}]`+"\x1ebAAE=")
	if a := ask(t, id); !strings.HasPrefix(a.body, `451-["message",`) || !strings.HasSuffix(a.body, "\x1ebAAE=") {
		t.Errorf("%+v", a)
	}
}

func TestSocketIOPollsAreOfWhomeverBeganThem(t *testing.T) {
	secret := []byte("a secret of at least 16 bytes")
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "anyone"})
	ann, bob := "Bearer "+sign(t, secret, "ann"), "Bearer "+sign(t, secret, "bob")
	id := openPolling(t, web(url)+socketIO, "Authorization", ann)
	if a := post(t, id, "40", "Authorization", bob); a.status != http.StatusBadRequest {
		t.Errorf("somebody else: %+v", a)
	}
	if a := post(t, id, "40", "Authorization", ann); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if a := ask(t, id); !strings.Contains(a.body, `"user":"ann"`) {
		t.Errorf("%+v", a)
	}
	if a := ask(t, web(url)+socketIO+"?EIO=4&transport=polling", "Authorization", "Bearer nonsense"); a.status != http.StatusUnauthorized {
		t.Errorf("a bad token: %+v", a)
	}
	if a := ask(t, id, "Origin", "https://elsewhere.example"); a.status != http.StatusForbidden {
		t.Errorf("a foreign origin: %+v", a)
	}
}

func TestSocketIOAttacksAreBoundedAndLeaveNothing(t *testing.T) {
	server, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{PingInterval: 200 * time.Millisecond, PingTimeout: 200 * time.Millisecond}})
	other := dial(t, url+"/ws", nil)
	other.expect("welcome")
	other.send(`{"type":"join","room":"a","id":1}`)
	other.expect("ok")
	for range 300 { // opened and left
		id := openPolling(t, web(url)+socketIO)
		post(t, id, "40\x1e"+`42["join",{"room":"a"}]`)
	}
	for _, body := range []string{
		strings.Repeat("\x1e", 999_999), strings.Repeat("40/n,\x1e", 9_000) + "40", strings.Repeat("451-[\"x\",{\"_placeholder\":true,\"num\":0}]\x1e", 1000) + "2",
		"4510-[" + strings.Repeat(`{"_placeholder":true,"num":0},`, 10_000) + "1]", "42" + strings.Repeat("[", 900_000), "42[\"x\"," + strings.Repeat("1,", 400_000) + "1]",
	} {
		id := openPolling(t, web(url)+socketIO)
		post(t, id, "40")
		post(t, id, body)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if sessions, _ := server.Counts(); sessions == 1 {
			break
		}
		if time.Now().After(end) {
			sessions, _ := server.Counts()
			t.Fatalf("%d sessions are left", sessions)
		}
	}
	utter(t, server, "a", "alive")
	if m := other.expect("message"); m["data"] != "alive" {
		t.Errorf("heard %v", m)
	}
}
