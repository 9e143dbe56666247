package recorder

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// Question asks why a user did not get a message.
type Question struct {
	User     string
	Room     string
	Position protocol.Position // of the message; zero for one that is not stored, or where nobody knows whether it is
	Time     int64             // when it was published, in Unix milliseconds
	Exclude  string            // the client that it was not for
	// Newer is where the next message of the same event stands; zero where there is none, and where nobody knows.
	Newer      protocol.Position
	NewerKnown bool // Newer is certain, also where it is zero
}

// Visit is a membership of a user who is still there, over one connection.
type Visit struct {
	Client string
	Stay   hub.Stay
}

// Connection is a client of a user that is connected.
type Connection struct {
	Client string
	Since  int64 // Unix milliseconds
}

// Facts are what is known of a user on one node, to answer a Question.
type Facts struct {
	Here      []Visit      // memberships of the room that there are now
	Connected []Connection // of the user
	Turns     []Turn       // of the user, the oldest first
	Everyone  []Turn       // what all members of the room were moved past
	Since     int64        // of what was before, something may be missing; Unix milliseconds
	Replaced  bool         // a newer message took the message's place before anybody got it
}

// Reason says what became of a message for a user.
type Reason string

// The reasons, those that say most first.
const (
	Delivered    Reason = "delivered"     // it was given to the client's socket
	Late         Reason = "late"          // so it was, after the client had been behind
	Behind       Reason = "behind"        // it waits until the client's socket takes bytes
	Excluded     Reason = "excluded"      // its publisher left this client out
	ByLatest     Reason = "latest"        // a newer message of the same event took its place
	ByEphemeral  Reason = "ephemeral"     // it is not stored, and the client was behind or away
	Lost         Reason = "gap"           // it had left the log before the client could have it; the client was told
	NoPermission Reason = "no_permission" // the user was not allowed to be in the room
	Limited      Reason = "limited"       // the user had gone beyond a limit
	Kicked       Reason = "kicked"        // the user had been put out of the room
	Gone         Reason = "disconnected"  // the connection had ended
	WentAway     Reason = "left"          // the client had left the room
	Unknown      Reason = "unknown"       // nothing is known of that time, or not enough
	NotJoined    Reason = "not_joined"    // the client was not in the room yet, or never
)

// reasons are all of them, in their order.
var reasons = []Reason{
	Delivered, Late, Behind, Excluded, ByLatest, ByEphemeral, Lost, NoPermission, Limited, Kicked, Gone, WentAway, Unknown, NotJoined,
}

// Finding is what became of a message for one connection of a user, or for the user.
type Finding struct {
	Reason Reason `json:"reason"`
	Text   string `json:"text"` // a sentence about it
	Client string `json:"client,omitempty"`
	Time   int64  `json:"ts,omitempty"` // when that happened, in Unix milliseconds
}

// Compare tells which of two findings says more: that comes first. One with a reason that only a newer node knows comes last.
func Compare(a, b Finding) int { return cmp.Compare(a.rank(), b.rank()) }

func (f *Finding) rank() int {
	if i := slices.Index(reasons, f.Reason); i >= 0 {
		return i
	}
	return len(reasons)
}

// Explain answers a question: a finding for each connection over which the user was in the room then, the one that says
// most first; if there was none, why not.
func Explain(q Question, f Facts) []Finding {
	var found []Finding
	all := visits(&q, &f)
	for _, v := range all {
		if v.covers(&q) {
			found = append(found, v.explain(&q, &f))
		}
	}
	if len(found) == 0 {
		found = absent(&q, &f, all)
	}
	slices.SortStableFunc(found, Compare)
	return found
}

// visit is a membership, of which some have ended.
type visit struct {
	Visit
	end *Turn // nil while it lasts
}

