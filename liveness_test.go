package wireroom_test

import (
	"context"
	"encoding/json"
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

// dialMemory connects a foreign client to a server in memory.
func dialMemory(t *testing.T, s *wireroomtest.Server, query string, pings chan<- struct{}) *peer {
	t.Helper()
	transport := &http.Transport{DialContext: s.DialContext}
	o := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}
	if pings != nil {
		o.OnPingReceived = func(context.Context, []byte) bool {
			pings <- struct{}{}
			return true
		}
	}
	conn, _, err := websocket.Dial(t.Context(), wireroomtest.URL+query, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.CloseNow()
		transport.CloseIdleConnections()
	})
	return &peer{t, conn}
}

func TestPingsAndKeepsWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := make(chan struct{}, 1000)
		p := dialMemory(t, wireroomtest.Start(t, wireroom.Options{}), "", pings)
		p.expect("welcome")
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if _, _, err := p.conn.Read(ctx); ctx.Err() == nil {
			t.Fatalf("closed after %v: %v", time.Since(began), err)
		}
		if n := len(pings); n < 20 || n > 27 {
			t.Fatalf("%d pings in ten minutes, want one every 25 s", n)
		}
	})
}

func TestEndsASilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 1)
		s := wireroomtest.Start(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnDisconnect: func(*wireroom.Session, closeCode, string) { ended <- time.Now() },
		}})
		p := dialMemory(t, s, "", nil)
		p.expect("welcome") // and nothing is read any more, so that no ping is answered
		began := time.Now()
		if took := (<-ended).Sub(began); took < 25*time.Second || took > 40*time.Second {
			t.Fatalf("ended after %v, want 25 s to 40 s", took)
		}
	})
}

// throttled is a connection whose reader takes little at a time.
type throttled struct {
	net.Conn
	stuck atomic.Bool // takes nothing
}

func (c *throttled) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	for c.stuck.Load() {
		time.Sleep(time.Second)
	}
	return c.Conn.Read(b[:min(len(b), 2<<10)])
}

// A client that reads all the time, and much slower than there is to read, is not stuck, however long its socket is
// full. One that reads nothing is closed.
func TestASlowReaderIsKeptAndOneThatIsStuckIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan closeCode, 1)
		s := wireroomtest.Start(t, wireroom.Options{Limits: wireroom.Limits{PublishRate: -1}, Hooks: wireroom.Hooks{
			OnDisconnect: func(_ *wireroom.Session, code closeCode, _ string) { ended <- code },
		}})
		slow := new(throttled)
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
			slow.Conn, err = s.DialContext(ctx, network, address)
			return slow, err
		}}
		conn, _, err := websocket.Dial(t.Context(), wireroomtest.URL, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{t, conn}
		p.conn.SetReadLimit(1 << 20)
		p.send(`{"type":"join","room":"r","id":1}`)
		read := make(chan error, 1)
		go func() {
			for {
				if _, _, err := p.conn.Read(t.Context()); err != nil {
					read <- err
					return
				}
			}
		}()
		data := json.RawMessage(`"` + strings.Repeat("x", 8<<10) + `"`)
		for range 5 * 60 {
			if _, err := s.Publish(t.Context(), "r", data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		select {
		case <-ended:
			t.Fatal("a client that reads was closed")
		default:
		}
		slow.stuck.Store(true)
		began := time.Now()
		code := <-ended
		if took := time.Since(began); code != 4508 || took < 25*time.Second || took > 90*time.Second {
			t.Fatalf("a client that is stuck was closed with %d after %v", code, took)
		}
		slow.stuck.Store(false)
		_ = conn.CloseNow()
		<-read //nolint:errcheck // that it was closed
		transport.CloseIdleConnections()
	})
}

func TestJSONHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := make(chan struct{}, 1000)
		p := dialMemory(t, wireroomtest.Start(t, wireroom.Options{}), "?heartbeat=json", pings)
		p.expect("welcome")
		for range 20 {
			e := p.receiveWithin(time.Minute)
			if e["type"] != "ping" {
				t.Fatalf("received %v, want a ping", e)
			}
			p.send(`{"type":"pong"}`)
		}
		p.send(`{"type":"ping","ts":12}`)
		if e := p.receiveWithin(time.Minute); e["type"] != "pong" || e["ts"] != 12.0 {
			t.Fatalf("received %v", e)
		}
		if len(pings) > 0 {
			t.Fatal("pinged by the protocol besides")
		}
	})
}

func TestWhoDoesNotAuthenticateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{Auth: auth.HMAC([]byte("a secret of sixteen bytes"))})
		p := dialMemory(t, s, "", nil)
		if e := p.expect("auth_required"); e["timeout"] != 10.0 {
			t.Fatalf("received %v", e)
		}
		began := time.Now()
		_, _, err := p.conn.Read(t.Context())
		if websocket.CloseStatus(err) != 4401 || !strings.Contains(err.Error(), "auth_timeout") {
			t.Fatalf("closed with %v, want 4401 auth_timeout", err)
		}
		if took := time.Since(began); took < 9*time.Second || took > 13*time.Second {
			t.Fatalf("closed after %v, want 10 s", took)
		}
	})
}

func TestPresenceHasGraceAcrossAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{})
		watcher := dialMemory(t, s, "", nil)
		watcher.expect("welcome")
		watcher.send(`{"type":"join","room":"r","presence":true,"id":1}`)
		watcher.expect("ok")
		other := dialMemory(t, s, "", nil)
		token := other.expect("welcome")["token"].(string)
		other.send(`{"type":"join","room":"r","id":1}`)
		other.expect("ok")
		watcher.expect("user_joined")
		_ = other.conn.CloseNow()
		time.Sleep(3 * time.Second)
		again := dialMemory(t, s, "?token="+token, nil)
		again.expect("welcome")
		again.send(`{"type":"join","room":"r","id":1}`)
		again.expect("ok")
		time.Sleep(20 * time.Second)
		again.send(`{"type":"leave","room":"r","id":2}`)
		again.expect("ok")
		if e := watcher.receive(); e["type"] != "user_left" || e["count"] != 1.0 {
			t.Fatalf("received %v, want user_left only now", e)
		}
	})
}
