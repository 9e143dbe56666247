package recorder_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/internal/conn"
	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

// stage is a hub whose observer is a recorder, in virtual time.
type stage struct {
	t        *testing.T
	hub      *hub.Hub
	recorder *recorder.Recorder
	readers  []*reader
}

func newStage(t *testing.T, rules ...rule.Rule) *stage {
	t.Helper()
	set, err := rule.NewSet(rules, "anyone")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, recorder: recorder.New(0)}
	s.hub, err = hub.New(context.Background(), hub.Options{
		Engine: memory.New(memory.Options{}), Rules: set, Logger: slog.New(slog.DiscardHandler), Observer: s.recorder,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// play runs a story in virtual time.
func play(t *testing.T, story func(s *stage), rules ...rule.Rule) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, rules...)
		defer func() {
			if err := s.hub.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Second)
		story(s)
	})
}

// reader is a client whose socket can be full.
type reader struct {
	stage  *stage
	client hub.Client
	member *hub.Member
	full   atomic.Bool
	lines  atomic.Int64
}

// AppendFrame implements hub.Framing.
func (s *stage) AppendFrame(dst []byte, p protocol.Push) []byte {
	return append(protocol.AppendPush(dst, p), '\n')
}

func (r *reader) Framing() hub.Framing { return r.stage }

func (r *reader) Deliver(frames conn.Frames, unless *atomic.Bool) conn.Outcome {
	switch {
	case unless.Load():
		return conn.Skipped
	case r.full.Load():
		return conn.Blocked
	}
	r.lines.Add(int64(strings.Count(string(frames.Bytes), "\n")))
	return conn.Sent
}

func (r *reader) Ready() bool                           { return !r.full.Load() }
func (r *reader) Removed(*hub.Member, *protocol.Kicked) {}

func (r *reader) read() {
	r.full.Store(false)
	r.stage.hub.CatchUp(r.member)
}

func (r *reader) leave(d hub.Departure) {
	r.stage.hub.Leave(r.member, d)
	r.member = nil
}

func (r *reader) close(code protocol.CloseCode, why string) {
	if r.member != nil {
		r.leave(hub.Departure{Why: hub.LeftClosed})
	}
	r.stage.recorder.Ended(r.client, 1, session.Ended{Code: code, Reason: why})
	time.Sleep(time.Second)
}

// join lets a client of a user into the room "r".
func (s *stage) join(user string, q hub.JoinRequest) *reader {
	s.t.Helper()
	r := &reader{stage: s, client: hub.Client{ID: fmt.Sprintf("%s-%d", user, len(s.readers)), User: user}}
	s.enter(r, q)
	return r
}

// enter lets a client into the room "r", again if it was there before.
func (s *stage) enter(r *reader, q hub.JoinRequest) {
	s.t.Helper()
	q.Room, q.Client = "r", &r.client
	if err := s.hub.Join(context.Background(), q, r, func(m *hub.Member, _ *protocol.Joined) { r.member = m }); err != nil {
		s.t.Fatal(err)
	}
	if !slices.Contains(s.readers, r) {
		s.readers = append(s.readers, r)
	}
	time.Sleep(time.Second)
}

// publish publishes in the room, and returns the message; a second goes by.
func (s *stage) publish(m protocol.Message, ephemeral bool) protocol.Message {
	s.t.Helper()
	m.Room, m.Data = "r", []byte("1")
	p := &engine.Publication{Message: &m, Ephemeral: ephemeral}
	s.hub.Publish(context.Background(), p, func(_ engine.Receipt, err error) {
		if err != nil {
			s.t.Error(err)
		}
	})
	s.hub.Flush()
	published := m
	time.Sleep(time.Second)
	return published
}

func (s *stage) stored() protocol.Message { s.t.Helper(); return s.publish(protocol.Message{}, false) }

// refuse has a user be refused something.
func (s *stage) refuse(user, what string, code protocol.Code) {
	s.recorder.Refused(hub.Client{User: user, ID: user + "-x"}, session.Refusal{What: what, Room: "r", Err: &protocol.Error{Code: code, Message: "no"}})
	time.Sleep(time.Second)
}

