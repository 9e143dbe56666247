package wireroom_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/wireroomtest"
)

var keptOutSecret = []byte("a secret of sixteen bytes")

// tokenNow returns a token of alice with an ID, which is made now.
func tokenNow(t *testing.T, id string) string {
	t.Helper()
	key := auth.SigningKey{Algorithm: "HS256", Secret: keptOutSecret}
	token, err := key.Sign(auth.Identity{User: "alice", TokenID: id, Issued: time.Now()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// memorySocket opens a WebSocket to a server in memory, at a path with a query.
func memorySocket(t *testing.T, s *wireroomtest.Server, path string) (*websocket.Conn, error) {
	t.Helper()
	transport := &http.Transport{DialContext: s.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	conn, _, err := websocket.Dial(t.Context(), "ws://wireroom.test"+path, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, err
}

// ways are how a client is here: each returns what waits for the end, and says how it ended.
var ways = map[string]func(t *testing.T, s *wireroomtest.Server, token string) (end func() string){
	"websocket": func(t *testing.T, s *wireroomtest.Server, token string) func() string {
		conn, err := memorySocket(t, s, "/ws?token="+token)
		if err != nil {
			return func() string { return err.Error() }
		}
		return func() string {
			for {
				if _, _, err := conn.Read(t.Context()); err != nil {
					return fmt.Sprint(int(websocket.CloseStatus(err)))
				}
			}
		}
	},
	"stream": func(t *testing.T, _ *wireroomtest.Server, token string) func() string {
		s := get(t, inMemory+"/sse?room=a&token="+token)
		return func() string {
			last := fmt.Sprint(s.response.StatusCode, " ")
			for {
				e, err := s.next()
				if err != nil {
					return last
				}
				if code, ok := e.envelope["code"].(string); ok {
					last += code
				}
			}
		}
	},
	"poll": func(t *testing.T, _ *wireroomtest.Server, token string) func() string {
		address := inMemory + "/poll?room=a&token=" + token + clientName
		first := ask(t, address)
		var p polled
		if err := json.Unmarshal([]byte(first.body), &p); err != nil {
			return func() string { return fmt.Sprint(first.status) }
		}
		answered, _ := later(t, address+"&wait=50&cursor="+encode(p.Cursor))
		return func() string { return fmt.Sprint((<-answered).status) }
	},
	"socketio": func(t *testing.T, s *wireroomtest.Server, token string) func() string {
		conn, err := memorySocket(t, s, "/socket.io/?EIO=4&transport=websocket")
		if err != nil {
			return func() string { return err.Error() }
		}
		e := &emitter{t: t, conn: conn}
		e.packet() // the handshake
		e.send(`40{"token":"` + token + `"}`)
		if answer := e.packet(); !strings.HasPrefix(answer, `40{`) {
			return func() string { return answer[:2] }
		}
		return func() string {
			for {
				if packet := e.packet(); !strings.HasPrefix(packet, "42") {
					return packet
				}
			}
		}
	},
	"socketio over polls": func(t *testing.T, s *wireroomtest.Server, token string) func() string {
		address := inMemory + "/socket.io/?EIO=4&transport=polling"
		var open struct{ Sid string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(ask(t, address).body, "0")), &open); err != nil {
			t.Fatal(err)
		}
		address += "&sid=" + open.Sid
		post(t, address, `40{"token":"`+token+`"}`, "Content-Type", "text/plain")
		first := ask(t, address).body
		if !strings.HasPrefix(first, `40{`) {
			return func() string { return first[:2] }
		}
		return func() string {
			for {
				for _, packet := range strings.Split(ask(t, address).body, "\x1e") {
					if !strings.HasPrefix(packet, "42") && packet != "2" {
						return packet
					}
				}
			}
		}
	},
}

// ends are what a client sees in each of the ways: of one who is there, and of one who comes back, when it is the token
// that is not good any more, and when it is the user.
var ends = map[string][2][2]string{
	"websocket":           {{"4401", "401"}, {"4403", "403"}},
	"stream":              {{"200 unauthorized", "401 "}, {"200 forbidden", "403 "}},
	"poll":                {{"401", "401"}, {"403", "403"}},
	"socketio":            {{"41", "44"}, {"41", "44"}},
	"socketio over polls": {{"41", "44"}, {"41", "44"}},
}

// Whoever is kept out is gone at once, from every transport: the clock of this test is a virtual one, on which only what
// waits takes time. No time has passed: nobody waits for a tick, or for the engine's records to be read again.
func TestWhoIsKeptOutIsGoneAtOnceOnEveryTransport(t *testing.T) {
	for what, keepOut := range map[string]func(s *wireroom.Server) error{
		"a token": func(s *wireroom.Server) error {
			return s.Revoke(context.Background(), wireroom.Revocation{TokenID: "t1"})
		},
		"a user's tokens": func(s *wireroom.Server) error {
			return s.Revoke(context.Background(), wireroom.Revocation{User: "alice"})
		},
		"a user": func(s *wireroom.Server) error { return s.Block(context.Background(), "alice", "spam", time.Hour) },
	} {
		for way, enter := range ways {
			t.Run(what+" "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := wireroomtest.Start(t, wireroom.Options{Access: "signed-in", Anonymous: true, Auth: auth.HMAC(keptOutSecret)})
					through(t, &http.Transport{DialContext: s.DialContext})
					want := ends[way][0]
					if what == "a user" {
						want = ends[way][1]
					}
					token := tokenNow(t, "t1")
					end := enter(t, s, token)
					time.Sleep(1234 * time.Millisecond)
					began := time.Now()
					if err := keepOut(s.Server); err != nil {
						t.Fatal(err)
					}
					if got := end(); got != want[0] {
						t.Errorf("ended with %q, want %q", got, want[0])
					}
					if took := time.Since(began); took > 0 {
						t.Errorf("ended after %v", took)
					}
					if got := enter(t, s, token)(); !strings.Contains(got, want[1]) {
						t.Errorf("coming back ends with %q, want %q", got, want[1])
					}
				})
			})
		}
	}
}

// A token says in whole seconds when it was made. One that is made, and revoked with the user's others within the same
// second, is void.
func TestTokensOfThisSecondAreRevoked(t *testing.T) {
	for _, past := range []time.Duration{0, 1, time.Millisecond, 999 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := wireroomtest.Start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(keptOutSecret)})
			through(t, &http.Transport{DialContext: s.DialContext})
			time.Sleep(past)
			token := tokenNow(t, "")
			end := ways["websocket"](t, s, token)
			if err := s.Revoke(t.Context(), wireroom.Revocation{User: "alice"}); err != nil {
				t.Fatal(err)
			}
			if got := end(); got != "4401" {
				t.Errorf("%v after the second began: ended with %s", past, got)
			}
			if got := ways["websocket"](t, s, token)(); !strings.Contains(got, "401") {
				t.Errorf("%v after the second began: came back to %s", past, got)
			}
			time.Sleep(time.Second)
			if got := ask(t, inMemory+"/poll?room=a&token="+tokenNow(t, "")).status; got != http.StatusOK {
				t.Errorf("a token of the next second: %d", got)
			}
		})
	}
}

