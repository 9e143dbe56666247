package hub

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/rule"
	"github.com/wireroom/wireroom/protocol"
)

func TestDeliversToEveryMemberInOrder(t *testing.T) {
	h := newHub(t)
	f := new(lines)
	a, b := newSocket(h, f, "a"), newSocket(h, f, "b")
	a.join(t, JoinRequest{Room: "r"})
	publish(t, h, "r", "1")
	b.join(t, JoinRequest{Room: "r"})
	publish(t, h, "r", "2")
	publish(t, h, "other", "3")
	expect(t, "a", a.say(t), "1 2")
	expect(t, "b", b.say(t), "2")
}

func TestOneWriteForWhatCameInOneTurn(t *testing.T) {
	h := newHub(t)
	s := newSocket(h, new(lines), "a")
	s.join(t, JoinRequest{Room: "r"})
	for i := range 10 {
		publishLater(t, h, &engine.Publication{Message: &protocol.Message{Room: "r", Data: fmt.Append(nil, i)}})
	}
	h.Flush()
	expect(t, "messages", s.say(t), "0 1 2 3 4 5 6 7 8 9")
	if s.writes != 1 {
		t.Fatalf("%d writes, want 1", s.writes)
	}
}

func TestFramesAnEntryOnceForAllMembers(t *testing.T) {
	h := newHub(t)
	f := &countingFraming{}
	for i := range 50 {
		newSocket(h, f, fmt.Sprint(i)).join(t, JoinRequest{Room: "r"})
	}
	publish(t, h, "r", "1")
	if f.frames != 1 {
		t.Fatalf("framed %d times, want once", f.frames)
	}
}

type countingFraming struct {
	lines
	mu     sync.Mutex
	frames int
}

func (f *countingFraming) AppendFrame(dst []byte, p protocol.Push) []byte {
	f.mu.Lock()
	f.frames++
	f.mu.Unlock()
	return f.lines.AppendFrame(dst, p)
}

func TestExcludedClientGetsOnlyTheReplay(t *testing.T) {
	h := newHub(t)
	f := new(lines)
	a, b := newSocket(h, f, "a"), newSocket(h, f, "b")
	start := a.join(t, JoinRequest{Room: "r"})
	b.join(t, JoinRequest{Room: "r"})
	for i := range 3 {
		m := &protocol.Message{Room: "r", Data: fmt.Append(nil, i)}
		if i == 1 {
			m.Exclude = a.client.ID
		}
		publishLater(t, h, &engine.Publication{Message: m})
	}
	h.Flush()
	expect(t, "the excluded", a.say(t), "0 2")
	expect(t, "the other", b.say(t), "0 1 2")
	h.Leave(a.member, Departure{Now: true})
	again := newSocket(h, f, "a2")
	again.join(t, JoinRequest{Room: "r", Since: start.Position})
	expect(t, "replayed", again.say(t), "0 1 2")
}

func TestBehindMemberCatchesUpFromTheTail(t *testing.T) {
	h := newHub(t)
	f := new(lines)
	slow, other := newSocket(h, f, "slow"), newSocket(h, f, "other")
	slow.join(t, JoinRequest{Room: "r"})
	other.join(t, JoinRequest{Room: "r"})
	publish(t, h, "r", "1")
	slow.fill()
	for i := 2; i < 100; i++ {
		publish(t, h, "r", fmt.Sprint(i))
	}
	if slow.blocked != 1 {
		t.Fatalf("a member that is behind was tried %d times, want once", slow.blocked)
	}
	expect(t, "other", other.say(t), numbers(1, 100))
	slow.drain()
	publish(t, h, "r", "100")
	expect(t, "slow", slow.say(t), numbers(1, 101))
	if slow.member.lag != nil {
		t.Fatal("still behind")
	}
}

func TestBehindMemberCatchesUpFromTheLog(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 5000, Bytes: 64 << 20, Age: rule.Default.History.Age}})
	slow := newSocket(h, new(lines), "slow")
	slow.join(t, JoinRequest{Room: "r", Presence: true})
	slow.fill()
	for i := range 3 * maxTailEntries {
		publish(t, h, "r", fmt.Sprint(i))
	}
	h.push(t, "r", "typing") // ephemeral: dropped, as it may be older than the snapshot
	slow.drain()
	h.push(t, "r", "again")
	got := strings.Replace(slow.say(t), " presence:1", "", 1)
	expect(t, "slow", got, numbers(0, 3*maxTailEntries)+` "again"`)
}

// push publishes something ephemeral.
func (h *Hub) push(t *testing.T, room, data string) {
	t.Helper()
	m := &protocol.Message{Room: room, Data: json.RawMessage(`"` + data + `"`)}
	publishLater(t, h, &engine.Publication{Message: m, Ephemeral: true})
	h.Flush()
}

