package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
)

// These are of what others notice of a client that comes back, and of what stands in its way.

// counted counts what hooks are told of rooms.
type counted struct {
	mu    sync.Mutex
	calls map[string]int // "join news"
}

func (c *counted) note(what, room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[what+" "+room]++
}

// since returns what was counted, and begins anew.
func (c *counted) since() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = make(map[string]int)
	return calls
}

func (c *counted) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *counted) hooks() wireroom.Hooks {
	c.calls = make(map[string]int)
	return wireroom.Hooks{
		OnJoin: func(_ context.Context, _ *wireroom.Session, room string) error {
			c.note("join", room)
			return nil
		},
		OnLeave:       func(_ *wireroom.Session, room string) { c.note("leave", room) },
		OnFirstMember: func(room string) { c.note("first", room) },
		OnLastMember:  func(room string) { c.note("last", room) },
	}
}

// TestSocketIONobodySeesARecoveryAsADeparture has an application put its clients into rooms, which a client that comes back
// is in once more before it is known where it stood there.
func TestSocketIONobodySeesARecoveryAsADeparture(t *testing.T) {
	for name, lost := range map[string]bool{"recovered": false, "not recovered": true} {
		t.Run(name, func(t *testing.T) {
			secret := []byte("a secret of at least 16 bytes")
			seen := new(counted)
			rule := wireroom.DefaultRule()
			rule.Pattern, rule.History.Messages = "own", 1
			server, url := start(t, wireroom.Options{
				Auth: auth.HMAC(secret), Access: "anyone", Hooks: seen.hooks(), Rules: []wireroom.Rule{rule},
				SocketIO: wireroom.SocketIO{OnConnect: func(ctx context.Context, s *wireroom.Session, _ json.RawMessage) error {
					for _, room := range []string{"news", "alone"} {
						if _, err := s.Join(ctx, room, wireroom.JoinOptions{}); err != nil {
							return err
						}
					}
					return nil
				}},
			})
			watch := dial(t, url+"/ws?token="+sign(t, secret, "bob"), nil)
			watch.expect("welcome")
			watch.send(`{"type":"join","room":"news","presence":true,"id":1}`)
			watch.expect("ok")
			e := emit(t, url+socketIO, `{"token":"`+sign(t, secret, "ann")+`"}`)
			e.envelope("welcome")
			e.join("own")
			watch.expect("user_joined")
			utter(t, server, "news", 1)
			e.hears(1)
			watch.expect("message")
			await(t, "its rooms", func() bool { return seen.count("first own") == 1 && seen.count("first alone") == 1 })
			e.cut()
			await(t, "its end", func() bool {
				return seen.count("last own") == 1 && seen.count("last alone") == 1 && seen.count("leave own") == 1
			})
			seen.since()
			if lost {
				utter(t, server, "own", "gone")
				utter(t, server, "own", "kept")
			}

			e, recovered := e.again(url+socketIO, "token", sign(t, secret, "ann"))
			if recovered == lost {
				t.Fatalf("recovered: %v", recovered)
			}
			e.envelope("welcome")
			await(t, "that it is back", func() bool { return seen.count("first alone") >= 1 })
			e.send(`427["leave",{"room":"alone"}]`)
			e.event("position")
			e.ack(7)
			await(t, "that it has left", func() bool { return seen.count("last alone") >= 1 && seen.count("leave alone") >= 1 })
			got := seen.since()
			want := map[string]int{"join news": 1, "join alone": 1, "first alone": 1, "leave alone": 1, "last alone": 1}
			maps.DeleteFunc(got, func(call string, _ int) bool { return strings.HasSuffix(call, " own") })
			if !maps.Equal(got, want) {
				t.Errorf("the application was told %v, want %v", got, want)
			}
			utter(t, server, "news", 2)
			if m := watch.receive(); m["type"] != "message" {
				t.Errorf("others were told %v", m)
			}
			e.hears(2)
		})
	}
}

// away is an engine that cannot be asked when it is told so.
func away(t *testing.T, rule wireroom.Rule) (store *faulty, server *wireroom.Server, url string) {
	t.Helper()
	store = &faulty{Engine: memory.New(memory.Options{})}
	server, url = start(t, wireroom.Options{Engine: store, Rules: []wireroom.Rule{rule}})
	return store, server, url
}

