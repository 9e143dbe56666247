package protocol

import "encoding/json"

// Types of the envelopes of the protocol.
const (
	TypeAuth          = "auth"
	TypeJoin          = "join"
	TypeLeave         = "leave"
	TypePublish       = "publish"
	TypePresence      = "presence"
	TypeState         = "state"
	TypeHistory       = "history"
	TypePing          = "ping"
	TypePong          = "pong"
	TypeWelcome       = "welcome"
	TypeAuthRequired  = "auth_required"
	TypeOK            = "ok"
	TypeError         = "error"
	TypeMessage       = "message"
	TypeUserJoined    = "user_joined"
	TypeUserLeft      = "user_left"
	TypeGap           = "gap"
	TypeKicked        = "kicked"
	TypeTokenExpiring = "token_expiring"
	TypeDraining      = "draining"
)

// Version is the version of the protocol.
const Version = 1

// Push is an envelope that the server sends without being asked. The types of this package that implement it are
// Message, Welcome, AuthRequired, UserEvent, Presence, State, Gap, Kicked, TokenExpiring, Draining, Ping and Pong;
// a dialect switches over them.
type Push interface {
	// Type returns the envelope's type.
	Type() string
	// AppendFields appends the envelope's fields behind the type: each with a comma in front, no braces.
	AppendFields(b []byte) []byte
}

// Result is what an ok carries. The types of this package that implement it are Authenticated, Joined, Left,
// Published, Presence, History and Answer.
type Result interface {
	// AppendFields appends the reply's own fields: each with a comma in front, no braces.
	AppendFields(b []byte) []byte
}

// Reply answers one request: with Result, or with Err where it is not nil. Both nil is a bare ok.
type Reply struct {
	ID     []byte // the request's id as raw JSON; empty when it had none
	Of     string // the request's type; empty when it could not be read
	Result Result
	Err    *Error
}

// Welcome opens a session.
type Welcome struct {
	Client       string  `json:"client"`
	User         string  `json:"user"`
	Inbox        string  `json:"inbox"`
	Token        string  `json:"token,omitempty"` // with which an anonymous user returns
	Node         string  `json:"node"`
	Protocol     int     `json:"protocol"`
	PingInterval float64 `json:"ping_interval"` // seconds
	MaxMessage   int     `json:"max_message"`   // bytes of one incoming frame
	Durability   string  `json:"durability"`    // memory, disk or engine
	Users        int     `json:"users"`         // connected now
	Time         int64   `json:"ts"`            // Unix milliseconds
}

// AuthRequired asks for an auth request.
type AuthRequired struct {
	Timeout float64 `json:"timeout"` // seconds
}

// Member is one user in a room's presence.
type Member struct {
	User  string          `json:"user"`
	Name  string          `json:"name,omitempty"`
	State json.RawMessage `json:"state,omitempty"` // the member's own data
}

// UserEvent tells that the first connection of a user joined a room, that a user who is there has another name from now
// on, or that the last connection left it.
type UserEvent struct {
	Left bool   `json:"-"`
	Room string `json:"room"`
	Member
	Count int `json:"count"` // users in the room now
}

// Presence lists the users of a room: a push above 200 users and after a gap in the presence events, and the result
// of a presence request.
type Presence struct {
	Room    string   `json:"room,omitempty"`
	Count   int      `json:"count"`
	Members []Member `json:"members,omitempty"`
	Next    string   `json:"next,omitempty"` // continues the list in another request
}

// State tells that a member changed its own data.
type State struct {
	Room  string          `json:"room"`
	User  string          `json:"user"`
	State json.RawMessage `json:"state"`
}

// Gap tells that messages of a room were missed for good: reload, then go on from Position, the room's head.
type Gap struct {
	Room     string   `json:"room"`
	Reason   Reason   `json:"reason"`
	Position Position `json:"pos"`
}

// Kicked tells that the client was put out of a room.
type Kicked struct {
	Room   string  `json:"room"`
	Reason string  `json:"reason"`
	For    float64 `json:"for"` // seconds during which joining is forbidden
}

// TokenExpiring asks for a fresh token.
type TokenExpiring struct {
	ExpiresIn float64 `json:"expires_in"` // seconds
}

// Draining tells that the server will close the connection with CloseDraining.
type Draining struct {
	ReconnectAfter float64 `json:"reconnect_after"` // seconds
}

// Ping is the JSON ping of the server.
type Ping struct{}

// Pong answers a client's JSON ping.
type Pong struct {
	Time       json.RawMessage `json:"ts,omitempty"` // what the ping carried
	ServerTime int64           `json:"server_ts"`    // Unix milliseconds
}

// Authenticated is the result of auth.
type Authenticated struct {
	User      string `json:"user"`
	Name      string `json:"name,omitempty"`
	ExpiresAt int64  `json:"expires_at,omitempty"` // Unix milliseconds
}

// Joined is the result of join.
type Joined struct {
	Room         string   `json:"room"`
	Already      bool     `json:"already,omitempty"` // was a member; all other fields are absent
	Position     Position `json:"pos,omitzero"`      // where delivery starts from
	Head         Position `json:"head,omitzero"`
	Count        int      `json:"count"`               // messages that follow, up to Head
	WithSince    bool     `json:"-"`                   // the request had since: Recovered and Reason are written
	Recovered    bool     `json:"recovered,omitempty"` // with since only
	Reason       Reason   `json:"reason,omitempty"`    // why not recovered
	WithPresence bool     `json:"-"`                   // the request asked for presence: Present and Members are written
	Present      int      `json:"present,omitempty"`   // users in the room
	Members      []Member `json:"members,omitempty"`   // at most 100 of them
}

// Left is the result of leave.
type Left struct {
	Room string `json:"room"`
}

// Published is the result of publish.
type Published struct {
	Room      string   `json:"room"`
	Position  Position `json:"pos,omitzero"` // absent for an ephemeral message
	Time      int64    `json:"ts"`           // Unix milliseconds
	Duplicate bool     `json:"duplicate,omitempty"`
}

// History is the result of history.
type History struct {
	Room     string     `json:"room"`
	Messages []*Message `json:"messages"`
	Position Position   `json:"pos"` // of the newest message listed; the head where the list reaches it or is refused
	More     bool       `json:"more,omitempty"`
	Refused  Reason     `json:"reason,omitempty"` // the position given cannot be proven; written with recovered:false
}

// Answer is the result of an application's own type: raw JSON, written as data.
type Answer struct {
	Data        json.RawMessage   `json:"data"`
	Args        []json.RawMessage `json:"-"` // as those of Custom
	Attachments [][]byte          `json:"-"`
}
