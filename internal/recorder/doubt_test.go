package recorder_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// What is not known any more is not taken for what was not.

// short is a rule by which a room's log is short, and members get the newest of each event.
var short = rule.Rule{Pattern: "**", Delivery: rule.Latest, History: engine.Retention{Messages: 3}}

func TestWhetherAMessageWasTheNewestIsNotGuessed(t *testing.T) {
	play(t, func(s *stage) { // it joined later
		old, kept := s.publish(protocol.Message{Event: "a"}, false), s.publish(protocol.Message{Event: "kept"}, false)
		for range 5 {
			s.publish(protocol.Message{Event: "a"}, false)
		}
		s.join("bob", hub.JoinRequest{})
		s.why(old, recorder.Unknown, "whether this was one is not known any more")
		s.why(kept, recorder.Delivered, "given the message then") // it has left the log, and is its event's newest
	}, short)
	play(t, func(s *stage) { // it was behind
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		old := s.publish(protocol.Message{Event: "a"}, false)
		for range 5 {
			s.publish(protocol.Message{Event: "a"}, false)
		}
		bob.read()
		s.why(old, recorder.Unknown, "whether this was one is not known any more")
	}, short)
}

func TestWhoDidNotReadWhatAMembershipBeginsWithDidNotGetIt(t *testing.T) {
	play(t, func(s *stage) {
		m := s.publish(protocol.Message{Event: "a"}, false)
		bob := &reader{stage: s, client: hub.Client{ID: "bob-0", User: "bob"}}
		bob.full.Store(true)
		s.enter(bob, hub.JoinRequest{})
		s.why(m, recorder.Behind, "being sent")
		bob.close(1006, "")
		s.why(m, recorder.Gone, "it was lost")
	}, latest)
}

// A client that comes into a room again is another member of it.
func TestWhatAnEarlierMembershipMissedALaterOneCanGet(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		for range 1100 { // more than a tail has
			s.publish(protocol.Message{}, false)
		}
		newest := s.stored()
		bob.read()
		s.why(newest, recorder.Lost, "left the room's log")
		bob.leave(hub.Departure{Why: hub.LeftAsked, Now: true})
		time.Sleep(time.Second)
		s.enter(bob, hub.JoinRequest{Last: 5})
		s.why(newest, recorder.Delivered, "given the message then")
	}, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10}})
}

// ask answers a question about the message at offset 5, published at the time 500.
func ask(f recorder.Facts, change func(q *recorder.Question)) []recorder.Finding {
	q := recorder.Question{User: "bob", Room: "r", Position: at(5), Time: 500, NewerKnown: true}
	if change != nil {
		change(&q)
	}
	return recorder.Explain(q, f)
}

func at(offset uint64) protocol.Position { return protocol.Position{Epoch: 1, Offset: offset} }

func expectFirst(t *testing.T, found []recorder.Finding, want recorder.Reason, says string) {
	t.Helper()
	if len(found) == 0 || found[0].Reason != want || !strings.Contains(found[0].Text, says) {
		t.Errorf("%+v, want %s: ...%s...", found, want, says)
	}
}

func TestTheNewestOfAnEventIsHandedOverWhateverEverybodyMissedBefore(t *testing.T) {
	f := recorder.Facts{
		Here:     []recorder.Visit{{Client: "c", Stay: hub.Stay{Room: "r", Since: 900, From: at(9), At: at(9), Latest: true}}},
		Everyone: []recorder.Turn{{Kind: recorder.Moved, Room: "r", At: 900, From: at(3), To: at(8), Why: string(protocol.ReasonExpired)}},
		Replaced: true,
	}
	expectFirst(t, ask(f, nil), recorder.Delivered, "given the message then")
	expectFirst(t, ask(f, func(q *recorder.Question) { q.Newer = at(7) }), recorder.Lost, "left the room's log")
}

func TestARefusedConnectionIsNoReasonOnceThereIsOne(t *testing.T) {
	refused := recorder.Turn{
		Kind: recorder.Refused, What: session.WantedConnection, Why: string(protocol.CodeRateLimited), At: 300, Since: 100, Count: 2,
	}
	ended := func(since, at int64) recorder.Turn {
		return recorder.Turn{Kind: recorder.Ended, Client: "c", Since: since, At: at, Code: 1000}
	}
	for _, each := range []struct {
		name  string
		facts recorder.Facts
		want  recorder.Reason
	}{
		{"it goes on", recorder.Facts{Turns: []recorder.Turn{refused}}, recorder.Limited},
		{"connected now", recorder.Facts{Turns: []recorder.Turn{refused}, Connected: []recorder.Connection{{Client: "c", Since: 400}}}, recorder.NotJoined},
		{"connected later", recorder.Facts{Turns: []recorder.Turn{refused}, Connected: []recorder.Connection{{Client: "c", Since: 600}}}, recorder.Limited},
		{"connected before", recorder.Facts{Turns: []recorder.Turn{refused}, Connected: []recorder.Connection{{Client: "c", Since: 50}}}, recorder.Limited},
		{"was connected", recorder.Facts{Turns: []recorder.Turn{refused, ended(400, 450)}}, recorder.NotJoined},
		{"was connected in between", recorder.Facts{Turns: []recorder.Turn{refused, ended(200, 250)}}, recorder.Limited},
		{"was connected all the time since", recorder.Facts{Turns: []recorder.Turn{refused, ended(200, 700)}}, recorder.NotJoined},
	} {
		t.Run(each.name, func(t *testing.T) { expectFirst(t, ask(each.facts, nil), each.want, "") })
	}
}

