package limit

import (
	"sync"
	"testing"
	"time"
)

var second = Rate{PerSecond: 1, Burst: 1}

func TestAnAccountIsKeptWhileItSaysSomething(t *testing.T) {
	table := Table[string]{Idle: 10}
	e, uses := table.Hold("a")
	if uses != 1 {
		t.Fatalf("%d uses", uses)
	}
	if again, uses := table.Hold("a"); again != e || uses != 2 {
		t.Fatalf("another account, or %d uses", uses)
	}
	e.Messages.Take(1, 1, second)
	table.Release("a", e, 1)
	if held, all := table.Len(); held != 1 || all != 1 {
		t.Fatalf("held %d of %d", held, all)
	}
	table.Release("a", e, 1)
	if held, all := table.Len(); held != 0 || all != 1 {
		t.Fatalf("held %d of %d after the last", held, all)
	}
	if again, uses := table.Hold("a"); again != e || uses != 1 {
		t.Fatal("what the account said is forgotten")
	}
	table.Release("a", e, 1)
	other, _ := table.Hold("b")
	table.Release("b", other, int64(time.Minute)) // by then a has recovered
	if held, all := table.Len(); held != 0 || all != 0 {
		t.Fatalf("held %d of %d when nothing is left to say", held, all)
	}
}

func TestAccountsNobodyHoldsAreBounded(t *testing.T) {
	table := Table[int]{Idle: 5}
	kept, _ := table.Hold(-1)
	for i := range 1000 {
		e, _ := table.Hold(i)
		e.offences.Take(1, 1, second)
		table.Release(i, e, 1)
		if _, all := table.Len(); all > 7 {
			t.Fatalf("%d accounts after %d", all, i)
		}
	}
	found := false
	table.Peek(999, func(a *Account, uses int) { found = uses == 0 && !a.offences.Full(1) })
	if !found {
		t.Error("the newest was evicted")
	}
	table.Peek(0, func(*Account, int) { t.Error("the oldest is there yet") })
	if again, uses := table.Hold(-1); again != kept || uses != 2 {
		t.Error("one that is held was evicted")
	}
	if n := len(table.waiting); n > 6 {
		t.Errorf("%d wait", n)
	}
}

func TestOffencesBlockForSomeTime(t *testing.T) {
	var a Account
	rate := Rate{PerSecond: 1, Burst: 2}
	if a.Offend(1, rate, time.Minute) || a.Offend(1, rate, time.Minute) || a.Blocked(1, rate) != 0 {
		t.Fatal("blocked too early")
	}
	if !a.Offend(1, rate, time.Minute) || a.Blocked(1, rate) != time.Minute || a.clear(int64(time.Minute)) {
		t.Fatalf("blocked for %v, want a minute", a.Blocked(1, rate))
	}
	if a.Blocked(1+int64(time.Minute), rate) != 0 {
		t.Fatal("still blocked after a minute")
	}
	if !a.Offend(1+int64(time.Minute), rate, time.Minute) {
		t.Fatal("the next offence is a first one")
	}
	if later := 1 + int64(2*time.Minute+2*time.Second); !a.clear(later) || a.Offend(later, rate, time.Minute) {
		t.Fatal("not forgiven in time")
	}
	for range 10 {
		if a.Offend(1, rate, 0) {
			t.Fatal("blocked although that is off")
		}
	}
}

func TestATableMayBeUsedAtOnce(t *testing.T) {
	table := Table[int]{Idle: 3}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for now := range 2000 {
				key := now % (i + 2)
				e, _ := table.Hold(key)
				e.Connects.Take(int64(now), 1, second)
				e.Offend(int64(now), second, time.Microsecond)
				table.Release(key, e, int64(now))
			}
		})
	}
	all.Wait()
	if held, all := table.Len(); held != 0 || all > 4 {
		t.Fatalf("held %d of %d", held, all)
	}
}
