package wireroom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
)

const socketIO = wireroom.DefaultSocketIOPath

func TestSocketIOAndNativeClientsShareARoom(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		_, url := start(t, o)
		native := dial(t, url+"/ws", nil)
		native.expect("welcome")
		native.send(`{"type":"join","room":"lobby","id":1}`)
		native.expect("ok")
		e := emit(t, url+socketIO, `{"name":"Ann"}`)
		if w := e.envelope("welcome"); w["client"] != e.sid {
			t.Errorf("welcomed with %v as %s", w, e.sid)
		}
		if answer := e.join("lobby"); answer["room"] != "lobby" || answer["pos"] == nil || answer["type"] != nil {
			t.Errorf("joined: %v", answer)
		}
		e.send(`427["publish",{"room":"lobby","data":{"text":"hi"},"event":"said","echo":false}]`)
		if answer := e.ack(7); answer["ok"] != true || answer["pos"] == nil {
			t.Errorf("published: %v", answer)
		}
		got := native.expect("message")
		if got["event"] != "said" || got["from"].(map[string]any)["name"] != "Ann" {
			t.Errorf("the native client got %v", got)
		}
		native.send(`{"type":"publish","room":"lobby","data":[1, 2]}`)
		message := e.envelope("message")
		if fmt.Sprint(message["data"]) != "[1 2]" || !strings.HasSuffix(e.offset, ";lobby="+message["pos"].(string)) {
			t.Errorf("got %v with %q", message, e.offset)
		}
		e.send(`42["publish",{"room":"lobby","echo":false,"data":1,"data":2}]`)
		if failure := e.envelope("error"); failure["code"] != "bad_request" || failure["of"] != "publish" {
			t.Errorf("told %v", failure)
		}
		e.send(`428["nonsense"]`)
		if answer := e.ack(8); answer["ok"] != false || answer["code"] != "unknown_type" {
			t.Errorf("answered %v", answer)
		}
		e.send(`429["leave",{"room":"lobby"}]`)
		e.event("position")
		if e.ack(9); !strings.HasSuffix(e.offset, ";") {
			t.Errorf("stands at %q", e.offset)
		}
	})
}

func TestSocketIOANamespaceForgetsTheRoomsThatAreLeft(t *testing.T) {
	_, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{Namespaces: []string{"game"}}})
	e := openEngine(t, url+socketIO)
	e.connect("/game,", "")
	e.event("welcome")
	e.send(`42/game,1["join",{"room":"lobby"}]`)
	e.event("position")
	if answer := e.packet(); !strings.HasPrefix(answer, `43/game,1[{"ok":true`) || strings.HasSuffix(e.offset, ";") {
		t.Fatalf("answered %s, stands at %q", answer, e.offset)
	}
	e.send(`42/game,2["leave",{"room":"lobby"}]`)
	e.event("position")
	if !strings.HasSuffix(e.offset, ";") {
		t.Errorf("stands at %q", e.offset)
	}
}

func TestSocketIOBinaryMessagesAreAttachments(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	e, native := emit(t, url+socketIO, ""), dial(t, url+"/ws", nil)
	e.envelope("welcome")
	e.join("lobby")
	native.expect("welcome")
	native.send(`{"type":"join","room":"lobby","id":1}`)
	native.expect("ok")
	e.send(`451-5["publish",{"room":"lobby","bytes":{"_placeholder":true,"num":0}}]`)
	e.attach("\x00\xff")
	var message map[string]any
	for range 2 {
		if packet := e.packet(); strings.HasPrefix(packet, "435") {
			continue
		} else if !strings.HasPrefix(packet, `451-["message",{"type":"message","room":"lobby"`) || e.packet() != "b\x00\xff" {
			t.Fatalf("received %s", packet)
		} else if i := strings.Index(packet, `"bytes":{"_placeholder":true,"num":0}}`); i < 0 {
			t.Fatalf("received %s", packet)
		}
	}
	if _, frame, err := native.conn.Read(t.Context()); err != nil || !strings.HasSuffix(string(frame), "}\x00\xff") {
		t.Errorf("%q %v %v", frame, err, message)
	}
	e.send(`451-6["publish",{"room":"lobby","data":{"x":{"_placeholder":true,"num":0}}}]`)
	e.attach("x")
	if answer := e.ack(6); answer["code"] != "bad_request" || answer["field"] != "bytes" {
		t.Errorf("answered %v", answer)
	}
}

