package socketio

import (
	"crypto/rand"
	"strings"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/protocol"
)

// The client of Socket.IO keeps two strings for its recovery: the pid that it is given when it connects, and the offset,
// which is the last argument of the last event that ended with a string. It sends both when it comes back, and takes
// itself for recovered when it is given the same pid again.
//
// Here both are a nonce with a vector of positions behind it. The nonce is new whenever the client was told that it has
// not recovered: an offset with another one is from before that, or no offset at all but an argument of an application's,
// and where the client stands is what its pid says, as of when it connected.

// Bounds of what travels with every event. A client that stands in more rooms is not recovered, and told so when it comes
// back.
const (
	maxPlaces  = 32
	maxVector  = 4 << 10 // bytes
	nonceLen   = 16
	unprovable = "*" // in the place of a vector that would be too large
)

// place is where a client stands in one room.
type place struct {
	room     string // its full name
	position protocol.Position
	presence bool // it asked for presence
}

// stands is where a client stands. Its text is `nonce;room=position,room=position!`, with a ! where presence was asked
// for. The connection's lock guards it.
type stands struct {
	pid    string // as the client has it
	places []place
	text   []byte // of suffix
}

func (s *stands) nonce() string { return s.pid[:min(nonceLen, len(s.pid))] }

// renew begins anew: the client has not recovered.
func (s *stands) renew() {
	s.pid = string(s.appendVector([]byte(rand.Text()[:nonceLen] + ";")))
}

// join notes that the client is in a room from a position on.
func (s *stands) join(room string, at protocol.Position, presence bool) {
	s.leave(room)
	s.places = append(s.places, place{room, at, presence})
}

// leave notes that it is not in a room any more; it reports whether it was.
func (s *stands) leave(room string) bool {
	for i := range s.places {
		if s.places[i].room == room {
			s.places = append(s.places[:i], s.places[i+1:]...)
			return true
		}
	}
	return false
}

// move notes that the client stands at a position of a room that it is in.
func (s *stands) move(room []byte, at protocol.Position) {
	for i := range s.places {
		if p := &s.places[i]; p.room == string(room) {
			p.position = at
			return
		}
	}
}

// saved is where the client stood, in the same rooms.
type saved struct {
	few  [4]protocol.Position
	more []protocol.Position
}

func (s *stands) save() (v saved) {
	all := v.few[:0]
	if len(s.places) > len(v.few) {
		all = make([]protocol.Position, 0, len(s.places))
	}
	for i := range s.places {
		all = append(all, s.places[i].position)
	}
	if len(s.places) > len(v.few) {
		v.more = all
	}
	return v
}

func (s *stands) restore(v saved) {
	all := v.more
	if all == nil {
		all = v.few[:]
	}
	for i := range s.places {
		s.places[i].position = all[i]
	}
}

// suffix returns the end of an event.
func (s *stands) suffix() []byte {
	b := append(s.text[:0], `,"`...)
	b = append(append(b, s.nonce()...), ';')
	b = s.appendVector(b)
	s.text = append(b, `"]`...)
	if cap(s.text) > maxSuffix {
		defer func() { s.text = nil }()
	}
	return s.text
}

// maxSuffix bounds what is kept of a text, in bytes.
const maxSuffix = 256

// appendVector appends where the client stands.
func (s *stands) appendVector(b []byte) []byte {
	if len(s.places) > maxPlaces {
		return append(b, unprovable...)
	}
	start := len(b)
	for i := range s.places {
		if i > 0 {
			b = append(b, ',')
		}
		p := &s.places[i]
		b = p.position.Append(append(append(b, p.room...), '='))
		if p.presence {
			b = append(b, '!')
		}
	}
	if len(b)-start > maxVector {
		b = append(b[:start], unprovable...)
	}
	return b
}

// parseVector reads a vector; ok is false for what is none, or says nothing.
func parseVector(text string) (places []place, ok bool) {
	if text == "" {
		return nil, true
	}
	if len(text) > maxVector {
		return nil, false
	}
	for entry := range strings.SplitSeq(text, ",") {
		entry, presence := strings.CutSuffix(entry, "!")
		i := strings.LastIndexByte(entry, '=')
		if i <= 0 || len(places) == maxPlaces || !protocol.CheckRoom(entry[:i]) {
			return nil, false
		}
		at, err := protocol.ParsePosition(entry[i+1:])
		if err != nil {
			return nil, false
		}
		places = append(places, place{entry[:i], at, presence})
	}
	return places, true
}

// wasAt returns where a client says that it stood; ok is false when that cannot be known.
func wasAt(with *presented) (places []place, ok bool) {
	nonce, vector, ok := strings.Cut(with.pid, ";")
	if !ok || len(nonce) != nonceLen || !isNonce(nonce) || len(with.pid) > maxVector+nonceLen {
		return nil, false
	}
	places, ok = parseVector(vector)
	if later, found := strings.CutPrefix(with.offset, nonce+";"); found && (ok || vector == unprovable) {
		return parseVector(later)
	}
	return places, ok
}

// isNonce reports whether text needs no escape, wherever it is written.
func isNonce(text string) bool {
	return strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// restore takes the client back to the rooms in which it was, if nothing that it missed is gone and it may be in all of
// them; otherwise to none, and tells it so by another pid. What it missed follows when it is told that it is connected.
func (p *peer) restore(with *presented) {
	places, ok := wasAt(with)
	begun := 0
	for ; ok && begun < len(places); begun++ {
		ok = p.rejoin(&places[begun])
	}
	if !ok {
		for _, at := range places[:begun] {
			p.session.Drop(at.room)
		}
	}
	b := p.talk.conn.Begin()
	defer b.End()
	if ok {
		p.stands.pid = with.pid
		return
	}
	for _, at := range places[:begun] {
		p.stands.leave(at.room)
	}
	p.stands.renew()
}

// rejoin takes the client back to a room; it reports whether it can have all that it missed. An application that had it
// join already did so without knowing where it stood.
func (p *peer) rejoin(at *place) (recovered bool) {
	if !p.space.owns(at.room) {
		return false
	}
	p.session.Drop(at.room)
	q := hub.JoinRequest{Room: at.room, Since: at.position, Presence: at.presence}
	err := p.session.Join(p.talk.speech.ctx, q, func(j *protocol.Joined) { recovered = j.Recovered })
	return recovered && err == nil
}
