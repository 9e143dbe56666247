package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The rules of the two protocols, as a client sees them that sends packets by hand.

const (
	engine = "/engine.io/"
	socket = "/socket.io/"
)

type suite struct {
	*testing.T
	url   string
	agent string // what the client calls itself
}

// calm is a time in which no ping is due.
const calm = time.Minute

// open starts a server that pings after an interval, and waits for an answer.
func open(t *testing.T, interval, timeout time.Duration) suite {
	server, err := newServer(t.Context(), interval, timeout)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return suite{T: t, url: web.URL}
}

// ask sends a request and returns its status and body.
func (s suite) ask(method, path, body string) (int, string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if s.agent != "" {
		request.Header.Set("User-Agent", s.agent)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// expect sends a request that must be answered so.
func (s suite) expect(status int, body, method, path, sent string) {
	s.Helper()
	gotStatus, got := s.ask(method, path, sent)
	if gotStatus != status || status == http.StatusOK && got != body {
		s.Errorf("%s %s %.40q: %d %.200q, want %d %.200q", method, path, sent, gotStatus, got, status, body)
	}
}

const polling = "?EIO=4&transport=polling"

// session opens a connection over polling and returns the query of its requests.
func (s suite) session(path string) string {
	s.Helper()
	status, text := s.ask("GET", path+polling, "")
	var hand struct {
		Sid                                   string
		Upgrades                              []string
		PingInterval, PingTimeout, MaxPayload int
	}
	if status != 200 || text[0] != '0' || json.Unmarshal([]byte(text[1:]), &hand) != nil || hand.Sid == "" ||
		!slices.Equal(hand.Upgrades, []string{"websocket"}) || hand.PingInterval == 0 || hand.PingTimeout == 0 || hand.MaxPayload != 1e6 {
		s.Fatal(status, text)
	}
	return path + polling + "&sid=" + hand.Sid
}

func (s suite) dial(path string) *websocket.Conn {
	s.Helper()
	c, _, err := websocket.Dial(s.Context(), s.url+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func (s suite) send(c *websocket.Conn, packets ...string) {
	s.Helper()
	for _, p := range packets {
		kind := websocket.MessageText
		if data, ok := strings.CutPrefix(p, "b:"); ok {
			kind, p = websocket.MessageBinary, data
		}
		if err := c.Write(s.Context(), kind, []byte(p)); err != nil {
			s.Fatal(err)
		}
	}
}

// receive expects packets, but for pings, which it answers.
func (s suite) receive(c *websocket.Conn, packets ...string) {
	s.Helper()
	for _, want := range packets {
		if got := s.next(c); got != want {
			s.Fatalf("received %q, want %q", got, want)
		}
	}
}

func (s suite) next(c *websocket.Conn) string {
	s.Helper()
	for {
		kind, data, err := c.Read(s.Context())
		switch {
		case err != nil:
			s.Fatal(err)
		case kind == websocket.MessageBinary:
			return "b:" + string(data)
		case string(data) == "2":
			s.send(c, "3")
		default:
			return string(data)
		}
	}
}

// closed waits for the server to close.
func (s suite) closed(c *websocket.Conn) {
	s.Helper()
	for {
		if _, _, err := c.Read(s.Context()); err != nil {
			return
		}
	}
}

func TestRefusesBadHandshakes(t *testing.T) {
	s := open(t, calm, calm)
	for _, path := range []string{engine, socket} {
		for _, query := range []string{
			"?transport=polling", "?EIO=abc&transport=polling", "?EIO=3&transport=polling", "?EIO=4", "?EIO=4&transport=abc", "?EIO=4&transport=constructor",
			"?EIO=4&transport=__proto__", "?EIO=4&transport=polling&transport=polling", "?EIO=4&EIO=4&transport=polling", "?EIO=4&transport=websocket",
			"?EIO=4&transport=polling&sid=unknown", "?EIO=4&transport=polling&sid=", "?EIO=4&transport=polling&%zz",
		} {
			s.expect(400, "", "GET", path+query, "")
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "HEAD"} {
			s.expect(400, "", method, path+polling, "")
		}
	}
}

func TestHeartbeats(t *testing.T) {
	s := open(t, pingInterval, calm) // a busy machine may take its time to answer
	for _, path := range []string{engine, socket} {
		id := s.session(path)
		for range 3 {
			s.expect(200, "2", "GET", id, "")
			s.expect(200, "ok", "POST", id, "3")
			if path == socket {
				break // the client connects to no namespace
			}
		}
	}
}

func TestSilenceEndsTheSession(t *testing.T) {
	s := open(t, pingInterval, pingTimeout)
	for _, path := range []string{engine, socket} {
		id := s.session(path)
		time.Sleep(pingInterval + pingTimeout) // which the protocol names
		s.expect(400, "", "POST", id, "3")
		s.closed(s.dial(path + "?EIO=4&transport=websocket"))
	}
	if status, text := s.ask("GET", engine+polling, ""); status != 200 || !strings.Contains(text, `"pingInterval":300,"pingTimeout":200,`) {
		t.Error(status, text)
	}
}

func TestGoodbyes(t *testing.T) {
	s := open(t, calm, calm)
	for _, path := range []string{engine, socket} {
		id := s.session(path)
		polled := make(chan string, 1)
		go func() {
			_, body := s.ask("GET", id, "")
			polled <- body
		}()
		s.expect(200, "ok", "POST", id, "1")
		if got := <-polled; got != "6" {
			t.Errorf("the poll got %q", got)
		}
		s.expect(400, "", "GET", id, "")
		c := s.dial(path + "?EIO=4&transport=websocket")
		s.send(c, "1")
		s.closed(c)
	}
}

func TestUpgrade(t *testing.T) {
	s := open(t, calm, calm)
	upgrade := func(id string) string { return strings.Replace(id, "polling", "websocket", 1) }
	id := s.session(engine)
	s.expect(200, "ok", "POST", id, "4before\x1ebAQI=")
	c := s.dial(upgrade(id))
	s.send(c, "2probe")
	s.receive(c, "3probe")
	s.send(c, "5", "4hello")
	s.receive(c, "4before", "b:\x01\x02", "4hello")
	s.expect(400, "", "GET", id, "")
	s.expect(400, "", "POST", id, "4x")
	if _, _, err := websocket.Dial(t.Context(), s.url+upgrade(id), nil); err == nil {
		t.Error("upgraded twice")
	}
	s.send(c, "4still there")
	s.receive(c, "4still there")

	for _, first := range []string{"5", "2", "2probes", "4hello", "abc", "b:2probe"} { // the session stays where it was
		id := s.session(engine)
		c := s.dial(upgrade(id))
		s.send(c, first)
		s.closed(c)
		s.expect(200, "ok", "POST", id, "4on")
		s.expect(200, "4on", "GET", id, "")
	}
	id = s.session(engine)
	c = s.dial(upgrade(id))
	if _, _, err := websocket.Dial(t.Context(), s.url+upgrade(id), nil); err == nil {
		t.Error("two upgrades at once")
	}
	s.send(c, "2probe", "5", "4hello")
	s.receive(c, "3probe", "4hello")
}

// connected opens a connection of Socket.IO and connects to the main namespace.
func (s suite) connected() *websocket.Conn {
	c := s.dial(socket + "?EIO=4&transport=websocket")
	s.next(c)
	s.send(c, "40")
	s.next(c)
	s.receive(c, `42["auth",{}]`)
	return c
}

func TestNamespaces(t *testing.T) {
	s := open(t, calm, calm)
	for _, namespace := range []string{"", "/custom,"} {
		for _, auth := range []string{"", `{"token":"123"}`} {
			c := s.dial(socket + "?EIO=4&transport=websocket")
			s.next(c)
			s.send(c, "40"+namespace+auth)
			var body map[string]string
			text, _ := strings.CutPrefix(s.next(c), "40"+namespace)
			if err := json.Unmarshal([]byte(text), &body); err != nil || len(body) != 1 || body["sid"] == "" {
				t.Error(text)
			}
			if auth == "" {
				auth = "{}"
			}
			s.receive(c, "42"+namespace+`["auth",`+auth+`]`)
		}
	}
	c := s.dial(socket + "?EIO=4&transport=websocket")
	s.next(c)
	s.send(c, "40/random")
	s.receive(c, `44/random,{"message":"Invalid namespace"}`)
	s.closed(c) // by the deadline
	c = s.connected()
	s.send(c, "40/custom")
	s.next(c)
	s.receive(c, `42/custom,["auth",{}]`)
	s.send(c, "41/custom", `42["message","message to main namespace"]`)
	s.receive(c, `42["message-back","message to main namespace"]`)
	s.send(c, "41")
	s.closed(c) // by the deadline
}

func TestEventsAndAcknowledgements(t *testing.T) {
	s := open(t, calm, calm)
	c := s.connected()
	s.send(c, `42["message",1,"2",{"3":[true]}]`)
	s.receive(c, `42["message-back",1,"2",{"3":[true]}]`)
	s.send(c, `42456["message-with-ack",1,"2",{"3":[false]}]`)
	s.receive(c, `43456[1,"2",{"3":[false]}]`)
	const two = `{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	s.send(c, `452-["message",`+two, "b:\x01\x02\x03", "b:\x04\x05\x06")
	s.receive(c, `452-["message-back",`+two, "b:\x01\x02\x03", "b:\x04\x05\x06")
	s.send(c, `452-789["message-with-ack",`+two, "b:\x04\x01", "b:")
	s.receive(c, `462-789[`+two, "b:\x04\x01", "b:")
	for _, bad := range []string{"4abc", "42{}", `42abc["message-with-ack",1,"2",{"3":[false]}]`} {
		c := s.connected()
		s.send(c, bad)
		s.closed(c)
	}
}
