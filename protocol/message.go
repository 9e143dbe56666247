package protocol

import "encoding/json"

// Sender says who sent a message. The server stamps it; a client cannot.
type Sender struct {
	User   string `json:"user"`
	Client string `json:"client,omitempty"` // names one client of the user across its requests
	Name   string `json:"name,omitempty"`   // a display name
}

// Message is one entry of a room. Once it was handed to an engine it is immutable and shared; nobody changes it or
// its slices.
type Message struct {
	Room     string          `json:"room"`
	Position Position        `json:"pos,omitzero"` // zero for an ephemeral message
	From     Sender          `json:"from"`
	Time     int64           `json:"ts"` // Unix milliseconds, set by the engine
	Event    string          `json:"event,omitempty"`
	Key      string          `json:"key,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"` // the application's JSON, byte for byte; nil when Bytes is set
	Bytes    []byte          `json:"bytes,omitzero"` // a binary payload; not nil, though perhaps empty, when there is one
	ID       uint64          `json:"-"`              // 64 random bits; zero for an ephemeral message
	Exclude  string          `json:"-"`              // the client that the live copy is not delivered to
}

// Type returns "message".
func (m *Message) Type() string { return TypeMessage }

// Size returns roughly what m costs in memory, in bytes; retention and budgets count it.
func (m *Message) Size() int {
	return 200 + len(m.Room) + len(m.From.User) + len(m.From.Client) + len(m.From.Name) + len(m.Event) + len(m.Key) + len(m.Data) + len(m.Bytes)
}
