package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// client is a client that knows nothing but the program's own words.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

func (c *client) say(v map[string]any) {
	c.t.Helper()
	if err := c.conn.WriteJSON(v); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hear(kind string) map[string]any {
	c.t.Helper()
	_, frame, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(frame, &v); err != nil {
		c.t.Fatal(err)
	}
	if kind != "" && v["type"] != kind {
		c.t.Fatalf("heard %v, want %s", v, kind)
	}
	return v
}

func start(t *testing.T) (dial func() *client) {
	t.Helper()
	server, err := newServer(context.Background())
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
	return func() *client {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return &client{t, conn}
	}
}

func TestChatRoom(t *testing.T) {
	dial := start(t)
	alice := dial()
	alice.say(map[string]any{"type": "join", "username": "Alice", "room": "general"})
	for i := range 25 {
		alice.say(map[string]any{"type": "chat_message", "message": fmt.Sprint("message ", i)})
		got := alice.hear("chat_message")
		if got["username"] != "Alice" || got["message"] != fmt.Sprint("message ", i) || got["userId"] == "" || got["timestamp"].(float64) < 1e12 {
			t.Fatalf("heard %v", got)
		}
	}
	bob := dial()
	bob.say(map[string]any{"type": "join", "username": "Bob", "room": "general"})
	for i := 5; i < 25; i++ {
		if got := bob.hear("chat_message"); got["message"] != fmt.Sprint("message ", i) {
			t.Fatalf("the last 20 begin with %v, want message %d", got, i)
		}
	}
	joined := alice.hear("user_joined")
	if joined["username"] != "Bob" || joined["userId"] == "" || joined["timestamp"].(float64) < 1e12 {
		t.Fatalf("heard %v", joined)
	}
	bob.say(map[string]any{"type": "chat_message", "message": "Hi"})
	for _, c := range []*client{alice, bob} {
		if got := c.hear("chat_message"); got["username"] != "Bob" || got["userId"] != joined["userId"] {
			t.Fatalf("heard %v", got)
		}
	}
	bob.say(map[string]any{"type": "join", "username": "Bob", "room": "other"})
	if left := alice.hear("user_left"); left["username"] != "Bob" {
		t.Fatalf("heard %v", left)
	}
}

func TestChatRoomErrors(t *testing.T) {
	dial := start(t)
	c := dial()
	for frame, want := range map[string]string{
		`{"type":"chat_message","message":"x"}`: "Join a room first",
		`{"type":"shout"}`:                      "Invalid message type",
		`{"type":"join","room":"a b"}`:          "not the name of a room",
	} {
		if err := c.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		if got := c.hear(""); got["error"] != want {
			t.Errorf("%s: heard %v, want %q", frame, got, want)
		}
	}
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if got := c.hear(""); got["error"] != "Invalid JSON format" {
		t.Errorf("heard %v", got)
	}
}
