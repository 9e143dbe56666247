package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dial connects a client that knows nothing but frames.
func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func expect(t *testing.T, c *websocket.Conn, kind int, want string) {
	t.Helper()
	got, frame, err := c.ReadMessage()
	if err != nil || got != kind || string(frame) != want {
		t.Fatalf("received %d %q, %v; want %d %q", got, frame, err, kind, want)
	}
}

func TestEchoesToTheSenderAndBroadcastsToTheOthers(t *testing.T) {
	server, err := newServer(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	url := "ws" + strings.TrimPrefix(web.URL, "http") + "/websocket"
	var all []*websocket.Conn
	for range 3 {
		c := dial(t, url)
		if err := c.WriteMessage(websocket.BinaryMessage, []byte{0}); err != nil {
			t.Fatal(err)
		}
		expect(t, c, websocket.BinaryMessage, "Echo: \x00") // proves that the connection is in the room
		for _, other := range all {
			expect(t, other, websocket.BinaryMessage, "Broadcast: \x00")
		}
		all = append(all, c)
	}
	a, b, c := all[0], all[1], all[2]
	for _, text := range []string{"Hello, server!", `{"not":"closed"`, "", "ünïcödé"} {
		if err := a.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		expect(t, a, websocket.TextMessage, "Echo: "+text)
		expect(t, b, websocket.TextMessage, "Broadcast: "+text)
		expect(t, c, websocket.TextMessage, "Broadcast: "+text)
	}
}
