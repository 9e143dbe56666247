// Chatroom is a chat with rooms and history, in words of its own: a dialect over the public interface.
//
//	client                                                  server
//	{"type":"join","username":"Alice","room":"general"}     the room's last 20 messages; to the others user_joined
//	{"type":"chat_message","message":"Hi"}                  {"type":"chat_message","userId","username","message","timestamp"} to the room
//	                                                        {"type":"user_left","userId","username","timestamp"} when somebody goes
//	                                                        {"error":"..."} when something is wrong
//
//	go run ./examples/chatroom --listen 127.0.0.1:8080
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

const (
	kept     = 100 // messages of a room
	replayed = 20  // messages to whoever joins
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	server, err := newServer(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("chat room on ws://%s/chat", *listen)
	log.Fatal(http.ListenAndServe(*listen, server))
}

// request is what clients say.
type request struct {
	Type     string `json:"type"`
	Username string `json:"username"`
	Room     string `json:"room"`
	Message  string `json:"message"`
}

func newServer(ctx context.Context) (*wireroom.Server, error) {
	server, err := wireroom.New(ctx, wireroom.Options{
		Dialect: words{},
		Paths:   []string{"/chat"},
		Rules: []wireroom.Rule{{
			Pattern: "**",
			History: engine.Retention{Messages: kept, Bytes: 1 << 20, Age: 24 * time.Hour},
		}},
	})
	if err != nil {
		return nil, err
	}
	server.Handle("enter", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		var in request
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return err
		}
		for _, room := range s.Rooms() {
			s.Leave(room)
		}
		if err := s.SetName(in.Username); err != nil {
			return err
		}
		_, err := s.Join(ctx, in.Room, wireroom.JoinOptions{Last: replayed, Presence: true})
		return err
	})
	server.Handle("chat_message", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		var in request
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return err
		}
		rooms := s.Rooms()
		if len(rooms) == 0 {
			return &protocol.Error{Code: protocol.CodeNotJoined, Message: "Join a room first"}
		}
		_, err := server.Publish(ctx, rooms[0], in.Message, wireroom.PublishOptions{
			From: protocol.Sender{User: s.User(), Client: s.Client(), Name: s.Name()},
		})
		return err
	})
	return server, nil
}

// words is the dialect of this program. It implements wireroom.Dialect.
type words struct{}

// Decode implements wireroom.Dialect.
func (words) Decode(frame []byte, _ bool, r *protocol.Request) *protocol.Error {
	var in request
	if err := json.Unmarshal(frame, &in); err != nil {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: "Invalid JSON format"}
	}
	switch in.Type {
	case "join":
		r.Type = []byte("enter")
	case "chat_message":
		r.Type = []byte("chat_message")
	default:
		return &protocol.Error{Code: protocol.CodeUnknownType, Message: "Invalid message type"}
	}
	r.Data = frame
	return nil
}

// Encode implements wireroom.Dialect.
func (words) Encode(p protocol.Push) ([]byte, bool) {
	switch p := p.(type) {
	case *protocol.Message:
		return say(map[string]any{
			"type": "chat_message", "userId": p.From.User, "username": p.From.Name, "message": p.Data, "timestamp": p.Time,
		}), false
	case *protocol.UserEvent:
		return say(map[string]any{
			"type": p.Type(), "userId": p.User, "username": p.Name, "timestamp": time.Now().UnixMilli(),
		}), false
	}
	return nil, false
}

// Reply implements wireroom.Dialect: only errors are told.
func (words) Reply(r *protocol.Reply) ([]byte, bool) {
	if r.Err == nil {
		return nil, false
	}
	return say(map[string]any{"error": r.Err.Message}), false
}

// say returns v as JSON; what this program says always has one.
func say(v map[string]any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
