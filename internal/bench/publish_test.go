package bench

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestAWindowIsFullUntilEverybodyHasIt(t *testing.T) {
	var p pubs
	p.init(&Share{Options: Options{Window: 2}, Workers: 1})
	first, second := p.begin(outstanding{left: 2}), p.begin(outstanding{left: 1})
	if p.open != 2 {
		t.Fatalf("%d outstanding", p.open)
	}
	p.arrived(first, 1, 0)
	if p.open != 2 {
		t.Error("a publication was done when one of two members had it")
	}
	p.arrived(second, 2, 0)
	p.arrived(second, 2, 0)    // once more
	p.arrived(first, 1, never) // it does not wait for that one
	if p.open != 1 {
		t.Errorf("%d outstanding", p.open)
	}
	p.arrived(first, 1, 0)
	p.arrived(77, 3, 0) // never was
	if p.open != 0 {
		t.Errorf("%d outstanding at the end", p.open)
	}
}

func TestNumbersOfWorkersDiffer(t *testing.T) {
	seen := make(map[int64]bool)
	for worker := range 3 {
		var p pubs
		p.init(&Share{Options: Options{Window: 6}, Workers: 3, Number: worker})
		for range 10 {
			number := p.begin(outstanding{left: 1})
			if seen[number] {
				t.Fatalf("number %d twice", number)
			}
			seen[number] = true
			p.arrived(number, 1, 0)
		}
		if p.open != 0 {
			t.Errorf("worker %d has %d outstanding", worker, p.open)
		}
	}
}

func TestWhatNeverArrivesExpires(t *testing.T) {
	var p pubs
	p.init(&Share{Options: Options{Window: 1}, Workers: 1})
	number := p.begin(outstanding{at: 5, left: 1})
	if n := p.expire(5 + expireAfter); n != 0 {
		t.Errorf("%d expired too early", n)
	}
	if n := p.expire(6 + expireAfter); n != 1 || p.open != 0 {
		t.Errorf("%d expired, %d outstanding", n, p.open)
	}
	p.arrived(number, 1, 0) // too late to count again
	if p.open != 0 {
		t.Errorf("%d outstanding", p.open)
	}
}

// TestOneThatIsLateIsWaitedFor has thousands of others pass it.
func TestOneThatIsLateIsWaitedFor(t *testing.T) {
	var p pubs
	p.init(&Share{Options: Options{Window: 2}, Workers: 3, Number: 1})
	old := p.begin(outstanding{at: 5, left: 2})
	for range 5000 {
		p.arrived(p.begin(outstanding{at: 5, left: 1}), 1, 0)
	}
	if n := p.expire(6); n != 0 || p.open != 1 {
		t.Errorf("%d given up, %d outstanding", n, p.open)
	}
	p.arrived(old, 1, 0)
	p.arrived(old, 1, 0)
	if p.open != 0 {
		t.Errorf("%d outstanding", p.open)
	}
}

func TestSharesAddUp(t *testing.T) {
	const workers = 7
	o := Options{Connections: 100, Window: 23, Rate: 50}
	window, rate := 0, 0.0
	for i := range workers {
		s := Share{Options: o, Number: i, Workers: workers, Count: o.Connections*(i+1)/workers - o.Connections*i/workers}
		window += s.window()
		rate += s.rate()
	}
	if window != o.Window {
		t.Errorf("windows add up to %d", window)
	}
	if rate < o.Rate-1e-9 || rate > o.Rate+1e-9 {
		t.Errorf("rates add up to %g", rate)
	}
}

// TestMissingCountsTheEnd has two workers; one of their members lacks the last two messages, and a publication of which
// nobody has seen anything.
func TestMissingCountsTheEnd(t *testing.T) {
	one := &Ending{Begun: []bool{true}, Bases: []uint64{10}, Heads: []uint64{15}, Published: []int64{4}, Members: []int64{2}, Newest: []uint64{15 + 13}}
	two := &Ending{Begun: []bool{true}, Bases: []uint64{12}, Heads: []uint64{14}, Published: []int64{2}, Members: []int64{0}, Newest: []uint64{0}}
	// 6 publications after 10: the head is 16.
	if n := missing([]*Ending{one, two}); n != 1+3 {
		t.Errorf("%d missing", n)
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for name, o := range map[string]Options{
		"scenario":       {Scenario: "nonsense"},
		"rate or window": {Scenario: "fan-out", Rate: 1, Window: 1},
		"payload":        {Scenario: "fan-out", Payload: 3},
		"dialect":        {Scenario: "fan-out", Speak: "klingon"},
		"echo has rooms": {Scenario: "fan-out", Speak: "echo"},
		"negative":       {Scenario: "fan-out", Connections: -1},
		"share":          {Scenario: "slow", Stalled: 2},
		"scheme":         {Scenario: "fan-out", Servers: []string{"http://127.0.0.1/ws"}},
		"no scheme":      {Scenario: "fan-out", Servers: []string{"127.0.0.1:8080"}},
		"sse wanders":    {Scenario: "chat", Speak: "sse"},
		"sse compressed": {Scenario: "fan-out", Speak: "sse", Compress: true},
		"warm-up":        {Scenario: "fan-out", Warmup: -1},
		"duration":       {Scenario: "fan-out", Duration: -time.Second},
		"settle":         {Scenario: "fan-out", Settle: -1},
		"stay":           {Scenario: "chat", Stay: -1},
		"publishers":     {Scenario: "fan-out", Publishers: -1},
		"no number":      {Scenario: "fan-out", Rate: math.NaN()},
		"endless rate":   {Scenario: "fan-out", Rate: math.Inf(1)},
		"endless ramp":   {Scenario: "fan-out", Ramp: math.Inf(1)},
		"no share":       {Scenario: "slow", Stalled: math.NaN()},
		"quote":          {Scenario: "fan-out", Prefix: `a"b`},
		"long prefix":    {Scenario: "fan-out", Prefix: strings.Repeat("a", 190)},
		"inbox":          {Scenario: "fan-out", Prefix: "@a"},
		"endless":        {Scenario: "fan-out", Duration: math.MaxInt64},
		"one process":    {Scenario: "fan-out", Servers: []string{"ws://127.0.0.1:1/", "ws://127.0.0.1:2/"}, PIDs: []int{1}},
	} {
		if err := o.Check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, name := range Scenarios() {
		o := Options{Scenario: name, Duration: time.Second}
		if err := o.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (o.Rate > 0 || o.Window > 0) == (name == scenarioIdle) {
			t.Errorf("%s: rate %g, window %d", name, o.Rate, o.Window)
		}
	}
}
