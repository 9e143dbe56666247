package wireroom_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

// These are of what the server tells unasked, as events.

func TestSocketIOAGapIsAnEvent(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		o.Limits, o.SocketIO.Namespaces = wireroom.Limits{PublishRate: -1, MaxMessage: 1 << 20}, []string{"game"}
		server, url := start(t, o)
		e := openEngine(t, url+socketIO)
		e.conn.SetReadLimit(2 << 20)
		e.connect("/game,", "")
		e.event("welcome")
		e.send(`42/game,1["join",{"room":"r"}]`)
		e.event("position")
		e.packet()
		for range 200 { // far more than its socket holds, and than the log does
			utter(t, server, "game/r", strings.Repeat("x", 100_000))
		}
		gaps, from := 0, ""
		for over := false; !over; {
			text := e.packet()
			args := eventArgs(t, text)
			it := args[1].(map[string]any)
			at := it["pos"].(string)
			if args[0] == "gap" {
				gaps++
				if it["type"] != "gap" || it["room"] != "r" || it["reason"] != "lagged" || !strings.HasSuffix(args[2].(string), ";game/r="+at) {
					t.Fatalf("told %v", args)
				}
				utter(t, server, "game/r", "after")
			} else if from != "" && offsetOf(t, at) != offsetOf(t, from)+1 {
				t.Fatalf("%s follows %s", at, from)
			}
			over, from = it["data"] == "after", at
		}
		if gaps == 0 {
			t.Error("no gap, though the log cannot hold that much")
		}
	})
}

func offsetOf(t *testing.T, position string) uint64 {
	t.Helper()
	p, err := protocol.ParsePosition(position)
	if err != nil {
		t.Fatal(err)
	}
	return p.Offset
}

func TestSocketIOATokenThatExpiresIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := []byte("a secret of at least 16 bytes")
		present := func(d time.Duration) string {
			return `{"token":"` + signUntil(t, secret, "ann", time.Now().Add(d)) + `"}`
		}
		began := time.Now()
		e := openVirtually(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "signed-in"})
		e.connect("", present(2*time.Minute))
		e.envelope("welcome")
		told := e.soon("token_expiring")
		if left := told["expires_in"].(float64); left < 58 || left > 60 || time.Since(began) < time.Minute || time.Since(began) > 62*time.Second {
			t.Errorf("told %v after %v", told, time.Since(began))
		}
		e.send(`421["auth",` + present(3*time.Minute) + `]`)
		if answer := e.ack(1); answer["ok"] != true {
			t.Fatalf("renewed: %v", answer)
		}
		e.soon("token_expiring")
		renewed := time.Now()
		if failure := e.soon("error"); failure["code"] != "token_expired" {
			t.Errorf("told %v", failure)
		}
		_, err := e.read()
		if took := time.Since(renewed); websocket.CloseStatus(err) != 4501 || took < time.Minute || took > 92*time.Second { // 30 s of leeway
			t.Errorf("%v after %v", err, took)
		}
	})
}

// soon returns the envelope of the next event, which may take minutes of virtual time.
func (e *emitter) soon(name string) map[string]any {
	e.t.Helper()
	for {
		_, frame, err := e.conn.Read(e.t.Context())
		switch {
		case err != nil:
			e.t.Fatal(err)
		case string(frame) == "2":
			e.send("3")
		default:
			args := eventArgs(e.t, string(frame))
			if args[0] != name {
				e.t.Fatalf("received %s, want an event %s", frame, name)
			}
			return args[1].(map[string]any)
		}
	}
}

// TestSocketIOPresenceIsEvents has users come and go, and so many that only their number is told.
func TestSocketIOPresenceIsEvents(t *testing.T) {
	const many = 201
	_, url := start(t, wireroom.Options{})
	e := newcomer(t, url)
	e.send(`421["join",{"room":"r","presence":true}]`)
	e.event("position")
	if answer := e.ack(1); answer["present"] != 1.0 || len(answer["members"].([]any)) != 1 {
		t.Errorf("joined: %v", answer)
	}
	here := func() *peer {
		p := dial(t, url+"/ws", nil)
		user := p.expect("welcome")["user"]
		p.send(`{"type":"join","room":"r","id":1}`)
		p.expect("ok")
		if joined := e.envelope("user_joined"); joined["type"] != "user_joined" || joined["room"] != "r" || joined["user"] != user {
			t.Fatalf("told %v of %v", joined, user)
		}
		return p
	}
	first := here()
	first.send(`{"type":"state","room":"r","state":"typing"}`)
	if state := e.envelope("state"); state["state"] != "typing" || state["room"] != "r" {
		t.Errorf("told %v", state)
	}
	first.send(`{"type":"leave","room":"r","id":2}`)
	if left := e.envelope("user_left"); left["type"] != "user_left" || left["count"] != 1.0 {
		t.Errorf("told %v", left)
	}
	for range many - 2 {
		here()
	}
	last := dial(t, url+"/ws", nil)
	last.expect("welcome")
	last.send(`{"type":"join","room":"r","id":1}`)
	if summary := e.envelope("presence"); summary["type"] != "presence" || summary["room"] != "r" || summary["count"] != float64(many) || summary["members"] != nil {
		t.Errorf("told %v", summary)
	}
}

func TestSocketIOAPingIsAnsweredByAPong(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	e := newcomer(t, url)
	e.send(`42["ping",{"ts":7}]`)
	if pong := e.envelope("pong"); pong["type"] != "pong" || pong["ts"] != 7.0 || pong["server_ts"] == nil {
		t.Errorf("told %v", pong)
	}
}
