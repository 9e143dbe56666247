package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

// settled is how long a hub may take to find the loss of the last message of a burst, and to mend it.
const settled = 6*time.Second + 500*time.Millisecond

// follower is a client that comes and goes, and keeps one position a room: it moves by a join's reply, a message or a
// gap, and by one with each message.
type follower struct {
	hub      *Hub
	framing  Framing
	name     string
	random   *rand.Rand
	position protocol.Position
	got      int
	told     int // that something is missing
}

// stay joins, stalls now and then, and leaves or stays for ever.
func (f *follower) stay(t *testing.T, stalls int) *socket {
	s := newSocket(f.hub, f.framing, f.name)
	q := JoinRequest{Room: "r", Client: &s.client, Since: f.position}
	var reply protocol.Joined
	for {
		err := f.hub.Join(t.Context(), q, s, func(m *Member, j *protocol.Joined) {
			reply = *j
			s.mu.Lock()
			s.member = m
			s.mu.Unlock()
		})
		if err == nil {
			break
		}
		if !errors.Is(err, engine.ErrUnavailable) && !errors.Is(err, engine.ErrTimeout) {
			t.Errorf("%s: %v", f.name, err)
			return s
		}
		time.Sleep(time.Duration(f.random.IntN(50)) * time.Millisecond)
	}
	f.joined(t, &reply)
	for range stalls {
		time.Sleep(time.Duration(f.random.IntN(100)) * time.Millisecond)
		s.fill()
		time.Sleep(time.Duration(f.random.IntN(300)) * time.Millisecond)
		s.drain()
	}
	return s
}

// joined notes what the reply of a join says.
func (f *follower) joined(t *testing.T, j *protocol.Joined) {
	switch {
	case !j.WithSince:
	case j.Recovered && j.Position != f.position:
		t.Errorf("%s: recovered at %v, not at %v", f.name, j.Position, f.position)
	case !j.Recovered && j.Reason == "":
		t.Errorf("%s: refused without a reason: %+v", f.name, j)
	case !j.Recovered:
		f.told++
	}
	f.position = j.Position
}

// read follows what came.
func (f *follower) read(t *testing.T, s *socket) {
	for _, e := range s.take(t) {
		at, err := protocol.ParsePosition(e.Pos)
		if err != nil {
			t.Errorf("%s: %+v: %v", f.name, e, err)
		}
		switch {
		case e.Type == protocol.TypeGap:
			f.told++
		case at.Epoch != f.position.Epoch || at.Offset != f.position.Offset+1:
			t.Errorf("%s: %v after %v", f.name, at, f.position)
		default:
			f.got++
		}
		f.position = at
	}
}

// storm has members come, go and stall while several publish, over an engine that loses and fails, and returns the
// followers when everything has settled, all of them at the head of the log.
func storm(t *testing.T, e *lossy, messages int, during func()) []*follower {
	var on engine.Engine = e
	if e.random.IntN(2) == 0 {
		on = oneByOne{e}
	}
	h := newHubOn(t, on, nil, rule.Rule{Pattern: "**", History: engine.Retention{Messages: messages, Age: time.Hour}})
	const publishers, each, members = 4, 250, 12
	framing := new(lines)
	var followers []*follower
	var publishing, following sync.WaitGroup
	stop := make(chan struct{})
	for i := range members {
		f := &follower{hub: h, framing: framing, name: fmt.Sprint("m", i), random: rand.New(rand.NewPCG(2, uint64(i)))}
		followers = append(followers, f)
		following.Go(func() { f.follow(t, i%4 == 0, stop) })
	}
	for p := range publishers {
		publishing.Go(func() { publishBursts(h, p, each) })
	}
	during()
	publishing.Wait()
	close(stop)
	following.Wait()
	head := headOf(t, e)
	for _, f := range followers {
		if f.position != head {
			t.Errorf("%s ends at %v of %v: what it missed was lost without a word", f.name, f.position, head)
		}
	}
	return followers
}

// headOf returns the head of the log.
func headOf(t *testing.T, e *lossy) protocol.Position {
	t.Helper()
	page, err := e.log().Read(t.Context(), "r", engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Head
}

// follow comes and goes until stop, and then stays until everything must have settled.
func (f *follower) follow(t *testing.T, stays bool, stop <-chan struct{}) {
	stalls := 3
	if stays {
		stalls = 0
	}
	for stopped := false; !stopped; {
		s := f.stay(t, stalls)
		if stays {
			<-stop
		}
		select {
		case <-stop:
			stopped = true
			time.Sleep(2 * settled) // what fails is tried again
		default:
		}
		f.hub.Leave(s.member, Departure{Now: f.random.IntN(2) == 0})
		f.read(t, s)
	}
}

// publishBursts publishes in bursts, without minding failures.
func publishBursts(h *Hub, publisher, n int) {
	random := rand.New(rand.NewPCG(3, uint64(publisher)))
	var answers sync.WaitGroup
	for i := range n {
		m := &protocol.Message{Room: "r", Data: fmt.Appendf(nil, `"%d:%d"`, publisher, i)}
		answers.Add(1)
		h.Publish(context.Background(), &engine.Publication{Message: m}, func(engine.Receipt, error) { answers.Done() })
		h.Flush()
		if random.IntN(10) == 0 {
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		}
	}
	answers.Wait()
}

func TestLossyEngineLosesNoMember(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			e := newLossy(seed, 0.01, 0.02)
			for _, f := range storm(t, e, 100_000, func() {}) {
				if f.told != 0 {
					t.Errorf("%s was told of %d gaps; the log has everything", f.name, f.told)
				}
			}
			if e.lost == 0 || e.failed == 0 {
				t.Errorf("lost %d, failed %d: nothing was tested", e.lost, e.failed)
			}
		})
	}
}

