package outside_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

func TestForeignSocketIOClients(t *testing.T) {
	for name, command := range map[string][]string{
		"npm socket.io-client": {"node", "socketio.mjs"},
		"python socketio":      {debianPython, "python_socketio.py"},
	} {
		for mode, portable := range map[string]bool{"loop": false, "portable": true} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				o := wireroom.Options{Portable: portable, SocketIO: wireroom.SocketIO{Namespaces: []string{"custom"}, OnConnect: admit}}
				run(t, o, command, handleEvents)
			})
		}
	}
}

// TestForeignSocketIOClientsNoticeSilence has clients wait for pings in vain.
func TestForeignSocketIOClientsNoticeSilence(t *testing.T) {
	t.Parallel()
	o := wireroom.Options{SocketIO: wireroom.SocketIO{PingInterval: time.Second, PingTimeout: 3 * time.Second}}
	run(t, o, []string{"node", "silence.mjs"}, nil)
}

// admit refuses whoever asks for it.
func admit(_ context.Context, _ *wireroom.Session, auth json.RawMessage) error {
	if strings.Contains(string(auth), `"refuse"`) {
		return &protocol.Error{Code: protocol.CodeForbidden, Message: "not you"}
	}
	return nil
}

// handleEvents registers what the clients ask for.
func handleEvents(server *wireroom.Server) {
	server.Handle("echo", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		return s.Emit("echoed", m.Args, m.Attachments)
	})
	server.Handle("acknowledge", func(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
		return m.ReplyArgs(m.Args, m.Attachments)
	})
	server.Handle("ask me", func(ctx context.Context, s *wireroom.Session, m wireroom.Message) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		answer, err := s.Call(ctx, "question", m.Data)
		if err != nil {
			return err
		}
		return m.Reply(answer.Data, len(answer.Bytes))
	})
	server.Handle("close me", func(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
		var code protocol.CloseCode
		if err := json.Unmarshal(m.Data, &code); err != nil {
			return err
		}
		s.Close(code, "as you wish", 0)
		return nil
	})
}