// visits returns the memberships of the room that are known, in the order in which they began.
func visits(q *Question, f *Facts) []visit {
	var all []visit
	for i := range f.Turns {
		if t := &f.Turns[i]; t.Kind == Left && t.Room == q.Room {
			stay := hub.Stay{Room: t.Room, Since: t.Since, From: t.From, At: t.To, Behind: t.Behind, Latest: t.Latest}
			all = append(all, visit{Visit{t.Client, stay}, t})
		}
	}
	for _, v := range f.Here {
		all = append(all, visit{Visit: v})
	}
	slices.SortStableFunc(all, func(a, b visit) int { return cmp.Compare(a.Stay.Since, b.Stay.Since) })
	return all
}

// covers reports whether the message is one that the membership is about: by its position, where it has one in the same
// log, otherwise by its time.
func (v *visit) covers(q *Question) bool {
	s := &v.Stay
	switch {
	case !q.Position.IsZero() && q.Position.Epoch == s.From.Epoch:
		return q.Position.Offset > s.From.Offset && (v.end == nil || q.Position.Offset <= s.At.Offset) || v.handedOver(q)
	case v.end != nil:
		return q.Time >= s.Since && q.Time <= v.end.At
	}
	return q.Time >= s.Since
}

// handedOver reports whether the message was the newest of its event when the membership began, in a room where that is
// what members begin with, and whether the member has come so far.
func (v *visit) handedOver(q *Question) bool {
	s := &v.Stay
	return s.Latest && q.NewerKnown && q.Position.Offset <= s.From.Offset && (q.Newer.IsZero() || q.Newer.Offset > s.From.Offset) &&
		(v.end == nil || s.At.Epoch != q.Position.Epoch || q.Position.Offset <= s.At.Offset)
}

// explain says what became of the message for a membership that it is about.
func (v *visit) explain(q *Question, f *Facts) Finding {
	say := func(r Reason, at int64, format string, values ...any) Finding {
		return Finding{Reason: r, Client: v.Client, Time: at, Text: fmt.Sprintf(format, values...)}
	}
	if q.Exclude != "" && q.Exclude == v.Client {
		return say(Excluded, q.Time, "The message was published for everybody but this client.")
	}
	if q.Position.IsZero() {
		return v.explainTime(f, q, say)
	}
	handed := q.Position.Epoch == v.Stay.From.Epoch && v.handedOver(q)
	if past := v.past(q, f); past != nil && !handed {
		return tell(past, q, say)
	}
	switch s := &v.Stay; {
	case f.Replaced && s.Latest && !handed:
		return say(ByLatest, q.Time, "A newer message of the same event came before this one was sent: the room's rule is latest.")
	case v.end == nil && s.Behind != 0 && q.Position.Offset > s.At.Offset:
		return say(Behind, s.Behind, "The client does not read what it is sent, since %s: the message waits for it.", clock(s.Behind))
	case v.end == nil && q.Position.Offset > s.At.Offset:
		return say(Behind, q.Time, "The message is being sent just now.")
	}
	if late := v.late(q.Position, q.Time, f); late != nil {
		return say(Late, late.At, "The client had not read what it was sent from %s on, and got the message at %s.", clock(late.Since), clock(late.At))
	}
	if s := &v.Stay; q.Time < s.Since {
		return say(Delivered, s.Since, "The client joined at %s, and was given the message then.", clock(s.Since))
	}
	return say(Delivered, q.Time, "The message was handed to the client's connection.")
}

// tell says what a member was moved past.
func tell(t *Turn, q *Question, say func(Reason, int64, string, ...any) Finding) Finding {
	if t.Why == hub.MovedLatest && !q.NewerKnown {
		return say(Unknown, t.At, "The client was behind, and was given only the newest message of each event; whether this was one is not known any more.")
	}
	if t.Why == hub.MovedLatest {
		return say(ByLatest, t.At, "The client was behind, and was given only the newest message of each event: the room's rule is latest.")
	}
	why := map[string]string{
		string(protocol.ReasonLagged):   "The client fell so far behind that the message had left the room's log",
		string(protocol.ReasonExpired):  "When the client came back the message had left the room's log",
		string(protocol.ReasonTooMany):  "When the client came back it had missed too many messages to be given them all",
		string(protocol.ReasonEpoch):    "The room's log had begun anew",
		string(protocol.ReasonDiverged): "The room's log had become another one",
	}[t.Why]
	return say(Lost, t.At, "%s; it was told so at %s, and went on with what is newer.", cmp.Or(why, "The message was gone ("+t.Why+")"), clock(t.At))
}

