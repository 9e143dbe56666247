// Package recorder keeps the turning points in the lives of a node's clients, for whoever asks later why a user did not
// get a message: memberships and connections that ended, what was refused, what members were moved past. Those who are
// still here it does not keep: they are looked at when somebody asks.
//
// What it keeps is bounded: PerUser turns of one user, and so many in all; of the users of whom nothing was heard for
// longest all are forgotten first.
package recorder

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Bounds of what is kept.
const (
	// DefaultTurns is how many turns are kept of all users together: about 150 bytes each, and 200 more for each user.
	// When it is full that is 10 to 25 MiB.
	DefaultTurns = 65_536
	PerUser      = 64
	perRoom      = 256 // turns that are of everybody in some room
	shards       = 16
	leastUsers   = 4   // of whom a shard has room for all turns
	maxText      = 100 // bytes of what was said
)

// Kind says what kind of turn it was.
type Kind uint8

// The kinds.
const (
	Left    Kind = iota // a membership ended
	Ended               // a connection ended
	Refused             // something was refused
	Moved               // a member was moved past something
)

// String returns the kind as the API calls it.
func (k Kind) String() string { return [...]string{"left", "ended", "refused", "moved"}[k] }

// Turn is a turning point of a client.
type Turn struct {
	At     int64 // Unix milliseconds
	Since  int64 // when what ended began: the membership, the connection, being behind; Refused: the first of Count
	Client string
	Room   string            // empty for a connection
	From   protocol.Position // Left: as hub.Stay. Moved: what was stored after it, and up to To, was passed
	To     protocol.Position // Left: what was stored up to it was given to the client
	Why    string            // Left, Moved: as the hub says. Ended: the reason. Refused: the error's code
	Text   string            // Refused: the error's message
	What   string            // Refused: what was wanted
	Code   protocol.CloseCode
	Count  uint32 // how often in a row, where repetitions are one turn
	Behind int64  // Left: as hub.Stay
	Kind   Kind
	Latest bool // Left: as hub.Stay
}

// Recorder keeps turns. It implements hub.Observer and session.Observer. Its methods may be called at once, and do not
// block.
type Recorder struct {
	birth    int64
	seed     maphash.Seed
	shards   [shards]shard
	everyone ring
	replaced replaced
}

// shard has a part of the users.
type shard struct {
	mu        sync.Mutex
	most      int // turns
	count     int
	users     map[string]*trail
	oldest    *trail // of whom nothing was heard for longest; the list goes on to the newest
	newest    *trail
	forgotten int64 // the newest turn of those that were forgotten
}

// trail is what is kept of one user.
type trail struct {
	ring
	user        string
	since       int64 // of what was before, something may have been forgotten; 0: nothing was
	older, next *trail
}

// ring is the newest turns, at most so many; the zero value has none.
type ring struct {
	mu    sync.Mutex // of everyone; a trail's shard is locked instead
	turns []Turn
	first int  // where the oldest stands
	over  bool // older ones were dropped
}

// New returns a recorder that keeps so many turns, at least 4,096; 0 is DefaultTurns.
func New(turns int) *Recorder {
	if turns == 0 {
		turns = DefaultTurns
	}
	r := &Recorder{birth: time.Now().UnixMilli(), seed: maphash.MakeSeed()}
	r.replaced.seed = r.seed
	for i := range r.shards {
		r.shards[i].most = max(turns/shards, leastUsers*PerUser)
		r.shards[i].users = make(map[string]*trail)
	}
	return r
}

// Left implements hub.Observer.
func (r *Recorder) Left(c *hub.Client, s hub.Stay, why string) {
	r.add(c.User, &Turn{
		Kind: Left, Client: c.ID, Room: s.Room, Since: s.Since, From: s.From, To: s.At, Why: why,
		Behind: s.Behind, Latest: s.Latest,
	})
}

// Moved implements hub.Observer.
func (r *Recorder) Moved(c *hub.Client, room string, m hub.Move) {
	t := Turn{At: time.Now().UnixMilli(), Kind: Moved, Room: room, Since: m.Since, From: m.From, To: m.To, Why: m.Why}
	if c == nil {
		r.everyone.mu.Lock()
		defer r.everyone.mu.Unlock()
		r.everyone.add(&t, perRoom)
		return
	}
	t.Client, t.Count = c.ID, 1
	r.add(c.User, &t)
}

// Replaced implements hub.Observer.
func (r *Recorder) Replaced(room string, p protocol.Position) { r.replaced.add(room, p) }

// Ended implements session.Observer.
func (r *Recorder) Ended(c hub.Client, since int64, e session.Ended) {
	r.add(c.User, &Turn{Kind: Ended, Client: c.ID, Since: since, Code: e.Code, Why: clip(e.Reason)})
}

