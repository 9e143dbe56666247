package socketio

import (
	"crypto/rand"
	"errors"
	"slices"
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

// move notes that the client stands at a position of a room that it is in; it reports whether that is the only one.
func (s *stands) move(room []byte, at protocol.Position) (only bool) {
	for i := range s.places {
		if p := &s.places[i]; p.room == string(room) {
			p.position = at
			return len(s.places) == 1
		}
	}
	return false
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
	return s.end(s.appendVector(s.begin()))
}

// suffixAt is suffix of a client that is in one room, whose place was written for all who are there.
func (s *stands) suffixAt(place []byte) []byte {
	b := append(s.begin(), place...)
	if s.places[0].presence {
		b = append(b, '!')
	}
	return s.end(b)
}

// begin and end put a vector into the end of an event.
func (s *stands) begin() []byte {
	return append(append(append(s.text[:0], `,"`...), s.nonce()...), ';')
}

func (s *stands) end(b []byte) []byte {
	b = append(b, `"]`...)
	if s.text = b; cap(b) > maxSuffix {
		s.text = nil
	}
	return b
}

// appendPlace appends where somebody stands in a room.
func appendPlace(b []byte, room string, at protocol.Position) []byte {
	return at.Append(append(append(b, room...), '='))
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
		b = appendPlace(b, p.room, p.position)
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
// Rooms in which an application has put it already it is in either way. An error is why that cannot be said now, or why it
// is not let into one of those again.
func (p *peer) restore(with *presented) *protocol.Error {
	places, ok := wasAt(with)
	held := p.held()
	begun := 0
	var failure *protocol.Error
	for ; ok && begun < len(places); begun++ {
		if ok, failure = p.rejoin(&places[begun], held); failure != nil {
			return failure
		}
	}
	if !ok {
		failure = p.fallBack(places[:begun], held)
	}
	b := p.talk.conn.Begin()
	defer b.End()
	if ok {
		p.stands.pid = with.pid
	} else {
		p.stands.renew()
	}
	return failure
}

// held returns where the client stands in the rooms in which an application has put it.
func (p *peer) held() []place {
	b := p.talk.conn.Begin()
	defer b.End()
	return slices.Clone(p.stands.places)
}

// placeIn returns the place in a room, or nil.
func placeIn(places []place, room string) *place {
	for i := range places {
		if places[i].room == room {
			return &places[i]
		}
	}
	return nil
}

// fallBack takes the client out of the rooms to which it was taken back, and into those again that an application had put
// it into.
func (p *peer) fallBack(tried, held []place) *protocol.Error {
	for _, at := range tried {
		own := placeIn(held, at.room)
		if own == nil {
			p.session.Drop(at.room)
			p.forgetPlace(at.room)
			continue
		}
		if _, err := p.join(own); err != nil {
			return err
		}
	}
	return nil
}

// forgetPlace notes that the client is not in a room any more.
func (p *peer) forgetPlace(room string) {
	b := p.talk.conn.Begin()
	defer b.End()
	p.stands.leave(room)
}

// rejoin takes the client back to a room; it reports whether it can have all that it missed. An application that had it
// join already did so without knowing where it stood: it stays a member, from there on. Where it may not see any more who
// is there, it is not told that. The error is that of an engine that cannot say.
func (p *peer) rejoin(at *place, held []place) (recovered bool, failure *protocol.Error) {
	if !p.space.owns(at.room) {
		return false, nil
	}
	back := *at
	if own := placeIn(held, at.room); own != nil {
		back.presence = back.presence || own.presence
	}
	recovered, err := p.join(&back)
	if err != nil && back.presence && (err.Field == "presence" || err.Code == protocol.CodePresenceDisabled) {
		back.presence = false
		recovered, err = p.join(&back)
	}
	if err != nil && err.Code.Retryable() && err.Code != protocol.CodeInternal {
		return false, err
	}
	return recovered && err == nil, nil
}

// join has the session be in a room from where the client stood.
func (p *peer) join(at *place) (recovered bool, failure *protocol.Error) {
	q := hub.JoinRequest{Room: at.room, Since: at.position, Presence: at.presence}
	err := p.session.Rejoin(p.talk.speech.ctx, q, func(j *protocol.Joined) { recovered = j.Recovered })
	if err != nil && !errors.As(err, &failure) {
		failure = protocol.ErrInternal
	}
	return recovered, failure
}