// why asks why bob did not get a message; the first finding must have a reason and say something.
func (s *stage) why(m protocol.Message, want recorder.Reason, says string) {
	s.t.Helper()
	q := recorder.Question{User: "bob", Room: "r", Position: m.Position, Time: m.Time, Exclude: m.Exclude}
	if q.Time == 0 {
		q.Time = time.Now().UnixMilli() - 1000
	}
	if !m.Position.IsZero() {
		if found, err := s.hub.Find(context.Background(), "r", m.Position); err != nil {
			s.t.Fatal(err)
		} else if found.Message != nil {
			q.Newer, q.NewerKnown = found.Newer, found.NewerKnown
		}
	}
	turns, since := s.recorder.Turns("bob")
	f := recorder.Facts{
		Turns: turns, Since: since, Everyone: s.recorder.Everyone("r"), Replaced: s.recorder.Replacing("r", m.Position),
	}
	for _, r := range s.readers {
		if r.member != nil && r.client.User == "bob" {
			f.Here = append(f.Here, recorder.Visit{Client: r.client.ID, Stay: r.member.Stay()})
			f.Connected = append(f.Connected, recorder.Connection{Client: r.client.ID, Since: r.member.Stay().Since})
		}
	}
	got := recorder.Explain(q, f)
	if len(got) == 0 || got[0].Reason != want || !strings.Contains(got[0].Text, says) {
		s.t.Errorf("%+v, want %s: ...%s...", got, want, says)
	}
}

func TestAMessageThatAMemberGotIsDelivered(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		m := s.stored()
		s.why(m, recorder.Delivered, "handed to")
		s.stored()
		bob.close(1000, "")
		s.why(m, recorder.Delivered, "handed to")
	})
}

func TestWhoJoinedLaterWasNotJoinedThen(t *testing.T) {
	play(t, func(s *stage) {
		m := s.stored()
		s.why(m, recorder.NotJoined, "has not been on this node")
		s.join("bob", hub.JoinRequest{})
		s.why(m, recorder.NotJoined, "joined at")
	})
}

func TestWhoAskedForOlderMessagesGotThemThen(t *testing.T) {
	play(t, func(s *stage) {
		m := s.stored()
		s.join("bob", hub.JoinRequest{Last: 5})
		s.why(m, recorder.Delivered, "given the message then")
	})
}

func TestWhoWasNotAllowedHadNoPermission(t *testing.T) {
	play(t, func(s *stage) {
		s.refuse("bob", session.WantedJoin, protocol.CodeForbidden)
		m := s.stored()
		s.why(m, recorder.NoPermission, "was not allowed to join the room")
		s.join("bob", hub.JoinRequest{})
		s.why(m, recorder.NoPermission, "was not allowed to join the room")
	})
}

func TestWhoLostTheRightHadNoPermission(t *testing.T) {
	play(t, func(s *stage) {
		s.join("bob", hub.JoinRequest{}).leave(hub.Departure{Why: hub.LeftForbidden})
		s.why(s.stored(), recorder.NoPermission, "any more")
	})
}

func TestWhoWentBeyondALimitWasLimited(t *testing.T) {
	play(t, func(s *stage) {
		for range 3 {
			s.refuse("bob", session.WantedJoin, protocol.CodeRateLimited)
		}
		s.why(s.stored(), recorder.Limited, "3 times since")
	})
	play(t, func(s *stage) {
		s.join("bob", hub.JoinRequest{}).close(protocol.CloseRateLimited, "rate_limited")
		s.why(s.stored(), recorder.Limited, "beyond a limit (4529 rate_limited)")
	})
}

func TestWhoWasDisconnectedIsToldWhenAndWhy(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		start := bob.member.Stay().From
		bob.close(1006, "")
		m := s.stored()
		s.why(m, recorder.Gone, "2000-01-01 00:00:02 UTC: it was lost (1006)")
		fresh := s.join("bob", hub.JoinRequest{})
		s.why(m, recorder.Gone, "it was lost")
		fresh.close(1000, "")
		s.join("bob", hub.JoinRequest{Since: start})
		s.why(m, recorder.Delivered, "given the message then")
	})
}

func TestWhoLeftOrWasPutOutIsToldSo(t *testing.T) {
	play(t, func(s *stage) {
		s.join("bob", hub.JoinRequest{}).leave(hub.Departure{Why: hub.LeftAsked, Now: true})
		s.why(s.stored(), recorder.WentAway, "had left the room")
	})
	play(t, func(s *stage) {
		s.join("bob", hub.JoinRequest{})
		if err := s.hub.Kick(context.Background(), "r", "bob", "spam", time.Minute); err != nil {
			t.Fatal(err)
		}
		s.readers[0].member = nil
		s.why(s.stored(), recorder.Kicked, "put out of the room")
	})
}

func TestWhoDoesNotReadIsBehind(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		early := s.stored()
		bob.full.Store(true)
		m := s.stored()
		s.why(early, recorder.Delivered, "handed to")
		s.why(m, recorder.Behind, "does not read")
		if stay := bob.member.Stay(); stay.Waiting != 1 || stay.Behind == 0 {
			t.Errorf("%+v", stay)
		}
		time.Sleep(5 * time.Second)
		bob.read()
		s.why(m, recorder.Late, "got the message at 2000-01-01 00:00:09 UTC")
		s.why(s.stored(), recorder.Delivered, "handed to")
	})
}