func TestSocketIONamespacesHaveRoomsOfTheirOwn(t *testing.T) {
	_, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{Namespaces: []string{"game"}, NoRecovery: true}})
	e := openEngine(t, url+socketIO)
	e.connect("/game,", "")
	e.packet() // welcome
	e.send(`42/game,1["join",{"room":"lobby","presence":true}]`)
	if got := e.packet(); !strings.HasPrefix(got, `43/game,1[{"ok":true,"room":"lobby"`) {
		t.Fatal(got)
	}
	native := dial(t, url+"/ws", nil)
	native.expect("welcome")
	native.send(`{"type":"join","room":"game/lobby","id":1}`)
	native.expect("ok")
	if got := e.packet(); !strings.HasPrefix(got, `42/game,["user_joined",{"type":"user_joined","room":"lobby"`) {
		t.Error(got)
	}
	native.send(`{"type":"publish","room":"game/lobby","data":1,"id":2}`)
	if got := e.packet(); !strings.HasPrefix(got, `42/game,["message",{"type":"message","room":"lobby"`) || !strings.HasSuffix(got, `"data":1}]`) {
		t.Error(got)
	}
	e.send(`42/game,2["history",{"room":"lobby"}]`)
	if got := e.packet(); !strings.HasPrefix(got, `43/game,2[{"ok":true,"room":"lobby","messages":[{"type":"message","room":"lobby"`) {
		t.Error(got)
	}
	e.send(`42["join",{"room":"lobby"}]`) // not connected there
	if code := e.closed(); code != 4400 {
		t.Errorf("closed with %d", code)
	}
}

func TestSocketIOUnknownNamespace(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	e := openEngine(t, url+socketIO)
	for range 7 {
		e.send("40/nobody")
		if got := e.packet(); got != `44/nobody,{"message":"Invalid namespace"}` {
			t.Fatal(got)
		}
	}
	e.send("40/nobody?a=b,")
	if code := e.closed(); code != 1008 {
		t.Errorf("closed with %d after many namespaces", code)
	}
}

func TestSocketIOHandlersAreThoseOfNativeClients(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	server.Handle("add user", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		if err := s.Send("echo", string(m.Data), len(m.Args), m.Bytes); err != nil {
			return err
		}
		return m.Reply("done", m.Bytes)
	})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	e.send(`452-3["add user",{"a": 1},{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`)
	e.attach("one")
	e.attach("two")
	if got := e.packet(); !strings.HasPrefix(got, `451-["echo","{\"a\": 1}",3,{"_placeholder":true,"num":0},"`) || e.packet() != "bone" {
		t.Error(got)
	}
	if got := e.packet(); got != `461-3["done",{"_placeholder":true,"num":0}]` || e.packet() != "bone" {
		t.Error(got)
	}
	native := dial(t, url+"/ws", nil)
	native.expect("welcome")
	native.send(`{"type":"add user","id":1,"data":7}`)
	if got := fmt.Sprint(native.expect("echo")["data"]); got != "[7 1 <nil>]" && got != "[7 1 ]" {
		t.Error(got)
	}
	if got := fmt.Sprint(native.expect("ok")["data"]); got != "[done ]" {
		t.Error(got)
	}
}

func TestSocketIOServerCallsItsClient(t *testing.T) {
	server, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{EventsOnly: true}})
	outcome := make(chan string, 1)
	server.Handle("ask me", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(len(m.Args))*5*time.Second)
		defer cancel()
		got, err := s.Call(ctx, "question", 42, []byte("x"))
		outcome <- fmt.Sprintf("%s %q %v", got.Args, got.Bytes, err)
		return nil
	})
	e := emit(t, url+socketIO, "")
	e.send(`42["ask me",1]`)
	if got := e.packet(); got != `451-0["question",42,{"_placeholder":true,"num":0}]` || e.packet() != "bx" {
		t.Fatal(got)
	}
	e.send(`430["sure",{"a":1}]`)
	if got := <-outcome; got != `["sure" {"a":1}] "" <nil>` {
		t.Error(got)
	}
	e.send(`42["ask me"]`)
	if got := <-outcome; !strings.Contains(got, context.DeadlineExceeded.Error()) {
		t.Error(got)
	}
	native := dial(t, url+"/ws", nil)
	native.expect("welcome")
	native.send(`{"type":"ask me"}`)
	if got := <-outcome; !strings.Contains(got, errors.ErrUnsupported.Error()) {
		t.Error(got)
	}
}

