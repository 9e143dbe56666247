package recorder_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/internal/hub"
	"github.com/wireroom/wireroom/internal/recorder"
	"github.com/wireroom/wireroom/internal/session"
	"github.com/wireroom/wireroom/protocol"
)

func leave(r *recorder.Recorder, user string, n int) {
	c := &hub.Client{ID: fmt.Sprintf("client-%s-%d", user, n), User: user}
	r.Left(c, hub.Stay{Room: fmt.Sprint("room-", n), Since: int64(n)}, hub.LeftAsked)
}

func TestOneUserHasSoManyTurnsAtMost(t *testing.T) {
	r := recorder.New(0)
	leave(r, "other", 1)
	for i := range 3 * recorder.PerUser {
		leave(r, "bob", i)
	}
	turns, since := r.Turns("bob")
	if len(turns) != recorder.PerUser || turns[0].Since != 2*recorder.PerUser || turns[len(turns)-1].Since != 3*recorder.PerUser-1 {
		t.Errorf("%d turns, %+v to %+v", len(turns), turns[0], turns[len(turns)-1])
	}
	if since != turns[0].At {
		t.Errorf("nothing is missing since %d", since)
	}
	if turns, _ := r.Turns("other"); len(turns) != 1 {
		t.Errorf("%d turns of another user", len(turns))
	}
}

func TestThoseOfWhomNothingWasHeardForLongestAreForgotten(t *testing.T) {
	const most = 16 * 8 * recorder.PerUser
	r := recorder.New(most)
	for i := range 4 * most {
		leave(r, fmt.Sprint("user-", i), i)
		leave(r, "always", i)
	}
	kept := 0
	for i := range 4 * most {
		turns, _ := r.Turns(fmt.Sprint("user-", i))
		kept += len(turns)
	}
	always, _ := r.Turns("always")
	if kept+len(always) > most || kept < most/2 {
		t.Errorf("%d turns are kept, and %d of one user, of at most %d", kept, len(always), most)
	}
	if len(always) != recorder.PerUser {
		t.Errorf("%d turns of the user who was heard of all the time", len(always))
	}
}

// Of somebody who was forgotten nobody says that nothing is missing, also when there is news of them.
func TestWhoIsForgottenIsNotTakenForSomebodyNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 16 * 8 * recorder.PerUser
		r := recorder.New(most)
		_, birth := r.Turns("nobody")
		time.Sleep(time.Minute)
		for i := range 4 * most {
			leave(r, fmt.Sprint("user-", i), i)
		}
		for _, when := range []string{"forgotten", "back"} {
			if _, since := r.Turns("user-0"); since < birth+time.Minute.Milliseconds() {
				t.Errorf("%s: nothing is missing since %d ms after the start", when, since-birth)
			}
			leave(r, "user-0", 0)
		}
	})
}

func TestTheMemoryOfARecorderIsBounded(t *testing.T) {
	r := recorder.New(0)
	before := inUse()
	for i := range 5 * recorder.DefaultTurns / 4 {
		leave(r, fmt.Sprint("user-", i), i)
	}
	used := inUse() - before
	t.Logf("%d bytes for each of %d users with one turn", used/recorder.DefaultTurns, recorder.DefaultTurns)
	if used > 48<<20 {
		t.Errorf("%d bytes", used)
	}
	runtime.KeepAlive(r)
}

// inUse returns how many bytes are used after a collection.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestARefusalThatIsRepeatedIsOneTurn(t *testing.T) {
	r := recorder.New(0)
	refuse := func(room string) {
		r.Refused(hub.Client{ID: "c", User: "bob"}, session.Refusal{
			What: session.WantedJoin, Room: room, Err: &protocol.Error{Code: protocol.CodeRateLimited, Message: "too many"},
		})
	}
	for range 1000 {
		refuse("a")
	}
	refuse("b")
	turns, _ := r.Turns("bob")
	if len(turns) != 2 || turns[0].Count != 1000 || turns[1].Count != 1 {
		t.Errorf("%+v", turns)
	}
}

func TestWhatIsSaidToAClientIsNotKeptAtAnyLength(t *testing.T) {
	r, long := recorder.New(0), strings.Repeat("long ", 10_000)
	c := hub.Client{ID: "c", User: "bob"}
	r.Refused(c, session.Refusal{What: session.WantedJoin, Err: &protocol.Error{Code: protocol.CodeForbidden, Message: long}})
	r.Ended(c, 1, session.Ended{Code: 1000, Reason: long})
	for _, turn := range first(r.Turns("bob")) {
		if kept := turn.Text + turn.Why; len(kept) > 200 || !strings.Contains(kept, "long ") {
			t.Errorf("%d bytes are kept: %.20q", len(kept), kept)
		}
	}
}

func first(turns []recorder.Turn, _ int64) []recorder.Turn { return turns }

func TestWhatAllMembersMissedIsKeptOfTheNewestTimesOnly(t *testing.T) {
	const most = 256 // in all rooms
	r := recorder.New(0)
	for i := range int64(3 * most) {
		r.Moved(nil, "a", hub.Move{Why: string(protocol.ReasonLagged), Since: i})
	}
	if kept := r.Everyone("a"); len(kept) != most || kept[0].Since != 2*most || kept[most-1].Since != 3*most-1 {
		t.Errorf("%d times, the last is %+v", len(kept), kept[len(kept)-1])
	}
}

func TestMessagesThatWereReplacedAreRememberedForAWhile(t *testing.T) {
	r := recorder.New(0)
	at := func(offset uint64) protocol.Position { return protocol.Position{Epoch: 1, Offset: offset} }
	for offset := uint64(1); offset < 20_000; offset += 2 {
		r.Replaced("r", at(offset))
	}
	for offset := uint64(17_000); offset < 20_000; offset++ {
		if got, want := r.Replacing("r", at(offset)), offset%2 == 1; got != want {
			t.Fatalf("%d: %v", offset, got)
		}
	}
	for _, p := range []protocol.Position{at(1), at(30_001), {Epoch: 2, Offset: 19_999}} {
		if r.Replacing("r", p) {
			t.Errorf("%v was replaced", p)
		}
	}
	for i := range 2000 {
		r.Replaced(fmt.Sprint("other-", i), at(1))
	}
	if r.Replacing("r", at(19_999)) || r.Replacing("r", at(1)) { // the second is what was said of others since
		t.Error("a room of long ago is remembered")
	}
}

// What a room whose rule is latest pays for a message that a newer one replaces, while all processors do so.
func BenchmarkReplaced(b *testing.B) {
	for _, rooms := range []int{1, 16, 1000} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			r := recorder.New(0)
			names := make([]string, rooms)
			for i := range names {
				names[i] = fmt.Sprint("host/berlin-", i)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for offset := uint64(1); p.Next(); offset++ {
					r.Replaced(names[offset%uint64(rooms)], protocol.Position{Epoch: 1, Offset: offset / uint64(rooms)})
				}
			})
		})
	}
}

func TestWithoutARecorderNothingIsKept(t *testing.T) {
	var r *recorder.Recorder
	if turns, since := r.Turns("bob"); len(turns) != 0 || since == 0 || r.Everyone("r") != nil || r.Replacing("r", protocol.Position{}) {
		t.Error("something is kept")
	}
}
