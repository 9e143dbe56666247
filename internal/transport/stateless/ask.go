package stateless

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// Bounds of the name that a client gives itself, in bytes: 16 of 64 different ones are 96 bits.
const (
	minClientLen = 16
	maxClientLen = 64
)

// How long a poll waits for something to tell, unless it says so itself.
const (
	defaultWait = 25 * time.Second
	maxWait     = 60 * time.Second
)

// ownInbox stands in a request for the inbox of whoever sends it.
const ownInbox = "@"

// Ask is what a stream or a poll asks for.
type Ask struct {
	Vector    Vector // of the rooms that were asked for, and what the client says where it stands in them
	Client    string // the name that the client gave itself, or empty
	Last      int    // how many of the newest messages a room begins with that the client stands nowhere in
	Presence  bool   // in every room
	JSONPings bool   // heartbeats that a program sees that sees no comments
	Wait      time.Duration
	Number    int64 // of this poll of the client, which rises; 0 if it does not count them
	Got       int64 // the number of the newest poll whose answer the client has; 0 if it does not say
	Stopped   bool  // the client was told not to come back
	Resumed   bool  // the client has been here before: it says where it stands
}

// Parse reads what a request asks for. user is who asks.
func Parse(r *http.Request, user string) (*Ask, *protocol.Error) {
	query := r.URL.Query()
	a := &Ask{Wait: defaultWait, JSONPings: query.Get("heartbeat") == "json"}
	rooms, err := roomsOf(query, user)
	if err != nil {
		return nil, err
	}
	a.Vector = newVector(rooms)
	if a.Client, err = ClientOf(query); err != nil {
		return nil, err
	}
	if err := a.parsePlaces(Given(r)); err != nil {
		return nil, err
	}
	return a, a.parseOptions(query)
}

// roomsOf returns the rooms that a request names, each once.
func roomsOf(query url.Values, user string) ([]string, *protocol.Error) {
	var rooms []string
	for _, room := range query["room"] {
		if room == ownInbox {
			room = protocol.Inbox(user)
		}
		if !protocol.CheckRoom(room) {
			return nil, fail(protocol.CodeInvalidRoom, "room", "not the name of a room; in a query + is written %2B")
		}
		if slices.Contains(rooms, room) {
			continue
		}
		if len(rooms) == MaxRooms {
			return nil, fail(protocol.CodeRoomLimit, "room", fmt.Sprintf("more than %d rooms", MaxRooms))
		}
		rooms = append(rooms, room)
	}
	if len(rooms) == 0 {
		return nil, fail(protocol.CodeBadRequest, "room", "a room is needed: ?room=NAME")
	}
	return rooms, nil
}

// unspaced undoes that "+" stands for a space in a query, which some forget: vectors have none.
func unspaced(text string) string { return strings.ReplaceAll(text, " ", "+") }

// ClientOf returns the name that a client gives itself, or "".
func ClientOf(query url.Values) (string, *protocol.Error) {
	client := query.Get("client")
	if client == "" {
		return "", nil
	}
	if len(client) < minClientLen || len(client) > maxClientLen || strings.ContainsFunc(client, isNoClientByte) {
		return "", fail(protocol.CodeBadRequest, "client", "a client has 16 to 64 bytes of A-Z a-z 0-9 _ . -, of them 96 random bits")
	}
	return client, nil
}

func isNoClientByte(r rune) bool {
	letter := 'a' <= r|0x20 && r|0x20 <= 'z' && r < 0x80
	return !letter && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
}

// Given returns where a client says that it stands: as its browser says, which knows best after it came back by
// itself, or as its page or program did.
func Given(r *http.Request) string {
	text := r.Header.Get("Last-Event-ID")
	for _, parameter := range []string{"lastEventId", "cursor"} {
		if text == "" {
			text = unspaced(r.URL.Query().Get(parameter))
		}
	}
	return text
}

// parsePlaces reads where the client stands.
func (a *Ask) parsePlaces(text string) *protocol.Error {
	if len(text) > MaxVector {
		return fail(protocol.CodeRoomLimit, "cursor", fmt.Sprintf("more than %d bytes of positions", MaxVector))
	}
	a.Stopped, a.Resumed = text == Stop, text != ""
	if a.Stopped {
		return nil
	}
	if err := a.Vector.read(text); err != nil {
		return fail(protocol.CodeBadRequest, "cursor", err.Error())
	}
	return nil
}

// parseOptions reads what is left of the query.
func (a *Ask) parseOptions(query url.Values) *protocol.Error {
	var err error
	if text := query.Get("last"); text != "" {
		if a.Last, err = strconv.Atoi(text); err != nil || a.Last < 0 {
			return fail(protocol.CodeBadRequest, "last", "last must be an integer")
		}
	}
	if text := query.Get("presence"); text != "" {
		if a.Presence, err = strconv.ParseBool(text); err != nil {
			return fail(protocol.CodeBadRequest, "presence", "presence must be true or false")
		}
	}
	for name, number := range map[string]*int64{"n": &a.Number, "got": &a.Got} {
		if text := query.Get(name); text != "" {
			if *number, err = strconv.ParseInt(text, 10, 64); err != nil || *number <= 0 {
				return fail(protocol.CodeBadRequest, name, name+" must be a positive integer")
			}
		}
	}
	if text := query.Get("wait"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds >= 0) {
			return fail(protocol.CodeBadRequest, "wait", "wait must be a number of seconds")
		}
		a.Wait = time.Duration(min(seconds, maxWait.Seconds()) * float64(time.Second))
	}
	return nil
}

// Rooms returns the rooms that were asked for.
func (a *Ask) Rooms() []string {
	rooms := make([]string, len(a.Vector.places))
	for i := range rooms {
		rooms[i] = a.Vector.places[i].room
	}
	return rooms
}

// Join is the request that asks for one room.
type Join struct {
	protocol.Request
	room string
}

// Room returns the room.
func (j *Join) Room() string { return j.room }

// Joins returns the requests with which a session joins the rooms of the vector, in order. Each has the room's name as
// its id.
func (a *Ask) Joins() []Join {
	joins := make([]Join, len(a.Vector.places))
	for i := range a.Vector.places {
		joins[i] = a.join(&a.Vector.places[i])
	}
	return joins
}

func (a *Ask) join(p *place) Join {
	j := Join{room: p.room}
	r := &j.Request
	r.Kind, r.Type, r.Room = protocol.KindJoin, []byte(protocol.TypeJoin), []byte(p.room)
	r.ID = protocol.AppendString(nil, p.room)
	r.Has = protocol.HasType | protocol.HasID | protocol.HasRoom
	if r.Presence = a.Presence; r.Presence {
		r.Has |= protocol.HasPresence
	}
	switch p.standing {
	case standsAt:
		r.Since, r.Has = p.position.Append(nil), r.Has|protocol.HasSince
	case standsUnprovable:
		r.Since, r.Has = []byte(unprovable), r.Has|protocol.HasSince
	default:
		if r.Last = a.Last; r.Last > 0 {
			r.Has |= protocol.HasLast
		}
	}
	return j
}

func fail(code protocol.Code, field, message string) *protocol.Error {
	return &protocol.Error{Code: code, Field: field, Message: message}
}