func TestBehindFurtherThanTheLogIsAGap(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10, Bytes: 64 << 20, Age: rule.Default.History.Age}})
	slow := newSocket(h, new(lines), "slow")
	slow.join(t, JoinRequest{Room: "r"})
	publish(t, h, "r", "0")
	slow.fill()
	var head protocol.Position
	for i := range 2 * maxTailEntries {
		head = publish(t, h, "r", fmt.Sprint(i+1))
	}
	slow.drain()
	publish(t, h, "r", `"after"`)
	got := slow.take(t)
	if len(got) != 3 || got[1].Type != protocol.TypeGap || got[1].Reason != "lagged" || got[1].Pos != head.String() {
		t.Fatalf("got %+v, want a message, a gap to %v, a message", got, head)
	}
	expect(t, "after the gap", string(got[2].Data), `"after"`)
}

// TestAGapThatIsNotToldYetIsToldToWhoTakesThePlace has a full socket wait with a gap while its client joins instead.
func TestAGapThatIsNotToldYetIsToldToWhoTakesThePlace(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 10, Bytes: 64 << 20, Age: rule.Default.History.Age}})
	slow := newSocket(h, new(lines), "slow")
	slow.join(t, JoinRequest{Room: "r"})
	publish(t, h, "r", "0")
	slow.fill()
	for i := range 2 * maxTailEntries {
		publish(t, h, "r", fmt.Sprint(i+1))
	}
	h.CatchUp(slow.member) // finds the gap, and the socket full
	slow.join(t, JoinRequest{Room: "r", Instead: slow.member})
	slow.drain()
	publish(t, h, "r", `"after"`)
	expect(t, "slow", slow.say(t), `0 gap:lagged "after"`)
}

func TestLatestRoomGivesTheNewestPerEventAndNotTheBacklog(t *testing.T) {
	latest := rule.Default
	latest.Delivery, latest.History.Latest = rule.Latest, true
	h := newHub(t, latest)
	slow := newSocket(h, new(lines), "slow")
	slow.join(t, JoinRequest{Room: "r"})
	slow.fill()
	for i := range 300 {
		m := &protocol.Message{Room: "r", Event: []string{"cpu", "disk"}[i%2], Data: fmt.Append(nil, i)}
		publishLater(t, h, &engine.Publication{Message: m})
		h.Flush()
	}
	slow.drain()
	expect(t, "slow", slow.say(t), "298 299")
	fresh := newSocket(h, new(lines), "fresh")
	reply := fresh.join(t, JoinRequest{Room: "r"})
	expect(t, "fresh", fresh.say(t), "298 299")
	if reply.Count != 2 {
		t.Fatalf("count %d, want 2", reply.Count)
	}
	publish(t, h, "r", "300")
	expect(t, "live", slow.say(t), "300")
}

// TestLatestRoomSendsWhatNewerMessagesLeave has messages of two events come between two flushes: members get the newest
// of each, what is not stored, and nothing twice; in a room that is not latest they get all.
func TestLatestRoomSendsWhatNewerMessagesLeave(t *testing.T) {
	latest := rule.Default
	latest.Pattern, latest.Delivery, latest.History.Latest = "latest", rule.Latest, true
	h := newHub(t, latest, rule.Default)
	for room, want := range map[string]string{"latest": "3 99 4 5", "every": "0 1 2 3 99 4 5"} {
		s := newSocket(h, new(lines), "s-"+room)
		s.join(t, JoinRequest{Room: room})
		for i, event := range []string{"cpu", "disk", "cpu", "cpu", "", "disk", "fan"} {
			m := &protocol.Message{Room: room, Event: event, Data: fmt.Append(nil, i-i/5)}
			if event == "" {
				m.Data = []byte("99")
			}
			publishLater(t, h, &engine.Publication{Message: m, Ephemeral: event == ""})
		}
		h.Flush()
		expect(t, room, s.say(t), want)
		publish(t, h, room, "6")
		expect(t, room+" afterwards", s.say(t), "6")
	}
}

func TestNothingFollowsALeave(t *testing.T) {
	h := newHub(t)
	s := newSocket(h, new(lines), "a")
	s.join(t, JoinRequest{Room: "r"})
	publishLater(t, h, &engine.Publication{Message: &protocol.Message{Room: "r", Data: json.RawMessage("1")}})
	if !h.Leave(s.member, Departure{Now: true}) || h.Leave(s.member, Departure{Now: true}) {
		t.Fatal("Leave does not report whether there was a membership")
	}
	h.Flush()
	expect(t, "after the leave", s.say(t), "")
}

