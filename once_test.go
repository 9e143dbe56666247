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
)

// series publishes under one producer's numbers.
type series struct {
	*peer
	producer string
	at       []string // by seq, where it was stored; 0 is none
}

// answers publishes the given numbers in one frame, and returns the replies in short: stored, duplicate, each with
// the number whose position it names, or the error's code.
func (s *series) answers(numbers ...int) string {
	s.t.Helper()
	var frame []string
	for _, seq := range numbers {
		frame = append(frame, fmt.Sprintf(`{"type":"publish","room":"short","data":%d,"producer":%q,"seq":%d,"id":%d}`, seq, s.producer, seq, seq))
	}
	s.send("[" + strings.Join(frame, ",") + "]")
	byID := make(map[float64]map[string]any) // refusals may overtake
	var said []string
	for range numbers {
		r := s.receive()
		byID[r["id"].(float64)] = r
	}
	for _, seq := range numbers {
		said = append(said, s.say(seq, byID[float64(seq)]))
	}
	return strings.Join(said, " ")
}

func (s *series) say(seq int, r map[string]any) string {
	pos, _ := r["pos"].(string)
	switch {
	case r["type"] == "error":
		return fmt.Sprint(r["code"])
	case r["duplicate"] != true:
		if seq != len(s.at) {
			s.t.Fatalf("%d was stored, %d was next", seq, len(s.at))
		}
		s.at = append(s.at, pos)
		return "stored"
	case pos == "" && r["ts"] == 0.0:
		return "duplicate"
	case pos == s.at[seq]:
		return "duplicate-there"
	}
	return fmt.Sprint("elsewhere: ", r)
}

func TestNumbersAreStoredOnceBeyondTheLog(t *testing.T) {
	options := func(e engine.Engine) wireroom.Options {
		return wireroom.Options{
			Engine: e,
			Rules:  []wireroom.Rule{{Pattern: "short", History: engine.Retention{Messages: 3, Age: time.Hour}}},
			Limits: wireroom.Limits{PublishRate: -1, PublishBurst: -1},
		}
	}
	dir := t.TempDir()
	s := &series{producer: "a-producer-of-numbers", at: []string{""}}
	begin := func(t *testing.T, e engine.Engine) {
		_, url := start(t, options(e))
		s.peer = dial(t, url+"/ws", nil) // another user each time: it does not matter
		s.expect("welcome")
	}
	t.Run("disk", func(t *testing.T) {
		begin(t, disk.New(disk.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}))
		s.publishAndRepeat(t)
	})
	t.Run("disk, started again", func(t *testing.T) {
		begin(t, disk.New(disk.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}))
		s.repeat(t)
	})
	t.Run("memory", func(t *testing.T) {
		s.at = s.at[:1]
		begin(t, nil)
		s.publishAndRepeat(t)
	})
}

// publishAndRepeat publishes until most of the numbers' messages have left the log, and more than there are answers for.
func (s *series) publishAndRepeat(t *testing.T) {
	const all = 2 * engine.ProducerWindow
	for len(s.at) <= all {
		var numbers []int
		for seq := len(s.at); seq < min(len(s.at)+60, all+1); seq++ {
			numbers = append(numbers, seq)
		}
		if got := s.answers(numbers...); strings.Trim(got, "stored ") != "" {
			t.Fatalf("%v gets %s", numbers, got)
		}
	}
	s.repeat(t)
}

// repeat sends again what was stored, and what does not follow.
func (s *series) repeat(t *testing.T) {
	last := len(s.at) - 1
	oldest := last - engine.ProducerWindow + 1
	for _, c := range []struct {
		numbers []int
		want    string
	}{
		{[]int{last}, "duplicate-there"},
		{[]int{last - 4, last - 3}, "duplicate-there duplicate-there"}, // they have left the log
		{[]int{oldest}, "duplicate-there"},
		{[]int{oldest - 1}, "duplicate"},
		{[]int{1}, "duplicate"},
		{[]int{last + 2, last + 3}, "out_of_order out_of_order"},
		{[]int{last, last + 1, last + 2, last + 3}, "duplicate-there stored stored stored"},
		{[]int{last + 1, last + 3}, "duplicate-there duplicate-there"},
	} {
		if got := s.answers(c.numbers...); got != c.want {
			t.Errorf("%v of %d gets %s, want %s", c.numbers, last, got, c.want)
		}
	}
	unknown := &series{peer: s.peer, producer: "an-unknown-producer", at: []string{""}}
	if got := unknown.answers(2); got != "out_of_order" {
		t.Errorf("the second of an unknown producer gets %s", got)
	}
	s.send(`{"type":"history","room":"short","id":"h"}`)
	if h := s.expect("ok"); len(h["messages"].([]any)) != 3 || h["pos"] != s.at[len(s.at)-1] {
		t.Errorf("the log is %v, want three messages up to %s", h, s.at[len(s.at)-1])
	}
}