func TestWhatWasRefusedInAnotherRoomIsNoReason(t *testing.T) {
	refused := recorder.Turn{Kind: recorder.Refused, What: session.WantedJoin, Room: "other", Why: string(protocol.CodeForbidden), At: 300, Count: 1}
	expectFirst(t, ask(recorder.Facts{Turns: []recorder.Turn{refused}}, nil), recorder.NotJoined, "has not been in the room")
	refused.Room = "r"
	expectFirst(t, ask(recorder.Facts{Turns: []recorder.Turn{refused}}, nil), recorder.NoPermission, "to join the room")
}

func TestHowAnotherConnectionOfTheUserEndedIsNoReason(t *testing.T) {
	f := recorder.Facts{Turns: []recorder.Turn{
		{Kind: recorder.Left, Client: "phone", Room: "r", Since: 100, At: 400, From: at(1), To: at(4), Why: hub.LeftClosed},
		{Kind: recorder.Ended, Client: "laptop", Since: 100, At: 420, Code: protocol.CloseRateLimited},
		{Kind: recorder.Ended, Client: "phone", Since: 100, At: 440, Code: 1006},
	}}
	expectFirst(t, ask(f, nil), recorder.Gone, "it was lost (1006)")
}

func TestOfAMessageOfWhichOnlyTheTimeIsKnownNobodySaysThatItIsNotStored(t *testing.T) {
	byTime := func(m protocol.Message) protocol.Message { return protocol.Message{Time: m.Time} }
	play(t, func(s *stage) { // away, and back for what was missed
		bob := s.join("bob", hub.JoinRequest{})
		s.stored()
		since := bob.member.Stay().At
		bob.close(1006, "")
		m := s.stored()
		s.join("bob", hub.JoinRequest{Since: since})
		s.why(byTime(m), recorder.Delivered, "If the message is stored, the client was given it when it came back")
		s.join("bob", hub.JoinRequest{})
	})
	play(t, func(s *stage) { // not there yet
		m := s.stored()
		s.join("bob", hub.JoinRequest{})
		s.why(byTime(m), recorder.ByEphemeral, "what is stored is asked about by its position")
	})
	play(t, func(s *stage) { // behind until it ended, but not before
		bob := s.join("bob", hub.JoinRequest{})
		early := s.stored()
		bob.full.Store(true)
		s.stored()
		m := s.stored()
		bob.close(protocol.CloseSlowConsumer, "slow_consumer")
		s.why(byTime(early), recorder.Delivered, "If there was such a message")
		s.why(byTime(m), recorder.Behind, "what waited then was dropped")
	})
	play(t, func(s *stage) { // behind for a while
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		s.publish(protocol.Message{Event: "a"}, false)
		m := s.publish(protocol.Message{Event: "a"}, false)
		s.publish(protocol.Message{Event: "a"}, false)
		bob.read()
		time.Sleep(time.Second)
		s.why(byTime(m), recorder.ByEphemeral, "of what is stored it was given the newest message of each event")
		s.why(byTime(s.stored()), recorder.Delivered, "unless a newer one of the same event took its place")
	}, latest)
}

func TestWhatIsNotKnownComesBeforeWhatMayBeWrongForIt(t *testing.T) {
	findings := []recorder.Finding{
		{Reason: "a reason of a newer node"}, {Reason: recorder.NotJoined}, {Reason: recorder.Unknown}, {Reason: recorder.Gone},
	}
	slices.SortFunc(findings, recorder.Compare)
	for i, want := range []recorder.Reason{recorder.Gone, recorder.Unknown, recorder.NotJoined, "a reason of a newer node"} {
		if findings[i].Reason != want {
			t.Errorf("%d: %s, want %s", i, findings[i].Reason, want)
		}
	}
	f := recorder.Facts{Since: 600, Here: []recorder.Visit{{Client: "c", Stay: hub.Stay{Room: "r", Since: 700, From: at(6), At: at(6)}}}}
	expectFirst(t, ask(f, nil), recorder.Unknown, "goes back to")
	f.Since = 400
	expectFirst(t, ask(f, nil), recorder.NotJoined, "joined at")
}

func TestAMessageIsFoundByItsTimeWhereItIsTheOnlyOne(t *testing.T) {
	play(t, func(s *stage) {
		var all []protocol.Message
		for range 600 {
			all = append(all, s.stored())
		}
		two := [2]protocol.Message{}
		for i := range two {
			two[i] = protocol.Message{Room: "r", Data: []byte("1")}
			s.hub.Publish(context.Background(), &engine.Publication{Message: &two[i]}, func(engine.Receipt, error) {})
		}
		for _, each := range []struct {
			time int64
			want protocol.Position
		}{
			{all[599].Time, all[599].Position},
			{all[0].Time, all[0].Position},
			{two[0].Time, protocol.Position{}},
			{all[5].Time + 1, protocol.Position{}},
			{1, protocol.Position{}},
		} {
			if got, err := s.hub.FindAt(context.Background(), "r", each.time); err != nil || got != each.want {
				t.Errorf("at %d: %v %v, want %v", each.time, got, err, each.want)
			}
		}
	}, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 1000}})
}
