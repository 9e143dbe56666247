package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom"
)

// utter publishes in a room.
func utter(t *testing.T, server *wireroom.Server, room string, data any, o ...wireroom.PublishOptions) {
	t.Helper()
	if _, err := server.Publish(t.Context(), room, data, o...); err != nil {
		t.Fatal(err)
	}
}

// hears expects messages with these data.
func (e *emitter) hears(data ...any) {
	e.t.Helper()
	for _, want := range data {
		if m := e.envelope("message"); fmt.Sprint(m["data"]) != fmt.Sprint(want) {
			e.t.Fatalf("heard %v, want %v", m["data"], want)
		}
	}
}

// newcomer connects for the first time and is in a room.
func newcomer(t *testing.T, url string, rooms ...string) *emitter {
	t.Helper()
	e := emit(t, url+socketIO, "")
	e.envelope("welcome")
	for _, room := range rooms {
		e.join(room)
	}
	return e
}

func TestSocketIORecoversWhatWasMissed(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		e := newcomer(t, url, "a", "b")
		utter(t, server, "a", 1)
		e.hears(1)
		e.cut()
		utter(t, server, "a", 2)
		utter(t, server, "b", 3)
		e, recovered := e.again(url + socketIO)
		if !recovered {
			t.Fatal("not recovered")
		}
		e.envelope("welcome")
		e.hears(2, 3)
		e.cut() // the second time
		utter(t, server, "b", 4)
		if e, recovered = e.again(url + socketIO); !recovered {
			t.Fatal("not recovered again")
		}
		e.envelope("welcome")
		e.hears(4)
		e.cut()
		if e, recovered = e.again(url + socketIO); !recovered { // nothing was missed
			t.Fatal("not recovered from nothing")
		}
		e.envelope("welcome")
		utter(t, server, "a", 5)
		e.hears(5)
	})
}

func TestSocketIORecoversBeforeTheFirstEventOfARoom(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	e := newcomer(t, url, "a")
	e.cut()
	utter(t, server, "a", 1)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered")
	}
	e.envelope("welcome")
	e.hears(1)
}

func TestSocketIORecoversFromThePidWhenThereIsNoOffset(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	e := newcomer(t, url, "a")
	e.cut()
	e.offset = "an argument of some application's event"
	utter(t, server, "a", 1)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered")
	}
	e.envelope("welcome")
	if answer := e.join("a"); answer["already"] == true {
		t.Error("it was in no room when it connected, and is in one now")
	}
}

// Nothing at all was said to a client that an application put into its rooms when it connected.
func TestSocketIORecoversWhenNoEventEverCame(t *testing.T) {
	server, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{
		OnConnect: func(ctx context.Context, s *wireroom.Session, _ json.RawMessage) error {
			_, err := s.Join(ctx, "a", wireroom.JoinOptions{})
			return err
		},
	}})
	e := emit(t, url+socketIO, "")
	for turn := range 3 {
		e.cut() // before it has read anything but that it is connected
		utter(t, server, "a", turn)
		utter(t, server, "a", "again")
		var recovered bool
		if e, recovered = e.again(url + socketIO); !recovered {
			t.Fatalf("not recovered on turn %d", turn)
		}
		e.envelope("welcome")
		for back := range turn + 1 { // it took none of the turns before
			e.hears(back, "again")
		}
		e.offset = ""
	}
}

func TestSocketIORecoversWithEphemeralMessagesInBetween(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	e := newcomer(t, url, "a")
	utter(t, server, "a", 1)
	e.hears(1)
	utter(t, server, "a", "gone", wireroom.PublishOptions{Ephemeral: true})
	e.hears("gone")
	e.cut()
	utter(t, server, "a", "unheard", wireroom.PublishOptions{Ephemeral: true})
	utter(t, server, "a", 2)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered")
	}
	e.envelope("welcome")
	e.hears(2)
}

func TestSocketIOIsNotRecoveredWhenSomethingIsGone(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	other, elsewhere := start(t, wireroom.Options{})
	e := newcomer(t, url, "short")
	utter(t, server, "short", 1)
	e.hears(1)
	e.cut()
	utter(t, other, "short", 1)
	old := e.pid
	e, recovered := e.again(elsewhere + socketIO) // another life of the room
	if recovered {
		t.Fatal("recovered what another log holds")
	}
	e.envelope("welcome")
	if strings.HasPrefix(e.pid, old[:16]) {
		t.Error("the pid is the old one")
	}
	stale := e.offset
	if answer := e.join("short"); answer["already"] == true || answer["count"] != 0.0 {
		t.Errorf("joined anew: %v", answer)
	}
	e.offset = stale // an offset of before is ignored
	e.cut()
	if e, recovered = e.again(elsewhere + socketIO); !recovered {
		t.Error("not recovered though nothing was missed")
	}
	e.envelope("welcome")
}