func TestLossyEngineWithAShortLogTellsOfEveryGap(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			told := 0
			for _, f := range storm(t, newLossy(seed, 0.2, 0.1), 20, func() {}) {
				told += f.told
			}
			if told == 0 {
				t.Error("nobody was told of a gap: nothing was tested")
			}
		})
	}
}

func TestLossyEngineThatForgetsIsToldOf(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			e := newLossy(seed, 0.01, 0.02)
			followers := storm(t, e, 100_000, func() {
				time.Sleep(500 * time.Millisecond)
				if err := e.failOver(t.Context()); err != nil {
					t.Error(err)
				}
			})
			for _, f := range followers {
				if f.told == 0 {
					t.Errorf("%s was not told that the log began anew", f.name)
				}
			}
		})
	}
}

func TestFindsTheLossOfTheLastMessageOfABurst(t *testing.T) {
	for _, traits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e := newLossy(1, 0, 0)
			var on engine.Engine = e
			if !traits {
				on = oneByOne{e}
			}
			h := newHubOn(t, on, nil)
			s := newSocket(h, new(lines), "a")
			s.join(t, JoinRequest{Room: "r"})
			publish(t, h, "r", "1")
			e.lose(1)
			publish(t, h, "r", "2")
			time.Sleep(settled)
			expect(t, "after a while", s.say(t), "1 2")
		})
	}
}

// TestAComparisonThatFailedIsMadeAgainSoon has the engine not answer when the head of a room is due.
func TestAComparisonThatFailedIsMadeAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newLossy(1, 0, 0)
		h := newHubOn(t, e, nil)
		s := newSocket(h, new(lines), "a")
		s.join(t, JoinRequest{Room: "r"})
		publish(t, h, "r", "1")
		e.lose(1)
		publish(t, h, "r", "2")
		e.fail(1)
		time.Sleep(settled)
		expect(t, "while the engine does not answer", s.say(t), "1")
		e.fail(0)
		time.Sleep(2 * time.Second)
		expect(t, "when it answers again", s.say(t), "2")
	})
}

// TestComparesManyRoomsAtOnce loses the last message of each of many rooms, and interrupts the feed of some.
func TestComparesManyRoomsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms = engine.MaxHeads + 100
		e := newLossy(1, 0, 0)
		h := newHubOn(t, e, nil)
		sockets := make([]*socket, rooms)
		for i := range sockets {
			sockets[i] = newSocket(h, new(lines), "a")
			sockets[i].join(t, JoinRequest{Room: fmt.Sprint("r", i)})
		}
		lose := func(n int) {
			e.lose(1)
			for i := range rooms {
				publish(t, h, fmt.Sprint("r", i), fmt.Sprint(n))
			}
			e.lose(0)
			e.mu.Lock()
			e.asked = nil
			e.mu.Unlock()
		}
		lose(1)
		e.feed.Interrupted()
		e.feed.Interrupted()
		time.Sleep(time.Second)
		for _, s := range sockets {
			expect(t, "after an interruption", s.say(t), "1")
		}
		lose(2)
		time.Sleep(settled)
		for _, s := range sockets {
			expect(t, "after a while", s.say(t), "2")
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if calls := len(e.asked); calls > 12 {
			t.Fatalf("the engine was asked %d times: %v", calls, e.asked)
		}
	})
}

func TestRoomsThatAreQuietForLongAreComparedRarelyWhereThereAreMany(t *testing.T) {
	head := protocol.Position{Epoch: 1, Offset: 1}
	for _, row := range []struct {
		many         bool
		first, later int // comparisons in the first minute, and in the ten after it
	}{{false, 12, 120}, {true, 12, 10}} {
		q, first, later := quiet{head: head}, 0, 0
		for second := range 660 {
			switch due := q.due(head, row.many); {
			case due && second < 60:
				first++
			case due:
				later++
			}
		}
		if first != row.first || later != row.later {
			t.Errorf("many %v: %d comparisons in a minute, %d in ten more; want %d, %d", row.many, first, later, row.first, row.later)
		}
	}
}

// tryJoin joins and returns what Join does.
func (s *socket) tryJoin(ctx context.Context, room string) error {
	return s.hub.Join(ctx, JoinRequest{Room: room, Client: &s.client}, s, func(m *Member, _ *protocol.Joined) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.member = m
	})
}

func TestKickStopsTheJoinThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHubOn(t, newLossy(1, 0, 0), nil)
		s := newSocket(h, new(lines), "a")
		joined := make(chan error)
		go func() { joined <- s.tryJoin(t.Context(), "r") }()
		synctest.Wait()
		if err := h.Kick(t.Context(), "r", "a", "spam", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := <-joined; !errors.Is(err, ErrKicked) {
			t.Fatalf("joined with %v, want ErrKicked", err)
		}
		if p, err := h.Members("r", "", 10); err != nil || p.Count != 0 {
			t.Fatalf("members %+v, %v", p, err)
		}
	})
}

func TestJoinSurvivesThatTheFirstJoinerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHubOn(t, newLossy(1, 0, 0), nil)
		first, second := newSocket(h, new(lines), "a"), newSocket(h, new(lines), "b")
		ctx, cancel := context.WithCancel(t.Context())
		joined := make(chan error, 2)
		go func() { joined <- first.tryJoin(ctx, "r") }()
		synctest.Wait()
		go func() { joined <- second.tryJoin(t.Context(), "r") }()
		synctest.Wait()
		cancel()
		if err := <-joined; !errors.Is(err, context.Canceled) {
			t.Fatalf("the first: %v", err)
		}
		if err := <-joined; err != nil {
			t.Fatalf("the second: %v", err)
		}
		publish(t, h, "r", "1")
		time.Sleep(time.Second)
		expect(t, "the second", second.say(t), "1")
	})
}

func TestClosedRoomsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHubOn(t, newLossy(1, 0, 0), nil)
		for i := range 20 {
			room := fmt.Sprint("r", i)
			var around sync.WaitGroup
			around.Go(func() {
				for range 10 { // while the room opens, too
					h.push(t, room, "typing")
				}
			})
			s := newSocket(h, new(lines), "a")
			if err := s.tryJoin(t.Context(), room); err != nil {
				t.Fatal(err)
			}
			publish(t, h, room, "1")
			around.Wait()
			r := h.lookup(room)
			h.Leave(s.member, Departure{Grace: time.Minute})
			time.Sleep(2 * linger)
			h.Deliver(&protocol.Message{Room: room, Data: []byte("1")})
			r.mu.Lock()
			r.accept(&protocol.Message{Room: room, Data: []byte("1")}) // one that found the room before it was closed
			r.mu.Unlock()
		}
		time.Sleep(2 * time.Minute)
		if n := h.tailBytes.Load(); n != 0 || len(h.all()) != 0 {
			t.Fatalf("%d rooms are left, %d bytes of tails are counted", len(h.all()), n)
		}
	})
}

func TestReplayHasWhatTheClientDidNotWantLive(t *testing.T) {
	h := newHub(t)
	other, own := newSocket(h, new(lines), "b"), newSocket(h, new(lines), "a")
	start := other.join(t, JoinRequest{Room: "r"})
	for i := range 3 {
		m := &protocol.Message{Room: "r", Data: fmt.Append(nil, i), Exclude: own.client.ID}
		publishLater(t, h, &engine.Publication{Message: m})
	}
	h.Flush()
	j := own.join(t, JoinRequest{Room: "r", Since: start.Position})
	expect(t, "replayed", own.say(t), "0 1 2")
	if j.Count != 3 {
		t.Fatalf("the reply announces %d messages, want 3", j.Count)
	}
}

// TestNothingBeforeAGapFollowsIt has a member wait with a gap until the tail, whose feed is late, comes past the position
// that the log could not prove any more.
func TestNothingBeforeAGapFollowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newLossy(1, 0, 0)
		h := newHubOn(t, e, nil, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 5, Age: time.Hour}})
		keeper, s := newSocket(h, new(lines), "keeper"), newSocket(h, new(lines), "a")
		keeper.join(t, JoinRequest{Room: "r"})
		e.hold(true)
		last := publish(t, h, "r", "1")
		j := s.join(t, JoinRequest{Room: "r", Since: last})
		if !j.Recovered {
			t.Fatalf("joined %+v", j)
		}
		time.Sleep(4 * e.delay) // the member has asked the log, and waits for the tail
		s.fill()
		for i := range 20 { // at once: the log moves on before it is asked again
			m := &protocol.Message{Room: "r", Data: fmt.Append(nil, 2+i)}
			h.Publish(t.Context(), &engine.Publication{Message: m}, func(engine.Receipt, error) {})
		}
		time.Sleep(time.Second)
		last = headOf(t, e)
		if s.tried() == 0 {
			t.Fatal("the member was not tried with the gap")
		}
		e.hold(false)
		time.Sleep(time.Second)
		s.drain()
		time.Sleep(time.Second)
		publish(t, h, "r", "22")
		time.Sleep(time.Second)
		got := s.take(t)
		if len(got) != 2 || got[0].Type != protocol.TypeGap || got[0].Pos != last.String() || string(got[1].Data) != "22" {
			t.Fatalf("got %+v, want a gap to %v and what came after it", got, last)
		}
	})
}

// tried returns how often the socket was full when something was delivered.
func (s *socket) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked
}