func TestWhoseConnectionEndedWhileBehindIsToldSo(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		m := s.stored()
		bob.close(protocol.CloseSlowConsumer, "slow_consumer")
		s.why(m, recorder.Behind, "did not read (4508 slow_consumer). It was behind then")
	})
}

func TestWhoFellBehindTheLogLostTheMessage(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		m := s.stored()
		for range 1100 { // more than a tail has
			s.publish(protocol.Message{}, false)
		}
		newest := s.stored()
		bob.read()
		s.why(m, recorder.Lost, "left the room's log")
		s.why(newest, recorder.Lost, "left the room's log") // it goes on at the head
		s.why(s.stored(), recorder.Delivered, "handed to")
	}, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10}})
}

func TestWhoCameBackTooLateLostTheMessage(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		start := bob.member.Stay().At
		bob.close(1006, "")
		m := s.stored()
		for range 20 {
			s.stored()
		}
		s.join("bob", hub.JoinRequest{Since: start})
		s.why(m, recorder.Lost, "When the client came back the message had left the room's log")
		turns, _ := s.recorder.Turns("bob")
		if last := turns[len(turns)-1]; last.Kind != recorder.Moved || last.Why != string(protocol.ReasonExpired) {
			t.Errorf("%+v", last)
		}
	}, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10}})
}

func TestWhatIsNotStoredIsDroppedForWhoIsBehindOrAway(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		s.why(s.publish(protocol.Message{}, true), recorder.Delivered, "If there was")
		bob.full.Store(true)
		s.stored()
		m := s.publish(protocol.Message{}, true)
		m.Time = time.Now().UnixMilli() - 1000
		for range 1100 {
			s.publish(protocol.Message{}, false)
		}
		bob.read()
		s.why(m, recorder.ByEphemeral, "was dropped meanwhile")
		bob.close(1006, "")
		s.why(s.publish(protocol.Message{}, true), recorder.Gone, "What is not stored cannot be had later")
	}, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 5000}})
	play(t, func(s *stage) {
		m := s.publish(protocol.Message{}, true)
		m.Time = time.Now().UnixMilli() - 1000
		s.join("bob", hub.JoinRequest{})
		s.why(m, recorder.ByEphemeral, "for those who are there")
	})
}

// latest is a rule by which members that fall behind get the newest of each event.
var latest = rule.Rule{Pattern: "**", Delivery: rule.Latest, History: engine.Retention{Messages: 1000}}

func TestANewerMessageTakesThePlaceOfOneWhereTheRuleIsLatest(t *testing.T) {
	tick := func(event string) protocol.Message { return protocol.Message{Event: event} }
	play(t, func(s *stage) { // behind
		bob := s.join("bob", hub.JoinRequest{})
		bob.full.Store(true)
		old, other, newest := s.publish(tick("a"), false), s.publish(tick("b"), false), s.publish(tick("a"), false)
		bob.read()
		s.why(old, recorder.ByLatest, "newest message of each event")
		s.why(other, recorder.Late, "got the message")
		s.why(newest, recorder.Late, "got the message")
	}, latest)
	play(t, func(s *stage) { // in one write
		s.join("bob", hub.JoinRequest{})
		synctest.Wait() // the hub's tick of this second, which flushes, is over
		var old protocol.Message
		for i := range 2 {
			m := &protocol.Message{Room: "r", Event: "a", Data: []byte("1")}
			s.hub.Publish(context.Background(), &engine.Publication{Message: m}, func(engine.Receipt, error) {})
			if i == 0 {
				old = *m
			}
		}
		s.hub.Flush()
		s.why(old, recorder.ByLatest, "A newer message of the same event")
	}, latest)
	play(t, func(s *stage) { // before it joined
		old, newest := s.publish(tick("a"), false), s.publish(tick("a"), false)
		s.join("bob", hub.JoinRequest{})
		s.why(old, recorder.ByLatest, "was given the newest message of each event")
		s.why(newest, recorder.Delivered, "given the message then")
	}, latest)
}

func TestTheClientThatIsLeftOutIsToldSo(t *testing.T) {
	play(t, func(s *stage) {
		bob := s.join("bob", hub.JoinRequest{})
		s.why(s.publish(protocol.Message{Exclude: bob.client.ID}, false), recorder.Excluded, "but this client")
	})
}

func TestOneOfTwoConnectionsIsEnough(t *testing.T) {
	play(t, func(s *stage) {
		s.join("bob", hub.JoinRequest{}).full.Store(true)
		s.join("bob", hub.JoinRequest{})
		s.why(s.stored(), recorder.Delivered, "handed to")
	})
}