func TestSocketIOEventsOnlySpeaksNothingOfItsOwn(t *testing.T) {
	server, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{
		EventsOnly: true, NoRecovery: true,
		OnConnect: func(_ context.Context, s *wireroom.Session, auth json.RawMessage) error {
			if strings.Contains(string(auth), "Mallory") {
				return &protocol.Error{Code: protocol.CodeForbidden, Message: "not you"}
			}
			return s.Emit("auth", []json.RawMessage{auth}, nil)
		},
	}})
	server.Handle("join", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		var room string
		if err := json.Unmarshal(m.Data, &room); err != nil {
			return err
		}
		_, err := s.Join(ctx, room, wireroom.JoinOptions{})
		return err
	})
	e := openEngine(t, url+socketIO)
	e.send(`40{"user":"Mallory"}`)
	if got := e.packet(); !strings.HasPrefix(got, `44{"message":"not you","data":{"code":"forbidden"`) {
		t.Error(got)
	}
	e.connect("", `{"token":"x"}`)
	if got := e.packet(); got != `42["auth",{"token":"x"}]` || e.pid != "" {
		t.Error(got, e.pid)
	}
	e.send(`420["unheard of"]`)
	e.send(`421["join","lobby"]`)
	e.packet() // of the first
	if got := e.packet(); got != `431[]` {
		t.Error(got)
	}
	for _, data := range []any{map[string]int{"n": 1}, wireroom.Bytes("x")} {
		if _, err := server.Publish(t.Context(), "lobby", data, wireroom.PublishOptions{Event: "new message"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.packet(); got != `42["new message",{"n":1}]` {
		t.Error(got)
	}
	if got := e.packet(); got != `451-["new message",{"_placeholder":true,"num":0}]` || e.packet() != "bx" {
		t.Error(got)
	}
}

func TestSocketIOTokens(t *testing.T) {
	secret := []byte("a secret of at least 16 bytes")
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "anyone"})
	token := sign(t, secret, "ann")
	e := emit(t, url+socketIO, `{"token":"`+token+`"}`)
	if w := e.envelope("welcome"); w["user"] != "ann" {
		t.Errorf("welcomed as %v", w["user"])
	}
	e = openEngine(t, url+socketIO)
	for _, presented := range []string{"", `{"token":"nonsense"}`} {
		e.send("40" + presented)
		if got := e.packet(); !strings.HasPrefix(got, `44{"message":"`) || !strings.Contains(got, `"code":"unauthorized"`) {
			t.Errorf("%s: %s", presented, got)
		}
	}
	e = openEngine(t, url+socketIO)
	for range wireroom.DefaultLimits().AuthAttempts {
		e.send(`40{"token":"nonsense"}`)
	}
	if code := e.closed(); code != 4401 {
		t.Errorf("closed with %d after many attempts", code)
	}
}

func TestSocketIOTokensAreRenewedAndStatesAreSeen(t *testing.T) {
	secret := []byte("a secret of at least 16 bytes")
	_, url := start(t, wireroom.Options{Auth: auth.HMAC(secret), Access: "anyone"})
	here := func(user string) *emitter {
		e := emit(t, url+socketIO, `{"token":"`+sign(t, secret, user)+`"}`)
		e.envelope("welcome")
		e.send(`421["join",{"room":"r","presence":true}]`)
		e.event("position")
		if answer := e.ack(1); answer["ok"] != true {
			t.Fatalf("%s: %v", user, answer)
		}
		return e
	}
	ann := here("ann")
	bob := here("bob")
	if joined := ann.envelope("user_joined"); joined["user"] != "bob" {
		t.Errorf("ann sees %v", joined)
	}
	ann.send(`422["auth",{"token":"` + sign(t, secret, "ann") + `"}]`)
	if answer := ann.ack(2); answer["ok"] != true {
		t.Errorf("renewed: %v", answer)
	}
	ann.send(`423["auth",{"token":"` + sign(t, secret, "bob") + `"}]`)
	if answer := ann.ack(3); answer["code"] != "user_mismatch" {
		t.Errorf("as somebody else: %v", answer)
	}
	ann.send(`424["state",{"room":"r","state":{"typing":true}}]`)
	if answer := ann.ack(4); answer["ok"] != true {
		t.Errorf("state: %v", answer)
	}
	if state := bob.envelope("state"); state["user"] != "ann" || fmt.Sprint(state["state"]) != "map[typing:true]" {
		t.Errorf("bob sees %v", state)
	}
	ann.send(`425["leave",{"room":"r"}]`)
	if left := bob.envelope("user_left"); left["user"] != "ann" {
		t.Errorf("bob sees %v", left)
	}
}

