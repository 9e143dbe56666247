package wireroom_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/wireroomtest"
)

// startTLS serves o over TLS, with HTTP/2 or without it, and has the test's requests go there.
func startTLS(t *testing.T, o wireroom.Options, http2 bool) (*wireroom.Server, string) {
	t.Helper()
	server, err := wireroom.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(server)
	front.EnableHTTP2 = http2
	front.StartTLS()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		front.Close() // waits for handlers
	})
	through(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2})
	return server, front.URL
}

func TestStreamOverTLS(t *testing.T) {
	for major, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/", major+1), func(t *testing.T) {
			ended := make(chan closeCode, 10)
			server, url := startTLS(t, wireroom.Options{Hooks: wireroom.Hooks{
				OnDisconnect: func(_ *wireroom.Session, code closeCode, _ string) { ended <- code },
			}}, http2)
			s := stream(t, url+"/sse?room=a")
			if s.response.ProtoMajor != major+1 {
				t.Fatalf("the answer is %s", s.response.Proto)
			}
			s.expect("welcome")
			s.expect("ok")
			for i := range 100 {
				publish(t, server, "a", i)
			}
			for i := range 100 {
				if got := s.message(); got != float64(i) {
					t.Fatalf("message %d is %v", i, got)
				}
			}
			at := s.lastID
			s.close()
			if code := <-ended; code != 1006 {
				t.Fatalf("ended with %d", code)
			}
			publish(t, server, "a", strings.Repeat("large", 10_000))
			again := stream(t, url+"/sse?room=a", "Last-Event-ID", at)
			again.expect("welcome")
			again.expect("ok")
			again.message()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			drained := make(chan error, 1)
			go func() { drained <- server.Shutdown(ctx) }()
			again.expect("draining")
			again.expect("")
			again.ends()
			if err := <-drained; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestStreamThatNobodyReadsOverHTTP2IsCut(t *testing.T) {
	server, url := startTLS(t, wireroom.Options{}, true)
	s := stream(t, url+"/sse?room=a")
	s.expect("welcome")
	s.expect("ok")
	for range 200 {
		publish(t, server, "a", strings.Repeat("x", 60_000)) // more than flow control lets pass
	}
	if err := server.Close(); err != nil { // while a write waits
		t.Fatal(err)
	}
}

func TestDrainSendsStreamsAndPollsElsewhere(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		s := stream(t, web(url)+"/sse?room=a")
		s.expect("welcome")
		s.expect("ok")
		p := poll(t, web(url)+"/poll?room=a")
		cursor := "&cursor=" + encode(p.Cursor)
		waiting := make(chan polled, 1)
		token := p.Messages[0]["token"].(string)
		go func() { waiting <- poll(t, web(url)+"/poll?room=a&token="+token+cursor) }()
		for sessions := 0; sessions < 2; sessions, _ = server.Counts() {
			time.Sleep(time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- server.Shutdown(ctx) }()
		e := s.expect("draining")
		if last := s.expect(""); last.retry == "" || e.envelope["reconnect_after"].(float64) > 2 {
			t.Fatalf("the last event is %+v after %s", last, e.data)
		}
		s.ends()
		if got := <-waiting; got.types() != "ok draining" || got.Cursor != p.Cursor {
			t.Fatalf("the poll that waited got %v", got)
		}
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
		late := stream(t, web(url)+"/sse?room=a")
		if e, err := late.next(); err != nil || e.retry == "" || e.name != "draining" {
			t.Fatalf("a late stream got %+v, %v", e, err)
		}
		late.ends()
		if got := poll(t, web(url)+"/poll?room=a"+cursor); got.types() != "draining" || got.Cursor != p.Cursor {
			t.Fatalf("a late poll got %v", got)
		}
	})
}

