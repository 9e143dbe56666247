package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

// The rules of requests that carry a connection, one of each kind at a time.

func TestPollingCarriesMessages(t *testing.T) {
	s := open(t, calm, calm)
	id := s.session(engine)
	for _, payload := range []string{"4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "4" + strings.Repeat("x", 500_000)} {
		s.expect(200, "ok", "POST", id, payload)
		s.polls(id, "", payload)
	}
	s.expect(400, "", "PUT", id, "4x")
	for _, bad := range []string{"abc", "", strings.Repeat("\x1e", 999_999), "4a\x1e", "7", "b=", "2", strings.Repeat("2\x1e", 20_000), "4a\xff", "4a\x1e4\xed\xa0\x80"} {
		id := s.session(engine)
		s.expect(400, "", "POST", id, bad)
		s.expect(400, "", "GET", id, "")
	}
	id = s.session(engine)
	s.expect(413, "", "POST", id, "4"+strings.Repeat("x", 1_000_000))
	s.expect(400, "", "GET", id, "")
}

// A browser sends a request again by itself when its connection breaks before the answer has come.
func TestARequestThatIsSentAgainGetsTheSameAnswer(t *testing.T) {
	s := open(t, calm, calm)
	s.agent = browser
	id := s.session(engine)
	for range 2 {
		s.expect(200, "ok", "POST", id+"&t=p1", "4one")
	}
	s.expect(200, "ok", "POST", id+"&t=p2", "4two")
	_, first := s.ask("GET", id+"&t=g1", "")
	s.expect(200, first, "GET", id+"&t=g1", "")
	s.polls(id, first, "4one\x1e4two")
	s.expect(200, "ok", "POST", id+"&t=p3", "4three")
	s.expect(200, "4three", "GET", id+"&t=g2", "")
}

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"

// Clients that are no browsers send nothing again by themselves, and stamp their requests with the second, if at all.
func TestRequestsOfTheSameStampAreNotTheSame(t *testing.T) {
	for _, client := range []struct{ agent, stamp string }{
		{"Python/3.13 aiohttp/3.11", "1764471600.5"}, {browser, "1764471600"}, {browser, strings.Repeat("x", 40)}, {"a program", "Q8hyd6w"},
	} {
		s := open(t, calm, calm)
		s.agent = client.agent
		id := s.session(engine) + "&t=" + client.stamp
		for _, text := range []string{"one", "two", "two"} {
			s.expect(200, "ok", "POST", id, "4"+text)
			s.expect(200, "4"+text, "GET", id, "")
		}
	}
	s := open(t, calm, calm)
	s.agent = browser
	id := s.session(engine)
	s.expect(200, "ok", "POST", id+"&t=same", "4one")
	s.expect(200, "ok", "POST", id+"&t=same", "4two")
	s.polls(id, "", "4one\x1e4two")
}

// polls polls until as much has come as is wanted, some of which came before. What is said in one request or two may take
// more than one to be told: the server waits for it only so long.
func (s suite) polls(path, got, want string) {
	s.Helper()
	for len(got) < len(want) {
		status, body := s.ask("GET", path, "")
		if status != 200 || body == "" {
			s.Fatalf("GET %s: %d %q", path, status, body)
		}
		got = strings.TrimPrefix(got+"\x1e"+body, "\x1e")
	}
	if got != want {
		s.Errorf("polled %.200q, want %.200q", got, want)
	}
}

// TestAnUpgradeDuringAPostEndsTheSession has a client go over to a WebSocket while it is still sending by a request: what
// comes on both would be read at once.
func TestAnUpgradeDuringAPostEndsTheSession(t *testing.T) {
	s := open(t, calm, calm)
	id := s.session(engine)
	finish := s.half(id)
	c := s.dial(strings.Replace(id, "polling", "websocket", 1))
	s.send(c, "2probe")
	s.receive(c, "3probe")
	s.send(c, "5", "4by WebSocket")
	if _, data, err := c.Read(t.Context()); err == nil {
		t.Errorf("%q was taken, too", data)
	}
	s.expect(400, "", "GET", id, "")
	if status := finish("4by request"); status == 200 {
		t.Error("the request was taken, too")
	}
}

// TestTwoPostsAtOnceEndTheSession has a client send by a request while another one is half received: nobody can say which
// of them came first.
func TestTwoPostsAtOnceEndTheSession(t *testing.T) {
	s := open(t, calm, calm)
	for _, path := range []string{engine, socket} {
		id := s.session(path)
		finish := s.half(id)
		s.expect(400, "", "POST", id, "4second")
		if status := finish("4first"); status != 400 {
			t.Errorf("the first request: %d", status)
		}
		s.expect(400, "", "POST", id, "4third")
		s.expect(400, "", "GET", id, "")
	}
	id := s.session(engine) // and one after the other they do not
	if status := s.half(id)("4first"); status != 200 {
		t.Errorf("a request alone: %d", status)
	}
	s.expect(200, "ok", "POST", id, "4second")
	s.polls(id, "", "4first\x1e4second")
}

// half begins a POST, and returns when the server reads its body. finish sends that and returns the status.
func (s suite) half(path string) (finish func(body string) int) {
	s.Helper()
	body, rest := io.Pipe()
	reading, status := make(chan struct{}), make(chan int, 1)
	trace := &httptrace.ClientTrace{Got100Continue: func() { close(reading) }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(s.Context(), trace), http.MethodPost, s.url+path, body)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	s.Cleanup(transport.CloseIdleConnections)
	go func() {
		response, err := transport.RoundTrip(request)
		if err != nil {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	<-reading
	return func(body string) int {
		_, _ = io.WriteString(rest, body) // the server may have gone
		_ = rest.Close()
		return <-status
	}
}

func TestTwoPollsAtOnceEndTheSession(t *testing.T) {
	s := open(t, calm, calm)
	id := s.session(engine)
	got := make(chan string, 2)
	for range 2 {
		go func() {
			status, body := s.ask("GET", id, "")
			if got <- body; status != 200 && status != 400 {
				s.Error(status)
			}
		}()
	}
	if a, b := <-got, <-got; a != "1" && b != "1" {
		t.Errorf("%q and %q", a, b)
	}
	s.expect(400, "", "GET", id, "")
}

func TestAnAbortedPollEndsTheSession(t *testing.T) {
	s := open(t, calm, calm)
	id := s.session(engine)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// What was written is read, and then aborted.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
	request, _ := http.NewRequestWithContext(ctx, "GET", s.url+id, nil) // a valid one
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close()
		t.Fatal("answered")
	}
	for end := time.Now().Add(time.Minute); ; {
		if status, _ := s.ask("POST", id, "3"); status == 400 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it goes on")
		}
	}
}