// Refused implements session.Observer.
func (r *Recorder) Refused(c hub.Client, f session.Refusal) {
	r.add(c.User, &Turn{
		Kind: Refused, Client: c.ID, Room: f.Room, What: f.What, Why: string(f.Err.Code), Text: clip(f.Err.Message), Count: 1,
	})
}

// clip returns a copy of a text that is not too long: what it is a part of may be long, and is not to be kept.
func clip(text string) string {
	return strings.Clone(strings.ToValidUTF8(text[:min(len(text), maxText)], ""))
}

// add keeps a turn of a user, who may be nobody yet.
func (r *Recorder) add(user string, t *Turn) {
	if user == "" {
		return
	}
	t.At = time.Now().UnixMilli()
	s := r.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.trail(user)
	if of.repeats(t) {
		return
	}
	if of.add(t, PerUser) {
		s.count++
	}
	for s.count > s.most && s.oldest != of {
		s.forget(s.oldest)
	}
}

func (r *Recorder) shard(user string) *shard {
	return &r.shards[maphash.String(r.seed, user)%shards]
}

// trail returns what is kept of a user, as the newest one heard of.
func (s *shard) trail(user string) *trail {
	t := s.users[user]
	switch t {
	case nil:
		t = &trail{user: strings.Clone(user), since: s.forgotten}
		s.users[t.user] = t
	case s.newest:
		return t
	default:
		s.unlink(t)
	}
	t.older = s.newest
	if s.newest != nil {
		s.newest.next = t
	} else {
		s.oldest = t
	}
	s.newest = t
	return t
}

// unlink takes a trail out of the list.
func (s *shard) unlink(t *trail) {
	if t.older != nil {
		t.older.next = t.next
	} else {
		s.oldest = t.next
	}
	if t.next != nil {
		t.next.older = t.older
	} else {
		s.newest = t.older
	}
	t.older, t.next = nil, nil
}

// forget drops what is kept of a user.
func (s *shard) forget(t *trail) {
	s.unlink(t)
	delete(s.users, t.user)
	s.count -= len(t.turns)
	s.forgotten = max(s.forgotten, t.at(len(t.turns)-1).At)
}

// at returns the i-th oldest turn.
func (r *ring) at(i int) *Turn { return &r.turns[(r.first+i)%len(r.turns)] }

// add appends a turn, in the place of the oldest if there are so many already; it reports whether there is one more.
func (r *ring) add(t *Turn, most int) bool {
	if len(r.turns) < most {
		r.turns = append(r.turns, *t)
		return true
	}
	r.turns[r.first] = *t
	r.first = (r.first + 1) % most
	r.over = true
	return false
}

// repeats makes one of the newest turn and another one that only repeats it, and reports whether it does: a refusal that
// is the same, or the next step past the newest of each event.
func (r *ring) repeats(t *Turn) bool {
	if len(r.turns) == 0 {
		return false
	}
	last := r.at(len(r.turns) - 1)
	same := last.Kind == t.Kind && last.Room == t.Room && last.What == t.What && last.Why == t.Why && last.Client == t.Client
	switch {
	case !same:
		return false
	case t.Kind == Refused:
		if last.Count == 1 {
			last.Since = last.At
		}
	case t.Kind == Moved && (t.Why == hub.MovedLatest || t.Why == hub.MovedEphemeral):
		if last.Since != t.Since {
			return false // between the two the member got what there was
		}
		last.To = t.To
	default:
		return false
	}
	last.At = t.At
	last.Count++
	return true
}

// list returns the turns, the oldest first.
func (r *ring) list() []Turn {
	all := make([]Turn, len(r.turns))
	for i := range all {
		all[i] = *r.at(i)
	}
	return all
}

// Turns returns what is kept of a user, the oldest first, and since when there is nothing missing, in Unix
// milliseconds. A nil Recorder keeps nothing.
func (r *Recorder) Turns(user string) (turns []Turn, since int64) {
	if r == nil {
		return nil, time.Now().UnixMilli()
	}
	s := r.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.users[user]
	if t == nil {
		return nil, max(r.birth, s.forgotten)
	}
	turns, since = t.list(), max(r.birth, t.since)
	if t.over {
		since = turns[0].At
	}
	return turns, since
}

// Everyone returns what all members of a room were moved past. A nil Recorder keeps nothing.
func (r *Recorder) Everyone(room string) []Turn {
	if r == nil {
		return nil
	}
	r.everyone.mu.Lock()
	defer r.everyone.mu.Unlock()
	var of []Turn
	for _, t := range r.everyone.list() {
		if t.Room == room {
			of = append(of, t)
		}
	}
	return of
}

// Replacing reports whether a newer message took the place of one before any live member was given that, as far as is
// known. A nil Recorder knows nothing.
func (r *Recorder) Replacing(room string, p protocol.Position) bool {
	return r != nil && r.replaced.has(room, p)
}
