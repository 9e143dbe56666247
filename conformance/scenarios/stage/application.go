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

// Fence is what the application says in a room at the end of a scenario: whoever is there has got what came before.
const Fence = "fence"

// Resident is what the names of users begin with whom the application puts into a room as soon as they are there:
// "resident-x" is in "room-x".
const Resident = "resident"

// settle puts a resident into its room.
func settle(ctx context.Context, s *wireroom.Session) error {
	if !strings.HasPrefix(s.User(), Resident) {
		return nil
	}
	_, err := s.Join(ctx, "room"+s.User()[strings.LastIndexByte(s.User(), '-'):], wireroom.JoinOptions{})
	return err
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
	App     string `json:"app"` // kick, block, flood, crowd, fence, shutdown
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
	case "fence":
		_, err := s.Server.Publish(ctx, a.Room, Fence)
		return err
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