// TestSocketIOWhileTheEngineIsAwayNothingIsSaidOfARecovery cuts a client off whose messages only the engine has still: it is
// sent away, neither recovered nor not, until the engine can say which.
func TestSocketIOWhileTheEngineIsAwayNothingIsSaidOfARecovery(t *testing.T) {
	const missed = 1_100 // more than a node has at hand
	rule := wireroom.DefaultRule()
	rule.Pattern, rule.History.Messages = "**", 2*missed
	store, server, url := away(t, rule)
	e := newcomer(t, url, "a")
	utter(t, server, "a", "before")
	e.hears("before")
	e.cut()
	for i := range missed {
		utter(t, server, "a", i)
	}
	store.fail(engine.ErrUnavailable)
	for range 2 {
		presented, _ := json.Marshal(map[string]string{"pid": e.pid, "offset": e.offset}) // strings
		back := openEngine(t, url+socketIO)
		back.send("40" + string(presented))
		if packet, err := back.read(); websocket.CloseStatus(err) != 4504 {
			t.Fatalf("told %q, %v", packet, err)
		}
	}
	await(t, "their end", func() bool { sessions, _ := server.Counts(); return sessions == 0 })
	store.fail(nil)
	e, recovered := e.again(url + socketIO)
	if !recovered {
		t.Fatal("not recovered when the engine was back")
	}
	e.envelope("welcome")
	for i := range missed {
		e.hears(i)
	}
}

// TestSocketIOAPollWhileTheEngineIsAwayComesBack is the same over requests, which have no codes.
func TestSocketIOAPollWhileTheEngineIsAwayComesBack(t *testing.T) {
	rule := wireroom.DefaultRule()
	rule.Pattern = "**"
	store, _, url := away(t, rule)
	store.fail(engine.ErrUnavailable)
	id := openPolling(t, web(url)+socketIO)
	post(t, id, `40{"pid":"ABCDEFGHIJKLMNOP;a=aaaaaaab.1.00000000"}`)
	if a := ask(t, id); a.body != "1" {
		t.Errorf("told %q", a.body)
	}
	if a := ask(t, id); a.status != 400 {
		t.Errorf("then %d", a.status)
	}
}

// TestSocketIOAVectorHasABound has clients stand in rooms of long names: as much as travels with each event, and one byte
// more.
func TestSocketIOAVectorHasABound(t *testing.T) {
	const most, rooms, longest = 4 << 10, 20, 184
	for more := range 2 {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			server, url := start(t, wireroom.Options{})
			e := newcomer(t, url)
			for i := range rooms {
				room := fmt.Sprintf("%02d-%s", i, strings.Repeat("x", longest-3))
				if i == rooms-1 { // `nonce;room=position,room=position`
					length := len(e.offset) - 17 + len(",") + len("=aaaaaaab.0.00000000")
					room = room[:most-length+more]
				}
				e.join(room)
			}
			first := "00-" + strings.Repeat("x", longest-3)
			if got := len(e.offset) - 17; more == 0 && got != most {
				t.Fatalf("it stands at %d bytes", got)
			}
			if over := strings.HasSuffix(e.offset, ";*"); over != (more > 0) {
				t.Fatalf("it stands at %.100s", e.offset)
			}
			e.cut()
			utter(t, server, first, "missed")
			e, recovered := e.again(url + socketIO)
			if recovered != (more == 0) {
				t.Fatalf("recovered: %v", recovered)
			}
			e.envelope("welcome")
			if recovered {
				e.hears("missed")
				return
			}
			e.join(first) // in few rooms it is recovered again
			e.cut()
			utter(t, server, first, "missed")
			if e, recovered = e.again(url + socketIO); !recovered {
				t.Fatal("not recovered from few rooms")
			}
			e.envelope("welcome")
			e.hears("missed")
		})
	}
}

// A vector that no client was given is not read, however it was made.
func TestSocketIOAVectorThatIsTooLongIsNotRead(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	const nonce = "ABCDEFGHIJKLMNOP;"
	e := newcomer(t, url, "a")
	at := strings.TrimPrefix(e.offset[17:], "a=")
	for _, presented := range []string{
		`{"pid":"` + nonce + strings.Repeat("a="+at+",", 300) + `a=` + at + `"}`,
		`{"pid":"` + nonce + `","offset":"` + nonce + strings.Repeat("a="+at+",", 300) + `a=` + at + `"}`,
		`{"pid":"` + nonce + strings.Repeat("x", 60_000) + `"}`,
	} {
		back := emit(t, url+socketIO, presented)
		if strings.HasPrefix(back.pid, nonce) {
			t.Errorf("recovered from %.60s", presented)
		}
		back.cut()
	}
}