// signUntil returns a token that expires.
func signUntil(t *testing.T, secret []byte, user string, at time.Time) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: user, ExpiresAt: jwt.NewNumericDate(at),
	}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestStreamEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := []byte("a secret of sixteen bytes")
		s := wireroomtest.Start(t, wireroom.Options{Access: "signed-in", Auth: auth.HMAC(secret)})
		through(t, &http.Transport{DialContext: s.DialContext})
		address := inMemory + "/sse?room=a&heartbeat=json&token=" + signUntil(t, secret, "alice", time.Now().Add(70*time.Second))
		events := stream(t, address)
		events.expect("welcome")
		events.expect("ok")
		began, kinds := time.Now(), ""
		for {
			e, err := events.next()
			if err != nil {
				break
			}
			if e.name == "failure" && e.envelope["code"] != "token_expired" {
				t.Fatalf("got %s", e.data)
			}
			kinds += e.name + " " + e.retry + " "
		}
		if took := time.Since(began); took < 100*time.Second || took > 105*time.Second {
			t.Errorf("ended after %v", took)
		}
		if !strings.Contains(kinds, "failure ") || !strings.HasPrefix(kinds, "token_expiring  ping  ping  ping  ") {
			t.Errorf("the events were %s", kinds)
		}
		if a := ask(t, address); a.status != 401 || a.header.Get("Wireroom-Error") != "token_expired" {
			t.Errorf("came back to %d %v", a.status, a.header)
		}
	})
}

func TestStreamIsKeptAliveByComments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wireroomtest.Start(t, wireroom.Options{})
		through(t, &http.Transport{DialContext: s.DialContext})
		events := stream(t, inMemory+"/sse?room=a")
		events.expect("welcome")
		events.expect("ok")
		for range 3 {
			began := time.Now()
			if e := events.expect("comment"); e.data != "" {
				t.Fatalf("got %+v", e)
			}
			if took := time.Since(began); took < 20*time.Second || took > 30*time.Second {
				t.Fatalf("after %v", took)
			}
		}
	})
}

func TestStreamThatTakesNothingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan closeCode, 10)
		s := wireroomtest.Start(t, wireroom.Options{Hooks: wireroom.Hooks{
			OnDisconnect: func(_ *wireroom.Session, code closeCode, _ string) { ended <- code },
		}})
		conn, err := s.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /sse?room=a HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 100 {
			publish(t, s.Server, "a", strings.Repeat("x", 60_000))
		}
		began := time.Now()
		if code := <-ended; code != 4508 || time.Since(began) > 45*time.Second {
			t.Fatalf("ended with %d after %v", code, time.Since(began))
		}
	})
}

// TestSlowReaderOfAStreamMissesNothing reads a few bytes at a time, while much more comes than its socket holds. Each id
// must say where the reader stands in both rooms, and not where it would, had the socket taken more.
func TestSlowReaderOfAStreamMissesNothing(t *testing.T) {
	eachCarrier(t, func(t *testing.T, o wireroom.Options) {
		server, url := start(t, o)
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		rooms := "room=a&room=b"
		for i := range 14 { // so that ids are much longer than what they stand behind
			rooms += fmt.Sprint("&room=", strings.Repeat("r", 190), i)
		}
		_, _ = io.WriteString(conn, "GET /sse?"+rooms+" HTTP/1.0\r\nHost: x\r\n\r\n")
		response, err := http.ReadResponse(newSlow(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newSource(response)
		s.t = t
		s.expect("welcome")
		stands := make(map[any]any)
		for range 16 {
			e := s.expect("ok").envelope
			stands[e["room"]] = e["pos"]
		}
		const total = 1500
		for i := range total { // and nothing is read meanwhile
			publish(t, server, []string{"a", "b"}[i%2], fmt.Sprint(i, strings.Repeat("x", i%700)))
		}
		next := map[any]int{"a": 0, "b": 1}
		for range total {
			e := s.expect("message")
			room := e.envelope["room"]
			if want := fmt.Sprint(next[room]); !strings.HasPrefix(e.envelope["data"].(string), want) {
				t.Fatalf("in %s got %.10s, want %s", room, e.envelope["data"], want)
			}
			next[room] += 2
			stands[room] = e.envelope["pos"]
			if want := fmt.Sprintf("a=%s,b=%s,", stands["a"], stands["b"]); !strings.HasPrefix(s.lastID, want) {
				t.Fatalf("the id is %.100s, want %s", s.lastID, want)
			}
		}
	})
}

func TestAClientThatTalksOnAStreamIsCut(t *testing.T) {
	_, url := start(t, wireroom.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /sse?room=a HTTP/1.1\r\nHost: x\r\n\r\n"+strings.Repeat("GET / HTTP/1.1\r\n", 1000))
	if _, err := io.Copy(io.Discard, conn); err == nil {
		return // the end
	}
}
