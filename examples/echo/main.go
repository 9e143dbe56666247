// Echo is a server for plain text frames: whoever sends one gets it back with "Echo: " in front, and everybody else
// gets it with "Broadcast: " in front. Frames that are not JSON, or anything else, pass as they are.
//
//	go run ./examples/echo --listen 127.0.0.1:8080
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

// everybody is the room that all clients are in.
const everybody = "everybody"

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	server, err := newServer(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("echo on ws://%s/websocket", *listen)
	log.Fatal(http.ListenAndServe(*listen, server))
}

// newServer returns the server: the Raw dialect, one room, one handler.
func newServer(ctx context.Context) (*wireroom.Server, error) {
	var server *wireroom.Server
	server, err := wireroom.New(ctx, wireroom.Options{
		Dialect: wireroom.Raw,
		Paths:   []string{"/websocket"},
		Hooks: wireroom.Hooks{OnOpen: func(ctx context.Context, s *wireroom.Session) error {
			_, err := s.Join(ctx, everybody, wireroom.JoinOptions{})
			return err
		}},
	})
	if err != nil {
		return nil, err
	}
	server.Handle(wireroom.RawType, func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		event := ""
		if m.Text {
			event = wireroom.TextEvent
		}
		_, err := server.Publish(ctx, everybody, wireroom.Bytes("Broadcast: "+string(m.Bytes)), wireroom.PublishOptions{
			Event: event, Ephemeral: true, Exclude: s.Client(),
		})
		s.Push(&protocol.Message{Event: event, Bytes: append([]byte("Echo: "), m.Bytes...)})
		return err
	})
	return server, nil
}