// TestEveryMemberGetsEveryMessageOnce is the promise itself, with members that come, go, stall and come back while
// several publishers are at work.
func TestEveryMemberGetsEveryMessageOnce(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 100_000, Bytes: 1 << 30, Age: rule.Default.History.Age}})
	const publishers, each, members = 4, 1500, 12
	keeper := newSocket(h, new(lines), "keeper")
	first := keeper.join(t, JoinRequest{Room: "r"})
	var publishing, reading sync.WaitGroup
	stop := make(chan struct{})
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				publish(t, h, "r", fmt.Sprintf(`"%d:%d"`, p, i))
			}
		})
	}
	heard := make([]string, members)
	for i := range members {
		reading.Go(func() {
			heard[i] = comesAndGoes(t, keeper, i, first.Position, stop)
		})
	}
	publishing.Wait()
	close(stop)
	reading.Wait()
	all := strings.Split(keeper.say(t), " ")
	if len(all) != publishers*each {
		t.Fatalf("the one who stayed got %d of %d", len(all), publishers*each)
	}
	for i, got := range heard {
		if strings.TrimSpace(got) != strings.Join(all, " ") {
			t.Fatalf("member %d got %d messages, or others, or in another order", i, strings.Count(got, " "))
		}
	}
}

// comesAndGoes is a member beside keeper that joins where it stood, again and again, until it is told to stop; it returns what it got.
func comesAndGoes(t *testing.T, keeper *socket, i int, since protocol.Position, stop <-chan struct{}) (heard string) {
	h, random := keeper.hub, rand.New(rand.NewPCG(1, uint64(i)))
	for stopped := false; ; {
		s := newSocket(h, keeper.framing, fmt.Sprint("m", i))
		j := s.join(t, JoinRequest{Room: "r", Since: since, Presence: i%2 == 0})
		if i%3 == 0 {
			sizes := rand.New(rand.NewPCG(random.Uint64(), 2)) // asked by whoever delivers, one after the other
			s.narrow(func() int { return sizes.IntN(2000) })
		}
		for range random.IntN(20) {
			s.fill()
			publish(t, h, "noise", "0")
			s.drain()
		}
		if stopped {
			s.narrow(nil)
			s.drain()
		}
		h.Leave(s.member, Departure{Now: random.IntN(2) == 0})
		for _, e := range s.take(t) {
			if e.Type == protocol.TypeMessage {
				heard += " " + string(e.Data)
				at, _ := protocol.ParsePosition(e.Pos)
				if at.Offset != since.Offset+1 {
					t.Errorf("member %d: %v after %v, joined %+v", i, at, since, j)
				}
				since = at
			}
		}
		if stopped {
			return heard
		}
		select {
		case <-stop:
			stopped = true
		default:
		}
	}
}

// numbers returns the numbers in [from, to) with blanks between them.
func numbers(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, " %d", i)
	}
	return b.String()[1:]
}

// TestEntriesLostBeforeTheyWereFlushed has the tail overrun while a flush is at work, with members that went live
// in the middle of it: each goes on from where it stood.
func TestEntriesLostBeforeTheyWereFlushed(t *testing.T) {
	h := newHub(t, rule.Rule{Pattern: "**", History: engine.Retention{Messages: 100_000, Bytes: 1 << 30, Age: rule.Default.History.Age}})
	early, mid := newSocket(h, new(lines), "early"), newSocket(h, new(lines), "mid")
	gate := &gatedFraming{entered: make(chan struct{}), open: make(chan struct{})}
	stuck := newSocket(h, gate, "stuck")
	stuck.join(t, JoinRequest{Room: "r"})
	early.join(t, JoinRequest{Room: "r"})
	later := func(from, to int) {
		for i := from; i < to; i++ {
			publishLater(t, h, &engine.Publication{Message: &protocol.Message{Room: "r", Data: fmt.Append(nil, i)}})
		}
	}
	later(0, 10)
	var flushing sync.WaitGroup
	flushing.Go(h.Flush)
	<-gate.entered
	later(10, 20)
	mid.join(t, JoinRequest{Room: "r"})
	later(20, 20+2*maxTailEntries)
	close(gate.open)
	flushing.Wait()
	h.Flush()
	publish(t, h, "r", "9999")
	for _, s := range []*socket{early, mid, stuck} {
		for !s.live() {
			runtime.Gosched()
		}
	}
	expect(t, "early", early.say(t), numbers(0, 20+2*maxTailEntries)+" 9999")
	expect(t, "mid", mid.say(t), numbers(20, 20+2*maxTailEntries)+" 9999")
	expect(t, "stuck", stuck.say(t), numbers(0, 20+2*maxTailEntries)+" 9999")
}

// gatedFraming waits with its first frame until it is opened.
type gatedFraming struct {
	lines
	once          sync.Once
	entered, open chan struct{}
}

func (f *gatedFraming) AppendFrame(dst []byte, p protocol.Push) []byte {
	f.once.Do(func() {
		close(f.entered)
		<-f.open
	})
	return f.lines.AppendFrame(dst, p)
}

// live reports whether the socket's member has caught up.
func (s *socket) live() bool {
	r := s.member.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.member.lag == nil && s.member.cursor == r.tail.next
}
