package history_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/history"
)

// at returns the position of the nth message of the room.
func at(n int) protocol.Position {
	p := protocol.Position{Epoch: 7, Check: 1}
	for i := range n {
		p = p.Next(uint64(1000 + i))
	}
	return p
}

// got, acked and sent are records about the message that a publisher of its own wrote at the nth place.
func got(n int) history.Record {
	return history.Record{Do: history.Got, Room: "r", Pub: "p", N: n, At: at(n)}
}

func acked(n int) history.Record {
	return history.Record{Do: history.Ack, Room: "r", Pub: "p", N: n, At: at(n)}
}

func sent(n int) history.Record {
	return history.Record{Do: history.Send, Room: "r", Pub: "p", N: n}
}

func joined(n int, why string) history.Record {
	return history.Record{Do: history.Join, Room: "r", At: at(n), Why: why}
}

func ended(n int) history.Record { return history.Record{Do: history.End, Room: "r", At: at(n)} }

func gap(n int) history.Record {
	return history.Record{Do: history.Gap, Room: "r", At: at(n), Why: "lagged"}
}

func with(r history.Record, change func(*history.Record)) history.Record {
	change(&r)
	return r
}

// judge writes a history and has it judged.
func judge(t *testing.T, actors map[string][]history.Record) history.Verdict {
	t.Helper()
	dir := t.TempDir()
	for actor, records := range actors {
		w, err := history.Create(dir, actor, history.Begin(time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			w.Add(r)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	v, err := history.Judge(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The history of a publisher of three messages and a member that lost its connection after the first one, and what
// becomes of the verdict when one record is not as it should be.
func TestJudgesHistories(t *testing.T) {
	publisher := []history.Record{sent(1), sent(2), acked(1), sent(3), acked(2), acked(3)}
	member := []history.Record{joined(0, history.Fresh), got(1), joined(1, history.Recovered), got(2), got(3), ended(3)}
	log := []history.Record{got(1), got(2), got(3)}
	for name, c := range map[string]struct {
		publisher, member, log []history.Record
		want                   history.Verdict
	}{
		"as promised":           {publisher, member, log, history.Verdict{}},
		"acked and not stored":  {publisher, append(member[:4:4], ended(2)), log[:2], history.Verdict{Lost: 1}},
		"acked elsewhere":       {append(publisher[:5:5], with(acked(3), func(r *history.Record) { r.At.Check++ })), member, log, history.Verdict{Lost: 1}},
		"refused and stored":    {append(publisher[:5:5], history.Record{Do: history.Lost, Room: "r", Pub: "p", N: 3}), member, log, history.Verdict{Refused: 1}},
		"stored twice":          {publisher, append(member[:5:5], with(got(4), func(r *history.Record) { r.N = 2 }), ended(4)), append(log[:3:3], with(got(4), func(r *history.Record) { r.N = 2 })), history.Verdict{Duplicated: 1}},
		"stored in other order": {publisher[:4], append(member[:3:3], with(got(2), func(r *history.Record) { r.N = 3 }), with(got(3), func(r *history.Record) { r.N = 2 }), ended(3)), []history.Record{got(1), with(got(2), func(r *history.Record) { r.N = 3 }), with(got(3), func(r *history.Record) { r.N = 2 })}, history.Verdict{Reordered: 1}},
		"never published":       {publisher, append(member[:5:5], got(4), ended(4)), append(log[:3:3], got(4)), history.Verdict{Phantom: 1}},
		"damaged in the log":    {publisher, member, []history.Record{got(1), with(got(2), func(r *history.Record) { r.Bad = true }), got(3)}, history.Verdict{Damaged: 1}},
		"damaged on the way":    {publisher, append(member[:3:3], with(got(2), func(r *history.Record) { r.Bad = true }), got(3), ended(3)), log, history.Verdict{Damaged: 1}},
		"missed":                {publisher, append(member[:3:3], got(3), ended(3)), log, history.Verdict{Silent: 1}},
		"missed the last":       {publisher, append(member[:4:4], ended(3)), log, history.Verdict{Silent: 1}},
		"missed and told":       {publisher, append(member[:3:3], gap(2), got(3), ended(3)), log, history.Verdict{Gaps: 1}},
		"not recovered, told":   {publisher, append(member[:2:2], joined(2, "expired"), got(3), ended(3)), log, history.Verdict{Gaps: 1}},
		"recovered elsewhere":   {publisher, append(member[:2:2], joined(2, history.Recovered), got(3), ended(3)), log, history.Verdict{Silent: 1}},
		"joined anew":           {publisher, append(member[:2:2], joined(2, history.Fresh), got(3), ended(3)), log, history.Verdict{Silent: 1}},
		"got twice":             {publisher, append(member[:4:4], got(2), got(3), ended(3)), log, history.Verdict{Duplicated: 1}},
		"got an old one again":  {publisher, append(member[:5:5], got(1), ended(3)), log, history.Verdict{Reordered: 1}},
		"got what is not there": {publisher, append(member[:4:4], with(got(3), func(r *history.Record) { r.At.Check++ }), ended(3)), log, history.Verdict{Phantom: 1, Silent: 1}},
		"got before the join":   {publisher, append([]history.Record{got(1)}, member[1:]...), log, history.Verdict{Phantom: 1, Duplicated: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(t, map[string][]history.Record{"publisher-1": c.publisher, "member-1": c.member, history.LogActor: c.log})
			faults := history.Verdict{
				Refused: v.Refused, Gaps: v.Gaps, Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered,
				Damaged: v.Damaged, Silent: v.Silent, Phantom: v.Phantom,
			}
			promised := c.want
			promised.Refused, promised.Gaps = 0, 0
			kept := promised.Lost+promised.Duplicated+promised.Reordered+promised.Damaged+promised.Silent+promised.Phantom == 0
			if got, want := brief(faults), brief(c.want); got != want || (v.Err() == nil) != kept || len(v.Examples) > 0 == kept {
				t.Errorf("the verdict is %s, want %s; %v", got, want, v.Err())
			}
		})
	}
}

// brief returns a verdict as text without the examples.
func brief(v history.Verdict) string {
	v.Examples = nil
	return v.Summary() + " refused " + strings.Repeat("x", v.Refused)
}

func TestAHistoryOfNothingProvesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := history.Judge(dir); err == nil {
		t.Error("no history was judged")
	}
	if err := os.WriteFile(filepath.Join(dir, "log.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Judge(dir); err == nil {
		t.Error("an empty history was judged")
	}
}

func TestPayloadsAreRecognised(t *testing.T) {
	data := history.Payload("publisher-1", 42, "some text")
	if pub, n, whole := history.Open(data); pub != "publisher-1" || n != 42 || !whole {
		t.Fatalf("%s is %s %d %v", data, pub, n, whole)
	}
	for i := range data {
		bad := append([]byte(nil), data...)
		bad[i] ^= 1
		if _, _, whole := history.Open(bad); whole {
			t.Errorf("%s passes for whole", bad)
		}
	}
}
