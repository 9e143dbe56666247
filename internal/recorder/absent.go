package recorder

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// absent says why a user was not in a room when a message was published.
func absent(q *Question, f *Facts, all []visit) []Finding {
	before, after := around(q, all)
	var found []Finding
	if refused := refusal(q, f, before, after); refused != nil {
		found = append(found, refusedAs(refused))
	} else if before != nil {
		found = append(found, ended(q, f, before))
	}
	if after != nil {
		found = append(found, cameLater(q, f, before, after))
	}
	if len(found) == 0 || q.Time < f.Since && before == nil {
		found = append(found, neverHere(q, f))
	}
	return found
}

// around returns the membership that ended last before the message, and the first that began after it.
func around(q *Question, all []visit) (before, after *visit) {
	for i := range all {
		v := &all[i]
		switch {
		case v.end != nil && v.precedes(q):
			if before == nil || v.end.At >= before.end.At {
				before = v
			}
		case after == nil:
			after = v
		}
	}
	return before, after
}

// precedes reports whether a membership that has ended, and is not about the message, was before it.
func (v *visit) precedes(q *Question) bool {
	if !q.Position.IsZero() && q.Position.Epoch == v.Stay.At.Epoch {
		return q.Position.Offset > v.Stay.At.Offset
	}
	return q.Time > v.end.At
}

// refusal returns the last thing that the user was refused between two memberships, nil if it was nothing.
func refusal(q *Question, f *Facts, before, after *visit) *Turn {
	for i := len(f.Turns) - 1; i >= 0; i-- {
		t := &f.Turns[i]
		if t.Kind != Refused || t.What == session.WantedPublish || t.What == session.WantedJoin && t.Room != q.Room {
			continue
		}
		if before != nil && t.At < before.end.At || after != nil && t.At > after.Stay.Since {
			continue
		}
		first := cmp.Or(t.Since, t.At)
		if first > q.Time || t.What == session.WantedConnection && f.connected(first, t.At, q.Time) {
			continue // what was wanted later only is no reason, nor is what the user got before the message
		}
		return t
	}
	return nil
}

// connected reports whether the user was let in after having been refused, first at one time and last at another, and
// before a message: later than the last refusal, or so that the connection was there when the message was published.
func (f *Facts) connected(first, last, published int64) bool {
	for _, c := range f.Connected {
		if c.Since > first && c.Since <= published {
			return true
		}
	}
	return slices.ContainsFunc(f.Turns, func(t Turn) bool {
		return t.Kind == Ended && t.Since > first && t.Since <= published && (t.Since > last || t.At >= published)
	})
}

// limits are the codes that say that somebody had gone beyond a limit.
var limits = []string{string(protocol.CodeRateLimited), string(protocol.CodeRoomLimit), string(protocol.CodeOverloaded)}

// refusedAs says that the user had been refused.
func refusedAs(t *Turn) Finding {
	reason, why := NoPermission, "was not allowed"
	if slices.Contains(limits, t.Why) {
		reason, why = Limited, "was refused for a limit"
	}
	often := ""
	if t.Count > 1 {
		often = fmt.Sprintf(", %d times since %s", t.Count, clock(t.Since))
	}
	return Finding{
		Reason: reason, Client: t.Client, Time: t.At,
		Text: fmt.Sprintf("The user %s %s at %s: %s (%s)%s.", why, wanted(t), clock(t.At), t.Text, t.Why, often),
	}
}

// ended says how the last membership before the message ended.
func ended(q *Question, f *Facts, v *visit) Finding {
	found := Finding{Client: v.Client, Time: v.end.At}
	at := clock(v.end.At)
	switch v.end.Why {
	case hub.LeftAsked:
		found.Reason, found.Text = WentAway, fmt.Sprintf("The client had left the room at %s.", at)
	case hub.LeftKicked:
		found.Reason, found.Text = Kicked, fmt.Sprintf("The user had been put out of the room at %s.", at)
	case hub.LeftForbidden:
		found.Reason, found.Text = NoPermission, fmt.Sprintf("The user was not allowed to be in the room any more from %s on.", at)
	default:
		found.Reason, found.Text = Gone, fmt.Sprintf("The client's connection had ended at %s.", at)
		disconnected(&found, q, f, v)
	}
	if q.Position.IsZero() && found.Reason == Gone {
		found.Text += " What is not stored cannot be had later."
	}
	return found
}