// What makes a recovery impossible while a client is away, and what does not.
func TestSocketIORecoveredIsTrueWhenNothingIsGone(t *testing.T) {
	for name, row := range map[string]struct {
		rooms, messages int
		shut            bool
		want            bool
	}{
		"all of what the log has":      {rooms: 1, messages: 4, want: true},
		"one more than that":           {rooms: 1, messages: 5},
		"as many rooms as are told of": {rooms: 32, messages: 1, want: true},
		"one room more":                {rooms: 33, messages: 1},
		"it may not join any more":     {rooms: 1, messages: 1, shut: true},
	} {
		t.Run(name, func(t *testing.T) {
			rule := wireroom.DefaultRule()
			rule.Pattern, rule.History.Messages, rule.NoPresence = "**", 4, true
			server, url := start(t, wireroom.Options{Rules: []wireroom.Rule{rule}})
			rooms := make([]string, row.rooms)
			for i := range rooms {
				rooms[i] = fmt.Sprint("room-", i)
			}
			e := newcomer(t, url, rooms...)
			utter(t, server, rooms[0], "before")
			e.hears("before")
			e.cut()
			for i := range row.messages {
				utter(t, server, rooms[0], i)
			}
			if row.shut {
				rule.Allow.Join = "role:nobody"
				if err := server.Reload(wireroom.Changes{Rules: []wireroom.Rule{rule}}); err != nil {
					t.Fatal(err)
				}
			}
			e, recovered := e.again(url + socketIO)
			if recovered != row.want {
				t.Fatalf("recovered: %v", recovered)
			}
			e.envelope("welcome")
			for i := range row.messages {
				if recovered {
					e.hears(i)
				}
			}
		})
	}
}

func TestSocketIOForgedOffsetsLeadNowhere(t *testing.T) {
	_, url := start(t, wireroom.Options{SocketIO: wireroom.SocketIO{Namespaces: []string{"game"}}})
	const nonce = "ABCDEFGHIJKLMNOP"
	for _, presented := range []string{
		`{"pid":"x"}`, `{"pid":"` + nonce + `"}`, `{"pid":"` + nonce + `;a"}`, `{"pid":"` + nonce + `;a=b"}`, `{"pid":"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\";"}`,
		`{"pid":"` + nonce + `;$internal=aaaaaaab.1.00000000"}`, `{"pid":"` + nonce + `;","offset":"` + nonce + `;@somebody=aaaaaaab.1.00000000"}`,
		`{"pid":"` + nonce + `;` + strings.Repeat("a=aaaaaaab.1.00000000,", 40) + `"}`, `{"pid":"` + nonce + `;\"","offset":"` + nonce + `;"}`,
		`{"pid":7,"offset":[]}`,
	} {
		e := emit(t, url+socketIO, presented)
		e.envelope("welcome")
		if strings.HasPrefix(e.pid, nonce) || strings.Contains(e.pid, `"`) {
			t.Errorf("%s: recovered as %s", presented, e.pid)
		}
		if answer := e.join("a"); answer["already"] == true {
			t.Errorf("%s: is in a room", presented)
		}
		e.cut()
	}
	e := openEngine(t, url+socketIO)
	e.connect("/game,", `{"pid":"`+nonce+`;lobby=aaaaaaab.1.00000000"}`)
	if strings.HasPrefix(e.pid, nonce) {
		t.Error("recovered in a room of another namespace")
	}
}

// TestSocketIORoomsOfTheApplicationAreKept has an application put every client into a room when it connects.
func TestSocketIORoomsOfTheApplicationAreKept(t *testing.T) {
	o := wireroom.Options{SocketIO: wireroom.SocketIO{OnConnect: func(ctx context.Context, s *wireroom.Session, _ json.RawMessage) error {
		_, err := s.Join(ctx, "news", wireroom.JoinOptions{})
		return err
	}}}
	server, url := start(t, o)
	other, elsewhere := start(t, o)
	e := newcomer(t, url, "a")
	utter(t, server, "news", 1)
	e.hears(1)
	e.cut()
	utter(t, server, "news", 2)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered")
	}
	e.envelope("welcome")
	e.hears(2)
	utter(t, server, "news", 3)
	e.hears(3)
	e.cut()
	if e, recovered = e.again(elsewhere + socketIO); recovered { // another life of the rooms
		t.Fatal("recovered what another log holds")
	}
	e.envelope("welcome")
	utter(t, other, "news", 4)
	e.hears(4)
	if answer := e.join("a"); answer["already"] == true {
		t.Error("it is in a room that was not recovered")
	}
}

// TestSocketIORecoversWithoutWhatItMayNotSeeAnyMore has a client that was told who is there, and may not be any more.
func TestSocketIORecoversWithoutWhatItMayNotSeeAnyMore(t *testing.T) {
	server, url := start(t, wireroom.Options{})
	e := newcomer(t, url)
	e.send(`421["join",{"room":"a","presence":true}]`)
	e.event("position")
	e.ack(1)
	utter(t, server, "a", 0)
	if e.hears(0); !strings.HasSuffix(e.offset, "!") { // as it has joined
		t.Errorf("stands at %q", e.offset)
	}
	rule := wireroom.DefaultRule()
	rule.Pattern, rule.Allow = "a", wireroom.Allow{Join: "anyone", Publish: "anyone", History: "anyone", Presence: "nobody"}
	if err := server.Reload(wireroom.Changes{Rules: []wireroom.Rule{rule}}); err != nil {
		t.Fatal(err)
	}
	e.cut()
	utter(t, server, "a", 1)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered")
	}
	e.envelope("welcome")
	e.hears(1)
}