// Who is kept out between being let in and being seen with the others is not missed: it ends before any time has passed.
func TestNobodySlipsInWhileSomebodyIsKeptOut(t *testing.T) {
	for way, want := range map[string]string{"stream": "200 forbidden", "poll": "403", "socketio": "41"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s *wireroomtest.Server
				block := func() error { return s.Block(context.Background(), "alice", "", 0) }
				s = wireroomtest.Start(t, wireroom.Options{
					Access: "signed-in", Anonymous: true, Auth: auth.HMAC(keptOutSecret),
					Hooks: wireroom.Hooks{OnJoin: func(context.Context, *wireroom.Session, string) error { return block() }},
					SocketIO: wireroom.SocketIO{OnConnect: func(context.Context, *wireroom.Session, json.RawMessage) error {
						return block()
					}},
				})
				through(t, &http.Transport{DialContext: s.DialContext})
				began := time.Now()
				got := ways[way](t, s, tokenNow(t, ""))()
				if took := time.Since(began); took > 0 || got != want {
					t.Errorf("ended with %q after %v, want %q at once", got, took, want)
				}
			})
		})
	}
}

// A client of Socket.IO that comes back to its rooms while they are closed is put out of them.
func TestAReloadMissesNoRecovery(t *testing.T) {
	var s *wireroom.Server
	var closing atomic.Bool
	s, url := start(t, wireroom.Options{Hooks: wireroom.Hooks{OnLeave: func(*wireroom.Session, string) {}, OnJoin: func(context.Context, *wireroom.Session, string) error {
		if !closing.CompareAndSwap(true, false) {
			return nil
		}
		return s.Reload(wireroom.Changes{Rules: []wireroom.Rule{{Pattern: "closing", Allow: wireroom.Allow{Join: "nobody"}}}, Access: "anyone"})
	}}})
	e := emit(t, url+"/socket.io/", "")
	e.event("welcome")
	e.join("closing")
	closing.Store(true)
	e.cut()
	e, _ = e.again(url + "/socket.io/")
	for {
		packet := e.packet()
		if strings.HasPrefix(packet, `42["kicked"`) {
			return
		}
	}
}