// explainTime says what became of a message of which only the time is known, for a membership of that time: whether it was
// stored nobody knows.
func (v *visit) explainTime(f *Facts, q *Question, say func(Reason, int64, string, ...any) Finding) Finding {
	for i := range f.Turns {
		t := &f.Turns[i]
		if t.Kind == Moved && t.Room == q.Room && v.saw(t) && t.Since != 0 && t.Since <= q.Time && q.Time <= t.At && t.Why != hub.MovedLate {
			return say(ByEphemeral, t.At, "The client was behind from %s to %s, and what is not stored was dropped meanwhile; %s.",
				clock(t.Since), clock(t.At), meanwhile(t.Why))
		}
	}
	s := &v.Stay
	if s.Behind != 0 && s.Behind <= q.Time {
		if v.end == nil {
			return say(Behind, s.Behind, "The client does not read what it is sent, since %s; what is not stored waits only a short while.", clock(s.Behind))
		}
		return say(Behind, v.end.At, "The client did not read what it was sent from %s until it was gone, at %s: what waited then was dropped.", clock(s.Behind), clock(v.end.At))
	}
	text := "If there was such a message, it was handed to the client's connection"
	if s.Latest {
		text += ", unless a newer one of the same event took its place: the room's rule is latest"
	}
	return say(Delivered, q.Time, text+".")
}

// meanwhile says what became of stored messages when a member was moved.
func meanwhile(why string) string {
	switch why {
	case hub.MovedEphemeral:
		return "what is stored it was given late"
	case hub.MovedLatest:
		return "of what is stored it was given the newest message of each event"
	}
	return "what is stored had left the log, and it was told so"
}

// past returns the move that took the member, or all of them, past the message; nil if none did.
func (v *visit) past(q *Question, f *Facts) *Turn {
	for _, turns := range [][]Turn{f.Turns, f.Everyone} {
		for i := range turns {
			t := &turns[i]
			if t.Kind != Moved || t.Room != q.Room || !v.saw(t) || !within(q.Position, t.From, t.To) {
				continue
			}
			switch t.Why {
			case hub.MovedLate, hub.MovedEphemeral:
			case hub.MovedLatest:
				if !q.NewerKnown || q.Newer.Epoch == t.To.Epoch && q.Newer.Offset <= t.To.Offset {
					return t
				}
			default:
				return t
			}
		}
	}
	return nil
}

// saw reports whether a move was the member's, or everybody's, and during the membership: a client can be in a room more
// than once.
func (v *visit) saw(t *Turn) bool {
	return (t.Client == "" || t.Client == v.Client) && t.At >= v.Stay.Since && (v.end == nil || t.At <= v.end.At)
}

// late returns the move that says that the member got the message late.
func (v *visit) late(p protocol.Position, at int64, f *Facts) *Turn {
	for i := range f.Turns {
		t := &f.Turns[i]
		if t.Kind == Moved && t.Why == hub.MovedLate && t.Room == v.Stay.Room && v.saw(t) && within(p, t.From, t.To) && at < t.At {
			return t
		}
	}
	return nil
}

// within reports whether a message is after one position and not after another, as far as they are of its log.
func within(p, from, to protocol.Position) bool {
	return (from.Epoch != p.Epoch || p.Offset > from.Offset) && (to.Epoch != p.Epoch || p.Offset <= to.Offset) &&
		(from.Epoch == p.Epoch || to.Epoch == p.Epoch)
}

// clock says when something was, in UTC.
func clock(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format("2006-01-02 15:04:05 UTC")
}

// wanted says what was refused.
func wanted(t *Turn) string {
	if t.What == session.WantedJoin {
		return "to join the room"
	}
	return "to connect"
}
