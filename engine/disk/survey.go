package disk

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// survey is what a store has, room by room, and what is wrong with it.
type survey struct {
	rooms map[string]*surveyed
	gaps  []gap
	bad   map[byte]int // records that do not say what was written, by space
	now   int64        // engine time, at least
}

// surveyed is what the store has of a room: of its messages, the newest that follow each other without a hole.
type surveyed struct {
	state       state
	known       bool // the room's record can be read
	first, last entry
	messages    uint64
	latest      map[string]entry // by event
	latestBytes uint64
	wrong       string // empty when the room is whole
}

// protocolRoom reports whether a name is a room's: what is read of damaged bytes may be anything.
func protocolRoom(name string) bool { return protocol.CheckRoom(name) }

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// surveyStore reads a store.
func surveyStore(src pebble.Reader, touched map[string]bool) *survey {
	s := &survey{rooms: make(map[string]*surveyed), bad: make(map[byte]int)}
	s.read(src, roomSpace, s.addState)
	s.read(src, messageSpace, s.addMessage)
	s.read(src, latestSpace, s.addLatest)
	for _, space := range [...]byte{epochSpace, keySpace, producerSpace, stampSpace, recordSpace} {
		s.read(src, space, func(string, []byte, []byte) {})
	}
	for name, r := range s.rooms {
		r.judge()
		if touched[name] && r.wrong == "" {
			r.wrong = "a write to it is damaged"
		}
	}
	return s
}

// read reads a space, and counts the records that do not say what was written.
func (s *survey) read(src pebble.Reader, space byte, add func(room string, key, value []byte)) {
	s.gaps = append(s.gaps, scan(src, space, func(key, value []byte) {
		room, _ := roomOf(key)
		if _, err := unseal(key, value); err != nil {
			s.bad[space]++
			if room != "" {
				s.room(room).wrong = fmt.Sprintf("a record of it is damaged: %v", err)
			}
			return
		}
		add(room, key, value)
	})...)
}

func (s *survey) room(name string) *surveyed {
	r := s.rooms[name]
	if r == nil {
		r = &surveyed{state: unwrittenState(protocol.NewEpoch()), latest: make(map[string]entry)}
		s.rooms[name] = r
	}
	return r
}

func (s *survey) addState(room string, key, value []byte) {
	known, err := decodeState(key, value)
	if err != nil {
		s.bad[roomSpace]++
		return
	}
	r := s.room(room)
	r.state, r.known = known, true
	s.now = max(s.now, known.used)
}

func (s *survey) addMessage(room string, key, value []byte) {
	r := s.room(room)
	_, e, err := decodeMessage(room, r.state.head.Epoch, key, value)
	if err != nil {
		s.bad[messageSpace]++
		return
	}
	if r.known && (e.position.Offset <= r.state.floor.Offset || e.position.Offset > r.state.head.Offset) {
		return // it had left, or its room does not know of it
	}
	if r.messages == 0 || e.before() != r.last.position {
		r.first, r.messages = e, 0
	}
	r.last = e
	r.messages++
	s.now = max(s.now, e.at)
}

func (s *survey) addLatest(room string, key, value []byte) {
	r := s.room(room)
	m, e, err := decodeMessage(room, r.state.head.Epoch, key, value)
	if err != nil {
		s.bad[latestSpace]++
		return
	}
	r.latestBytes += e.size
	r.latest[m.Event] = e // the newest comes last
}

// judge finds out whether the room is whole.
func (r *surveyed) judge() {
	kept := r.state.head.Offset - r.state.floor.Offset
	switch {
	case r.wrong != "":
	case !r.known:
		r.wrong = "its own record is lost"
	case r.messages != kept:
		r.wrong = fmt.Sprintf("%d of its %d messages are missing or damaged, or behind one that is", kept-r.messages, kept)
	case kept > 0 && (r.first.before() != r.state.floor || r.last.position != r.state.head):
		r.wrong = "its messages are not those that its record speaks of"
	case r.state.retention.Latest && r.latestBytes != r.state.latestBytes:
		r.wrong = "of its newest messages per event some are missing or damaged"
	}
}

// mended returns the state that the room gets by a repair, with another epoch and what is left of its messages.
func (r *surveyed) mended(now int64) state {
	s := r.state
	s.latestBytes = 0
	for _, e := range r.latest {
		s.latestBytes += e.size
	}
	if r.messages > 0 && !r.outran() {
		s.floor, s.floorTotal = r.first.before(), r.first.totalBefore()
		s.head, s.total = r.last.position, r.last.total
		s.time = max(s.time, r.last.time)
	} else {
		s.floor, s.floorTotal = s.head, s.total
	}
	if !r.known {
		s.used, s.retention, s.latestBytes = now, engine.Retention{Messages: int(max(r.messages, 1))}, 0
	}
	epoch := protocol.NewEpoch()
	s.head.Epoch, s.floor.Epoch, s.due = epoch, epoch, now
	return s
}

// outran reports whether a newest message per event is newer than all that is left of the log, which then begins anew
// behind it: nothing is kept that is beyond the head.
func (r *surveyed) outran() bool {
	if !r.known || !r.state.retention.Latest {
		return false
	}
	for _, e := range r.latest {
		if e.position.Offset > r.last.position.Offset {
			return true
		}
	}
	return false
}

// keeps reports whether a repair keeps a message of the room, by its key.
func (r *surveyed) keeps(s *state, key []byte, event string) bool {
	offset := keyOffset(key)
	if key[0] == latestSpace {
		return s.retention.Latest && s.latestBytes > 0 && r.latest[event].position.Offset == offset
	}
	return offset > s.floor.Offset && offset <= s.head.Offset
}
