package wireroom_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/disk"
	"github.com/wireroom/wireroom/protocol"
)

// The rooms whose positions are asked for, each with a rule of its own.
const (
	shortRoom = "short"  // keeps 3 messages of 10
	noneRoom  = "none"   // keeps none of 10
	largeRoom = "large"  // keeps all of mostRecovered + 1
	emptyRoom = "unused" // never published to
)

// mostRecovered is how many messages a join recovers.
const mostRecovered = 10_000

// recovered is a server with rooms, whose positions are known.
type recovered struct {
	url string
	at  map[string][]string // by room: the positions of all messages, behind that before the first
}

// logEngines runs a test on each engine of one node, with the rooms filled; on disk also after a restart.
func logEngines(t *testing.T, test func(t *testing.T, r *recovered)) {
	rules := []wireroom.Rule{
		{Pattern: shortRoom, History: engine.Retention{Messages: 3, Bytes: 1 << 20, Age: time.Hour}},
		{Pattern: noneRoom},
		{Pattern: "**", History: engine.Retention{Messages: 20_000, Bytes: 1 << 30, Age: time.Hour}},
	}
	unlimited := wireroom.Limits{PublishRate: -1, PublishBurst: -1, JoinRate: -1, JoinBurst: -1, ByteRate: -1}
	options := func(e engine.Engine) wireroom.Options {
		return wireroom.Options{Engine: e, Rules: rules, Limits: unlimited}
	}
	t.Run("memory", func(t *testing.T) {
		_, url := start(t, options(nil))
		r := &recovered{url: url, at: make(map[string][]string)}
		r.fill(t)
		test(t, r)
	})
	t.Run("memory, rooms in use", func(t *testing.T) {
		_, url := start(t, options(nil))
		r := &recovered{url: url, at: make(map[string][]string)}
		occupy(t, url)
		r.fill(t)
		test(t, r)
	})
	dir := t.TempDir()
	newDisk := func() engine.Engine {
		return disk.New(disk.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	}
	r := &recovered{at: make(map[string][]string)}
	t.Run("disk, rooms in use", func(t *testing.T) {
		_, r.url = start(t, options(newDisk()))
		occupy(t, r.url)
		r.fill(t)
		test(t, r)
	})
	t.Run("disk, started again", func(t *testing.T) {
		_, r.url = start(t, options(newDisk()))
		test(t, r)
	})
}

// occupy has somebody in each room, so that the node has the newest of it at hand.
func occupy(t *testing.T, url string) {
	t.Helper()
	p := dial(t, url+"/ws", nil)
	p.expect("welcome")
	for _, room := range []string{shortRoom, noneRoom, largeRoom, emptyRoom} {
		p.send(fmt.Sprintf(`{"type":"join","room":%q,"id":1}`, room))
		p.expect("ok")
	}
	go func() { // it reads all it gets
		for {
			if _, _, err := p.conn.Read(t.Context()); err != nil {
				return
			}
		}
	}()
}

// fill publishes to the rooms.
func (r *recovered) fill(t *testing.T) {
	t.Helper()
	p := dial(t, r.url+"/ws", nil)
	p.expect("welcome")
	for room, n := range map[string]int{shortRoom: 10, noneRoom: 10, largeRoom: mostRecovered + 1, emptyRoom: 0} {
		p.send(fmt.Sprintf(`{"type":"history","room":%q,"id":1}`, room))
		r.at[room] = []string{p.expect("ok")["pos"].(string)}
		for len(r.at[room]) <= n {
			var frame []string
			for i := len(r.at[room]); i <= min(n, len(r.at[room])+63); i++ {
				frame = append(frame, fmt.Sprintf(`{"type":"publish","room":%q,"data":%d,"id":%d}`, room, i, i))
			}
			p.send("[" + strings.Join(frame, ",") + "]")
			for range frame {
				r.at[room] = append(r.at[room], p.expect("ok")["pos"].(string))
			}
		}
	}
}

// forged returns a position with another check.
func forged(position string) string {
	p, _ := protocol.ParsePosition(position)
	p.Check ^= 1
	return p.String()
}

// moved returns a position so much further on.
func moved(position string, by uint64) string {
	p, _ := protocol.ParsePosition(position)
	p.Offset += by
	return p.String()
}

// ofAnotherLife returns a position in another epoch.
func ofAnotherLife(position string) string {
	p, _ := protocol.ParsePosition(position)
	p.Epoch ^= 1
	return p.String()
}

// claim is a position that a client says it has, and what is true of it.
type claim struct {
	name   string
	room   string
	since  string
	from   int    // the position is that of this message, where it is proven
	reason string // why it is not
}

// claims returns a claim of every kind, and both sides of every border.
func (r *recovered) claims() []claim {
	short, none, large, empty := r.at[shortRoom], r.at[noneRoom], r.at[largeRoom], r.at[emptyRoom][0]
	return []claim{
		{"the head", shortRoom, short[10], 10, ""},
		{"a message that is kept", shortRoom, short[8], 8, ""},
		{"the last that left, which proves", shortRoom, short[7], 7, ""},
		{"the one before, which does not", shortRoom, short[6], 0, "expired"},
		{"the first", shortRoom, short[1], 0, "expired"},
		{"before the first", shortRoom, short[0], 0, "expired"},
		{"a check that is wrong, of the head", shortRoom, forged(short[10]), 0, "diverged"},
		{"a check that is wrong, of one kept", shortRoom, forged(short[8]), 0, "diverged"},
		{"a check that is wrong, of the last that left", shortRoom, forged(short[7]), 0, "diverged"},
		{"a check that is wrong, of one that left", shortRoom, forged(short[6]), 0, "expired"},
		{"one after the head", shortRoom, moved(short[10], 1), 0, "diverged"},
		{"far after the head", shortRoom, moved(short[10], 1<<52), 0, "diverged"},
		{"another epoch, at the head", shortRoom, ofAnotherLife(short[10]), 0, "epoch"},
		{"another epoch, at one that left", shortRoom, ofAnotherLife(short[2]), 0, "epoch"},
		{"the position of another room", shortRoom, large[9], 0, foreign(short[10], large[9])},
		{"no position", shortRoom, "garbage", 0, "epoch"},
		{"nothing", shortRoom, "", 0, "epoch"},
		{"a position and more", shortRoom, short[10] + "0", 0, "epoch"},
		{"a position in capitals", shortRoom, strings.ToUpper(short[10][:8]) + short[10][8:], 0, "epoch"},

		{"of a room without history, the head", noneRoom, none[10], 10, ""},
		{"of a room without history, the one before", noneRoom, none[9], 0, "expired"},
		{"of a room without history, before the first", noneRoom, none[0], 0, "expired"},
		{"of a room without history, a wrong check", noneRoom, forged(none[10]), 0, "diverged"},
		{"of a room without history, one after the head", noneRoom, moved(none[10], 1), 0, "diverged"},
		{"of a room without history, another epoch", noneRoom, ofAnotherLife(none[10]), 0, "epoch"},

		{"of a room never published to, its head", emptyRoom, empty, 0, ""},
		{"of a room never published to, a wrong check", emptyRoom, forged(empty), 0, "diverged"},
		{"of a room never published to, one after", emptyRoom, moved(empty, 1), 0, "diverged"},
		{"of a room never published to, another epoch", emptyRoom, ofAnotherLife(empty), 0, "epoch"},

		{"as many as are recovered", largeRoom, large[1], 1, ""},
		{"one more", largeRoom, large[0], 0, "too_many"},
		{"many, with a wrong check", largeRoom, forged(large[1]), 0, "diverged"},
		{"too many, with a wrong check", largeRoom, forged(large[0]), 0, "diverged"},
	}
}

// foreign returns why a room does not prove a position of another one: their epochs may happen to be the same, and then
// the check tells.
func foreign(own, other string) string {
	if own[:8] == other[:8] {
		return "diverged"
	}
	return "epoch"
}

func TestAJoinRecoversAllOrSaysWhyNot(t *testing.T) {
	logEngines(t, func(t *testing.T, r *recovered) {
		p := dial(t, r.url+"/ws", nil)
		p.expect("welcome")
		for _, c := range r.claims() {
			all := r.at[c.room]
			head := all[len(all)-1]
			p.send(fmt.Sprintf(`{"type":"join","room":%q,"since":%q,"id":1}`, c.room, c.since))
			reply := p.expect("ok")
			missed := all[c.from+1:]
			want := fmt.Sprintf("true %s %s %d", c.since, head, len(missed))
			if c.reason != "" {
				missed = nil
				want = fmt.Sprintf("false %s %s %s 0", c.reason, head, head)
			}
			got := fmt.Sprint(reply["recovered"], " ", reply["pos"], " ", reply["head"], " ", reply["count"])
			if reason, ok := reply["reason"]; ok {
				got = fmt.Sprint(reply["recovered"], " ", reason, " ", reply["pos"], " ", reply["head"], " ", reply["count"])
			}
			if got != want {
				t.Errorf("%s: the reply is %s, want %s", c.name, got, want)
			}
			if reply["recovered"] == true {
				for i, position := range missed {
					if m := p.expect("message"); m["pos"] != position || m["data"] != float64(c.from+1+i) {
						t.Fatalf("%s: %v at %v came where %s was next", c.name, m["data"], m["pos"], position)
					}
				}
			}
			p.send(fmt.Sprintf(`{"type":"leave","room":%q,"id":2}`, c.room))
			p.expect("ok") // and nothing before it
		}
	})
}

// What memory had is gone with its process, and no client takes the new log for the one that it knew.
func TestARestartOfMemoryIsAnotherEpoch(t *testing.T) {
	const room = "general"
	publish := func(n int) (positions []string, again *peer) {
		_, url := start(t, wireroom.Options{})
		p := dial(t, url+"/ws", nil)
		p.expect("welcome")
		for i := range n {
			p.send(fmt.Sprintf(`{"type":"publish","room":%q,"data":%d,"id":1}`, room, i))
			positions = append(positions, p.expect("ok")["pos"].(string))
		}
		return positions, p
	}
	before, _ := publish(5)
	for _, n := range []int{0, 3, 5, 8} {
		now, p := publish(n)
		for _, since := range before {
			p.send(fmt.Sprintf(`{"type":"join","room":%q,"since":%q,"id":1}`, room, since))
			reply := p.expect("ok")
			if reply["recovered"] != false || reply["reason"] != "epoch" || reply["pos"] != reply["head"] || n > 0 && reply["head"] != now[n-1] {
				t.Errorf("since %s, with %d messages in the new log: %v", since, n, reply)
			}
			p.send(fmt.Sprintf(`{"type":"leave","room":%q,"id":2}`, room))
			p.expect("ok")
		}
	}
}

func TestHistoryProvesAPositionOrSaysWhyNot(t *testing.T) {
	logEngines(t, func(t *testing.T, r *recovered) {
		p := dial(t, r.url+"/ws", nil)
		p.expect("welcome")
		for _, c := range r.claims() {
			all := r.at[c.room]
			kept := r.kept(c.room)
			if c.reason == "too_many" {
				c.reason = "" // a history is read page by page
			}
			for _, field := range []string{"since", "before"} {
				p.send(fmt.Sprintf(`{"type":"history","room":%q,%q:%q,"limit":2,"id":1}`, c.room, field, c.since))
				reply := p.expect("ok")
				from, to := c.from+1, min(c.from+3, len(all)) // of the messages that are wanted, to not included
				more := to < len(all)
				if field == "before" {
					from, to = max(kept, c.from-2), max(kept, c.from)
					more = from > kept
				}
				want := fmt.Sprintf("%v %s %v", all[from:to], r.end(c.room, field, from, to), more)
				if c.reason != "" {
					want = fmt.Sprintf("false %s %s", c.reason, all[len(all)-1])
				}
				if got := historyOf(reply); got != want {
					t.Errorf("%s %s: the reply is %s, want %s", field, c.name, got, want)
				}
			}
		}
	})
}

// kept returns which message of a room is the oldest that it keeps, one after the newest if there is none.
func (r *recovered) kept(room string) int {
	switch room {
	case shortRoom:
		return 8
	case noneRoom:
		return 11
	}
	return 1
}

// end returns where a list of the messages from on to, not included, ends.
func (r *recovered) end(room, field string, from, to int) string {
	all := r.at[room]
	if from == to || field == "since" && to == len(all) {
		return all[len(all)-1]
	}
	return all[to-1]
}

// historyOf returns what is looked at of a history.
func historyOf(reply map[string]any) string {
	if r, ok := reply["recovered"]; ok {
		return fmt.Sprint(r, " ", reply["reason"], " ", reply["pos"])
	}
	positions := []string{}
	for _, m := range reply["messages"].([]any) {
		positions = append(positions, m.(map[string]any)["pos"].(string))
	}
	return fmt.Sprintf("%v %v %v", positions, reply["pos"], reply["more"])
}