// halting is a connection whose peer does not read until it is let go on.
type halting struct {
	net.Conn
	read chan struct{}
}

func (c *halting) Read(b []byte) (int, error) {
	<-c.read
	return c.Conn.Read(b)
}

// single is a listener of one connection.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	close(l.closed)
	return nil
}

func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// What is said to a client while the answer to its upgrade is on its way follows that, and is no reason to close it.
func TestWhatIsSaidDuringAnUpgradeFollowsIt(t *testing.T) {
	for name, row := range map[string]struct {
		life time.Duration // of the token
		then func(s *wireroom.Server)
		want []string
	}{
		"a notice":      {45 * time.Second, func(*wireroom.Server) {}, []string{"welcome", "token_expiring", "pong"}},
		"a close":       {time.Hour, func(s *wireroom.Server) { _ = s.Block(context.Background(), "alice", "", 0) }, []string{"welcome", "4403"}},
		"both together": {45 * time.Second, func(s *wireroom.Server) { _ = s.Block(context.Background(), "alice", "", 0) }, []string{"welcome", "token_expiring", "4403"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, err := wireroom.New(t.Context(), wireroom.Options{Auth: auth.HMAC(keptOutSecret)})
				if err != nil {
					t.Fatal(err)
				}
				defer server.Close()
				near, far := net.Pipe() // without a buffer
				listener := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
				listener.conn <- far
				front := &http.Server{Handler: server, ReadHeaderTimeout: time.Minute}
				go func() { _ = front.Serve(listener) }()
				defer front.Close()
				client := &halting{near, make(chan struct{})}
				transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
				defer transport.CloseIdleConnections()
				go func() {
					time.Sleep(3 * time.Second) // all are looked after each second
					row.then(server)
					time.Sleep(3 * time.Second)
					close(client.read)
				}()
				token := signUntil(t, keptOutSecret, "alice", time.Now().Add(row.life))
				conn, _, err := websocket.Dial(t.Context(), "ws://x/ws?token="+token, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.CloseNow() }()
				p := &peer{t, conn}
				for _, want := range row.want {
					if want == "pong" {
						p.send(`{"type":"ping"}`)
					}
					var got string
					if _, frame, err := conn.Read(t.Context()); err != nil {
						got = fmt.Sprint(int(websocket.CloseStatus(err)))
					} else {
						var e struct{ Type string }
						_ = json.Unmarshal(frame, &e)
						got = e.Type
					}
					if got != want {
						t.Fatalf("got %s, want %s", got, want)
					}
				}
			})
		})
	}
}
