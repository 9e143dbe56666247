package wireroom_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/wireroomtest"
)

// aging is a client in virtual time whose token gets old: how what it says and hears is written depends on the transport.
type aging struct {
	conn  *websocket.Conn
	auths func(token string) string            // a request with the id 1
	hears func(t *testing.T, frame string) any // the envelope in a frame, "" for what is none
}

// waits reads until an envelope of a type comes, or the connection ends, and returns the envelope or how it ended.
func (a *aging) waits(t *testing.T, kind string) (envelope map[string]any, end error) {
	t.Helper()
	for {
		_, frame, err := a.conn.Read(t.Context())
		switch {
		case err != nil:
			return nil, err
		case string(frame) == "2": // a ping of Engine.IO
			if err := a.conn.Write(t.Context(), websocket.MessageText, []byte("3")); err != nil {
				return nil, err
			}
		default:
			if e, ok := a.hears(t, string(frame)).(map[string]any); ok && e["type"] == kind {
				return e, nil
			}
		}
	}
}

// native and inSocketIO read a frame.
func native(t *testing.T, frame string) any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(frame), &e); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return e
}

func inSocketIO(t *testing.T, frame string) any {
	t.Helper()
	kind, text := frame[:min(len(frame), 2)], strings.TrimLeft(frame[min(len(frame), 2):], "0123456789")
	var args []any
	if kind != "42" && kind != "43" || json.Unmarshal([]byte(text), &args) != nil {
		return ""
	}
	if kind == "43" {
		e := args[0].(map[string]any)
		e["type"] = "ok"
		if e["ok"] != true {
			e["type"] = "error"
		}
		return e
	}
	e, _ := args[1].(map[string]any)
	if e != nil {
		e["type"] = args[0]
	}
	return e
}

// TestATokenIsRenewedOnTheLiveConnectionOrEndsIt has a token of two minutes: a minute before its end the client is asked
// for another one, and goes on; the second time it has none.
func TestATokenIsRenewedOnTheLiveConnectionOrEndsIt(t *testing.T) {
	secret := []byte("a secret of sixteen bytes")
	for name, dials := range map[string]func(t *testing.T, client *http.Client, token string) *aging{
		"WebSocket": func(t *testing.T, client *http.Client, token string) *aging {
			conn, _, err := websocket.Dial(t.Context(), wireroomtest.URL+"?token="+token, &websocket.DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatal(err)
			}
			return &aging{conn, func(token string) string { return `{"type":"auth","token":"` + token + `","id":1}` }, native}
		},
		"Socket.IO": func(t *testing.T, client *http.Client, token string) *aging {
			at := "ws" + strings.TrimPrefix(inMemory, "http") + socketIO + "?EIO=4&transport=websocket"
			conn, _, err := websocket.Dial(t.Context(), at, &websocket.DialOptions{HTTPClient: client})
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(`40{"token":"`+token+`"}`)); err != nil {
				t.Fatal(err)
			}
			return &aging{conn, func(token string) string { return `421["auth",{"token":"` + token + `"}]` }, inSocketIO}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := wireroomtest.Start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
				client := &http.Client{Transport: &http.Transport{DialContext: s.DialContext}}
				began := time.Now()
				after := func(d time.Duration) string { return signUntil(t, secret, "alice", began.Add(d)) }
				a := dials(t, client, after(2*time.Minute))
				defer func() { _ = a.conn.CloseNow() }()
				if _, err := a.waits(t, "welcome"); err != nil {
					t.Fatal(err)
				}
				for round, fresh := range []string{after(10 * time.Minute), ""} {
					left := time.Duration(round)*10*time.Minute + time.Duration(1-round)*2*time.Minute
					e, err := a.waits(t, "token_expiring")
					if at := time.Since(began); err != nil || e["expires_in"].(float64) > 60 || at < left-time.Minute || at > left-50*time.Second {
						t.Fatalf("told %v, %v after %v, want that the token expires in a minute", e, err, at)
					}
					if fresh == "" {
						break
					}
					if err := a.conn.Write(t.Context(), websocket.MessageText, []byte(a.auths(fresh))); err != nil {
						t.Fatal(err)
					}
					if e, err := a.waits(t, "ok"); err != nil || e["user"] != "alice" {
						t.Fatalf("a fresh token: %v, %v", e, err)
					}
				}
				_, err := a.waits(t, "nothing")
				at := time.Since(began) - 10*time.Minute
				if websocket.CloseStatus(err) != 4501 || at < auth.Leeway || at > auth.Leeway+10*time.Second {
					t.Errorf("ended with %v, %v after the token, want 4501 once the leeway is over", err, at)
				}
			})
		})
	}
}
