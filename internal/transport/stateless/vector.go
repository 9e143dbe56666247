// Package stateless is what the transports share that keep no session of their own: who asks, for which rooms, and
// where the client stands in each come with every request, which may reach any node.
package stateless

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/wireroom/wireroom/protocol"
)

// Bounds of one stream or poll.
const (
	MaxRooms  = 16
	MaxVector = 4 << 10 // bytes of a vector
)

// Stop is the vector of a client that shall not come back. A server that ends a stream for good sends it as the last
// id, so that an EventSource, which comes back whatever it was told, says so itself.
const Stop = "stop"

// What stands in a vector in the place of a position.
const (
	unprovable = "0" // the client gave something that is no position: no log proves it
	refused    = "-" // the client may not be in the room, and was told so
)

// standing is what a vector says of a room.
type standing uint8

const (
	nowhere  standing = iota // nothing
	standsAt                 // a position
	standsUnprovable
	standsRefused
)

// place is where a client stands in one room.
type place struct {
	room     string
	position protocol.Position
	standing standing
}

// Vector is where a client stands in the rooms that it asked for. Its text is `room=position,room=position`.
type Vector struct{ places []place }

// ErrVector reports text that is no vector.
var ErrVector = errors.New("not a vector of positions")

// newVector returns a vector of rooms that the client stands nowhere in.
func newVector(rooms []string) Vector {
	v := Vector{make([]place, len(rooms))}
	for i, room := range rooms {
		v.places[i].room = room
	}
	return v
}

// find returns the place of a room, or nil.
func (v *Vector) find(room string) *place {
	for i := range v.places {
		if v.places[i].room == room {
			return &v.places[i]
		}
	}
	return nil
}

// Move notes that the client stands at a position of a room; of rooms that are not in the vector nothing is noted. It
// reports whether the room is in it.
func (v *Vector) Move(room []byte, position protocol.Position) bool {
	for i := range v.places {
		if p := &v.places[i]; p.room == string(room) {
			p.position, p.standing = position, standsAt
			return true
		}
	}
	return false
}

// Saved is a vector as it was.
type Saved [MaxRooms]place

// Save remembers where the client stands, and Restore takes it back there.
func (v *Vector) Save(s *Saved) { copy(s[:], v.places) }

// Restore undoes what was noted since Save.
func (v *Vector) Restore(s *Saved) { copy(v.places, s[:]) }

// Same reports whether v and other, which have the same rooms in any order, say the same of one of them.
func (v *Vector) Same(other *Vector, room string) bool {
	a, b := v.find(room), other.find(room)
	return a != nil && b != nil && a.standing == b.standing && a.position == b.position
}

// Positioned reports whether the client has said where it stands in a room, provable or not.
func (v *Vector) Positioned(room string) bool {
	p := v.find(room)
	return p != nil && (p.standing == standsAt || p.standing == standsUnprovable)
}

// Refused reports whether the client was told that it may not be in a room.
func (v *Vector) Refused(room string) bool {
	p := v.find(room)
	return p != nil && p.standing == standsRefused
}

// Clone returns a copy.
func (v *Vector) Clone() Vector { return Vector{slices.Clone(v.places)} }

// Refuse notes that the client was told that it may not be in a room.
func (v *Vector) Refuse(room string) {
	if p := v.find(room); p != nil {
		p.standing = standsRefused
	}
}

// Append appends the text of the vector: the rooms that the client stands somewhere in.
func (v *Vector) Append(b []byte) []byte {
	first := true
	for i := range v.places {
		p := &v.places[i]
		if p.standing == nowhere {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, p.room...), '=')
		switch p.standing {
		case standsAt:
			b = p.position.Append(b)
		case standsUnprovable:
			b = append(b, unprovable...)
		case standsRefused:
			b = append(b, refused...)
		}
	}
	return b
}

// String returns the text of the vector.
func (v *Vector) String() string { return string(v.Append(nil)) }

// read notes what the text of a vector says of the rooms in v. Of a text that cannot be read, all that is known is that
// the client stood somewhere: its position cannot be proven. Where a room is named twice, the last one counts.
func (v *Vector) read(text string) error {
	if text == "" {
		return nil
	}
	if len(text) > MaxVector || hasControls(text) {
		return ErrVector
	}
	broken := false
	for entry := range strings.SplitSeq(text, ",") {
		room, position, ok := cutEntry(entry)
		if !ok {
			broken = true
			continue
		}
		if p := v.find(room); p != nil {
			p.set(position)
		}
	}
	if broken {
		for i := range v.places {
			if p := &v.places[i]; p.standing == nowhere {
				p.standing = standsUnprovable
			}
		}
	}
	return nil
}

// set notes the text of a position.
func (p *place) set(text string) {
	position, err := protocol.ParsePosition(text)
	switch {
	case err == nil:
		p.position, p.standing = position, standsAt
	case text == refused:
		p.position, p.standing = protocol.Position{}, standsRefused
	default:
		p.position, p.standing = protocol.Position{}, standsUnprovable
	}
}

// cutEntry splits an entry at its last "=": names of rooms have some, positions have none. One that is still encoded
// for a URL is decoded.
func cutEntry(entry string) (room, position string, ok bool) {
	if strings.ContainsRune(entry, '%') {
		decoded, err := url.PathUnescape(entry)
		if err != nil || hasControls(decoded) {
			return "", "", false
		}
		entry = decoded
	}
	i := strings.LastIndexByte(entry, '=')
	if i <= 0 || i == len(entry)-1 {
		return "", "", false
	}
	return entry[:i], entry[i+1:], true
}

// hasControls reports whether text has bytes that end lines or worse.
func hasControls(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
