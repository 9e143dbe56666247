package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/protocol"
)

// Handle gives a server the types of requests of the scenarios' application.
func Handle(server *wireroom.Server) {
	server.Handle("sum", sum)
	server.Handle("fail", fail)
	server.Handle("tell", tell)
}

// sum adds numbers.
func sum(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
	var numbers []float64
	if err := json.Unmarshal(m.Data, &numbers); err != nil {
		return &protocol.Error{Code: protocol.CodeInvalidData, Message: "not a list of numbers", Field: "data"}
	}
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	return m.Reply(total)
}

// fail fails as it is told to.
func fail(_ context.Context, _ *wireroom.Session, m wireroom.Message) error {
	var code protocol.Code
	if err := json.Unmarshal(m.Data, &code); err != nil {
		return err
	}
	return &protocol.Error{Code: code, Message: "as you wish"}
}

// tell says back what it is told, as an envelope of its own.
func tell(_ context.Context, s *wireroom.Session, m wireroom.Message) error {
	return s.Send("told", m.Data)
}

// Act is something that the application does by itself.
type Act struct {
	App     string `json:"app"` // kick, block, flood, crowd, shutdown
	Room    string `json:"room"`
	Target  string `json:"target"` // the user
	Reason  string `json:"reason"`
	Seconds int    `json:"seconds"`
	Count   int    `json:"count"` // of messages, of users
	Size    int    `json:"size"`  // of each message, in bytes
}

// Do does it.
func (s *Stage) Do(ctx context.Context, a *Act) error {
	duration := time.Duration(a.Seconds) * time.Second
	switch a.App {
	case "kick":
		return s.Server.Kick(ctx, a.Room, a.Target, a.Reason, duration)
	case "block":
		return s.Server.Block(ctx, a.Target, a.Reason, duration)
	case "flood":
		return s.flood(ctx, a)
	case "crowd":
		return s.crowd.come(s, a.Room, a.Count)
	case "shutdown":
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return s.Server.Shutdown(ctx)
	}
	return fmt.Errorf("stage: the application does not know how to %q", a.App)
}

// flood publishes many messages.
func (s *Stage) flood(ctx context.Context, a *Act) error {
	data := strings.Repeat("x", a.Size)
	for range a.Count {
		if _, err := s.Server.Publish(ctx, a.Room, data); err != nil {
			return fmt.Errorf("stage: flood: %w", err)
		}
	}
	return nil
}