// disconnected says how the connection of a membership ended.
func disconnected(found *Finding, q *Question, f *Facts, v *visit) {
	for i := range f.Turns {
		t := &f.Turns[i]
		if t.Kind != Ended || t.Client != v.Client || t.At < v.end.At {
			continue
		}
		found.Text = fmt.Sprintf("The client's connection had ended at %s: %s.", clock(t.At), Closing(t.Code, t.Why))
		switch t.Code {
		case protocol.CloseRateLimited:
			found.Reason = Limited
		case protocol.CloseForbidden, protocol.CloseUnauthorized, protocol.CloseTokenExpired:
			found.Reason = NoPermission
		}
		break
	}
	if v.end.Behind != 0 {
		found.Text += " It was behind then: messages waited for it to read."
	}
	if v.end.Behind != 0 && q.Time <= v.end.At && found.Reason == Gone {
		found.Reason = Behind
	}
}

// Closing says in words how a connection ended.
func Closing(code protocol.CloseCode, reason string) string {
	const noStatus, abnormal = 1005, 1006
	words := map[protocol.CloseCode]string{
		protocol.CloseNormal: "the client closed it", protocol.CloseGoingAway: "the client went away", noStatus: "the client closed it",
		abnormal: "it was lost", protocol.CloseDraining: "this node was stopping", protocol.CloseSlowConsumer: "the client did not read",
		protocol.CloseRateLimited: "the client went beyond a limit", protocol.CloseForbidden: "the user was put out",
		protocol.CloseUnauthorized: "the token was not taken any more", protocol.CloseTokenExpired: "the token expired",
		protocol.CloseTooBig: "a message was too big",
	}[code]
	said := cmp.Or(words, "it was closed") + fmt.Sprintf(" (%d", code)
	if reason != "" {
		said += " " + reason
	}
	return said + ")"
}

// cameLater says how the first membership after the message began.
func cameLater(q *Question, f *Facts, before, after *visit) Finding {
	found := Finding{Reason: NotJoined, Client: after.Client, Time: after.Stay.Since}
	at := clock(after.Stay.Since)
	if past := after.past(q, f); past != nil && past.Why != hub.MovedLatest {
		return tell(past, q, func(r Reason, at int64, format string, values ...any) Finding {
			return Finding{Reason: r, Client: after.Client, Time: at, Text: fmt.Sprintf(format, values...)}
		})
	}
	switch {
	case q.Position.IsZero() && before != nil && after.resumes(before):
		found.Reason, found.Text = Delivered, fmt.Sprintf("If the message is stored, the client was given it when it came back, at %s.", at)
	case q.Position.IsZero():
		found.Reason, found.Text = ByEphemeral, fmt.Sprintf("The client joined at %s: what is not stored is for those who are there; what is stored is asked about by its position.", at)
	case after.Stay.Latest && !q.NewerKnown:
		found.Reason, found.Text = Unknown, fmt.Sprintf("The client joined at %s, and was given the newest message of each event; whether this was one is not known any more.", at)
	case after.Stay.Latest:
		found.Reason, found.Text = ByLatest, fmt.Sprintf("The client joined at %s, and was given the newest message of each event: the room's rule is latest.", at)
	case before != nil:
		found.Text = fmt.Sprintf("The user came back at %s and did not ask for what had been missed.", at)
	default:
		found.Text = fmt.Sprintf("The client joined at %s, after the message.", at)
	}
	return found
}

// resumes reports whether a membership went on where another had ended.
func (v *visit) resumes(before *visit) bool {
	return v.Stay.From == before.Stay.At && !v.Stay.From.IsZero()
}

// neverHere says that nothing is known of the user in the room.
func neverHere(q *Question, f *Facts) Finding {
	switch {
	case len(f.Connected) > 0 && q.Time >= f.Since:
		return Finding{Reason: NotJoined, Client: f.Connected[0].Client, Text: "The user is connected, and has not joined the room."}
	case q.Time < f.Since:
		return Finding{Reason: Unknown, Text: fmt.Sprintf("What is kept of this user goes back to %s only.", clock(f.Since))}
	case len(f.Turns) == 0:
		return Finding{Reason: NotJoined, Text: fmt.Sprintf("The user has not been on this node since %s.", clock(f.Since))}
	}
	return Finding{Reason: NotJoined, Text: fmt.Sprintf("The user has not been in the room since %s.", clock(f.Since))}
}
