package wireroom_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/wireroomtest"
)

func TestSessionIsInARoomOnce(t *testing.T) {
	opened := make(chan *wireroom.Session, 1)
	_, url := start(t, wireroom.Options{
		Limits: wireroom.Limits{Rooms: 5},
		Hooks: wireroom.Hooks{OnOpen: func(_ context.Context, s *wireroom.Session) error {
			opened <- s
			return nil
		}},
	})
	dial(t, url+"/ws", nil)
	s := <-opened
	for i := range 100 {
		var joining sync.WaitGroup
		for n := range 24 {
			joining.Go(func() {
				_, _ = s.Join(t.Context(), fmt.Sprint(i, "-", n/3), wireroom.JoinOptions{}) // some pass the limit
			})
		}
		joining.Wait()
		rooms := s.Rooms()
		if len(rooms) != 5 {
			t.Fatalf("in %d rooms, want the limit of 5", len(rooms))
		}
		for _, room := range rooms {
			if !s.Leave(room) || s.Leave(room) {
				t.Fatalf("was not in %s once", room)
			}
		}
	}
}

// embed serves a server that the test closes itself.
func embed(t *testing.T, o wireroom.Options) (*wireroom.Server, *wireroomtest.Server) {
	o.Portable = true
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return server, wireroomtest.Serve(t, server)
}

// connect connects to a server in memory.
func connect(t *testing.T, web *wireroomtest.Server) *peer {
	transport := &http.Transport{DialContext: web.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return dial(t, wireroomtest.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
}

func TestCloseEndsTheContextOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, web := embed(t, wireroom.Options{})
		entered, left := make(chan struct{}), false
		server.Handle("wait", func(ctx context.Context, _ *wireroom.Session, _ wireroom.Message) error {
			close(entered)
			<-ctx.Done()
			left = true
			return ctx.Err()
		})
		connect(t, web).send(`{"type":"wait"}`)
		<-entered
		if err := server.Close(); err != nil || !left {
			t.Fatalf("closed with %v, the handler has returned: %v", err, left)
		}
	})
}

func TestCloseFromAHandlerGivesUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, web := embed(t, wireroom.Options{})
		closed := make(chan error, 1)
		server.Handle("close", func(context.Context, *wireroom.Session, wireroom.Message) error {
			closed <- server.Close()
			return nil
		})
		connect(t, web).send(`{"type":"close"}`)
		if err := <-closed; err == nil {
			t.Fatal("closed without an error, with a handler that has not returned")
		}
	})
}

func TestCloseFromAHookGivesUpWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server *wireroom.Server
		closed := make(chan error, 1)
		server, web := embed(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnFirstMember: func(string) { closed <- server.Close() },
			OnOpen: func(ctx context.Context, s *wireroom.Session) error {
				_, err := s.Join(ctx, "r", wireroom.JoinOptions{})
				return err
			},
		}})
		connect(t, web)
		if err := <-closed; err == nil {
			t.Fatal("closed without an error, with a hook that has not returned")
		}
	})
}

// TestPanicsOfAnApplicationEndNoServer has a dialect and a hook panic wherever they can.
func TestPanicsOfAnApplicationEndNoServer(t *testing.T) {
	told := make(chan string, 10)
	server, url := start(t, wireroom.Options{Dialect: panicking{}, Hooks: wireroom.Hooks{
		OnFirstMember: func(room string) {
			told <- room
			panic("first member")
		},
		OnConnect: func(context.Context, *http.Request, *auth.Identity) (*auth.Identity, error) {
			return &auth.Identity{User: "ann"}, nil
		},
		OnOpen: func(ctx context.Context, s *wireroom.Session) error {
			_, err := s.Join(ctx, "r", wireroom.JoinOptions{})
			return err
		},
	}})
	p := dial(t, url+"/ws", nil)
	<-told
	if _, err := server.Publish(t.Context(), "r", wireroom.Bytes("bad")); err != nil {
		t.Fatal(err)
	}
	p.send("bad")
	if _, err := server.Publish(t.Context(), "r", wireroom.Bytes("good")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if kind, frame, err := p.conn.Read(ctx); err != nil || kind != websocket.MessageBinary || string(frame) != "good" {
		t.Fatalf("%v %q %v", kind, frame, err)
	}
	p.send("bad")
	p.send("bad")
	if _, _, err := p.conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusCode(protocol.CloseBadRequest) {
		t.Fatalf("after three bad frames: %v", err)
	}
}

func TestAHookThatPanicsDelaysNoShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, web := embed(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnConnect: func(context.Context, *http.Request, *auth.Identity) (*auth.Identity, error) {
				panic(http.ErrAbortHandler)
			},
		}})
		for _, request := range []string{
			"GET /sse?room=r", "GET /poll?room=r", "POST /send", "POST /api/tickets",
			"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Was: /",
		} {
			c, err := web.DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, request+" HTTP/1.1\r\nHost: wireroom.test\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if answer, _ := io.ReadAll(c); len(answer) != 0 {
				t.Errorf("%s was answered with %q", request, answer)
			}
			_ = c.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

// panicking is a dialect that panics at what is bad, and at every reply.
type panicking struct{}

func (panicking) Decode(frame []byte, _ bool, r *protocol.Request) *protocol.Error {
	panic("decode " + string(frame))
}

func (panicking) Encode(p protocol.Push) ([]byte, bool) {
	m, ok := p.(*protocol.Message)
	if ok && string(m.Bytes) == "bad" {
		panic("encode")
	}
	if !ok {
		return nil, false
	}
	return m.Bytes, true
}

func (panicking) Reply(*protocol.Reply) ([]byte, bool) { panic("reply") }