func TestSocketIOKicksAndCloses(t *testing.T) {
	sessions := make(chan *wireroom.Session, 2)
	server, url := start(t, wireroom.Options{
		SocketIO: wireroom.SocketIO{Namespaces: []string{"b"}},
		Hooks: wireroom.Hooks{OnOpen: func(_ context.Context, s *wireroom.Session) error {
			if s.Namespace() == "/" {
				sessions <- s
			}
			return nil
		}},
	})
	e := emit(t, url+socketIO, "")
	user := e.envelope("welcome")["user"].(string)
	e.join("lobby")
	if err := server.Kick(t.Context(), "lobby", user, "spam", 0); err != nil {
		t.Fatal(err)
	}
	if kicked := e.envelope("kicked"); kicked["reason"] != "spam" || !strings.HasSuffix(e.offset, ";") {
		t.Errorf("kicked with %v, stands at %q", kicked, e.offset)
	}
	e.connect("/b,", "")
	e.packet()
	(<-sessions).Close(protocol.CloseForbidden, "go away", 0)
	if failure := e.envelope("error"); failure["code"] != "forbidden" {
		t.Errorf("told %v", failure)
	}
	if got := e.packet(); got != "41" {
		t.Errorf("received %s", got)
	}
	e.send(`42["join",{"room":"late"}]`) // it did not know yet
	e.send(`42/b,5["join",{"room":"x"}]`)
	e.packet()
	if got := e.packet(); !strings.HasPrefix(got, `43/b,5[{"ok":true`) {
		t.Errorf("the other namespace got %s", got)
	}
	e.connect("", "")
	e.envelope("welcome")
	(<-sessions).Close(protocol.CloseSlowConsumer, "slow", 0)
	if code := e.closed(); code != 4508 {
		t.Errorf("closed with %d", code)
	}
}

func TestSocketIOMalformedPacketsCloseTheirConnectionAndNothingElse(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	other := emit(t, url+socketIO, "")
	other.envelope("welcome")
	for _, packets := range [][]string{
		{`42{}`},
		{`42[]`},
		{`42[true]`},
		{`4`},
		{`4abc`},
		{`43["x"]`},
		{`42abc["x"]`},
		{`42["disconnect"]`},
		{`40`},
		{`41{}`},
		{"9"},
		{""},
		{"0"},
		{"2"},
		{"5"},
		{`42` + strings.Repeat("9", 400) + `["x"]`},
		{`45999999999-["x"]`},
		{`451-["x"]`},
		{`451-["x",{"_placeholder":true,"num":"splice"}]`},
		{`451-["x",{"_placeholder":true,"num":0}]`, `42["x"]`},
		{`42["x",` + strings.Repeat("[", 100_000)},
		{`40/` + strings.Repeat("n", 100_000)},
		{`42["x","` + strings.Repeat("y", 100_000) + `"]`},
	} {
		e := emit(t, url+socketIO, "")
		e.envelope("welcome")
		for _, packet := range packets {
			e.send(packet)
		}
		if code := e.closed(); code != 4400 && code != 1009 {
			t.Errorf("%.60q: closed with %d", packets, code)
		}
	}
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	e.attach("out of turn")
	if code := e.closed(); code != 4400 {
		t.Errorf("closed with %d", code)
	}
	other.join("lobby")
}

func TestSocketIODrains(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(ctx) }()
	if d := e.envelope("draining"); d["reconnect_after"] == nil {
		t.Errorf("told %v", d)
	}
	if code := e.closed(); code != 4503 {
		t.Errorf("closed with %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An application's code that panics while a client is connected leaves nobody behind.
func TestSocketIOAPanicWhileConnectingEndsTheSession(t *testing.T) {
	server, url := start(t, wireroom.Options{
		Logger: slog.New(slog.DiscardHandler),
		SocketIO: wireroom.SocketIO{OnConnect: func(ctx context.Context, s *wireroom.Session, _ json.RawMessage) error {
			if _, err := s.Join(ctx, "a", wireroom.JoinOptions{}); err != nil {
				return err
			}
			panic("of an application")
		}},
	})
	e := openEngine(t, url+socketIO)
	e.send("40")
	if _, err := e.read(); websocket.CloseStatus(err) != websocket.StatusCode(protocol.CloseInternal) {
		t.Errorf("it ended with %v", err)
	}
	await(t, "its end", func() bool { sessions, users := server.Counts(); return sessions == 0 && users == 0 })
}
