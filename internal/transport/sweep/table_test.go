package sweep

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// thing is an entry that counts.
type thing struct {
	table *Table[*thing]
	place Place
	looks atomic.Int32
	takes time.Duration
	retry time.Duration
	stays bool // however often it is drained
}

func (x *thing) Place() *Place { return &x.place }

func (x *thing) LookAfter(uint32, time.Time) {
	x.looks.Add(1)
	time.Sleep(x.takes)
}

func (x *thing) Drain(most time.Duration) {
	x.retry = Retry(most)
	if !x.stays {
		x.table.Remove(x)
	}
}

func TestLooksAfterEachEntryOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table[*thing]
		var after atomic.Int32
		table.Start(func() { after.Add(1) })
		defer table.Stop()
		things := make([]*thing, 1300)
		for i := range things {
			things[i] = &thing{table: &table}
			table.Add(things[i])
		}
		time.Sleep(10*time.Second + 50*time.Millisecond)
		for i, x := range things {
			if n := x.looks.Load(); n != 10 {
				t.Fatalf("%d was looked after %d times in 10 s", i, n)
			}
		}
		if n := after.Load(); n != 100 || table.Clock() != 11 {
			t.Fatalf("%d ticks, the clock is at %d", n, table.Clock())
		}
	})
}

func TestNewsHasAllEntriesLookedAfterAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		news := paper{printed: make(chan struct{})}
		table := Table[*thing]{News: news.next, Period: time.Hour}
		table.Start(func() {})
		defer table.Stop()
		things := make([]*thing, 1300)
		for i := range things {
			things[i] = &thing{table: &table}
			table.Add(things[i])
		}
		for round := range int32(3) {
			news.print()
			synctest.Wait() // no time passes
			for i, x := range things {
				if n := x.looks.Load(); n != round+1 {
					t.Fatalf("%d was looked after %d times, want %d", i, n, round+1)
				}
			}
			time.Sleep(time.Nanosecond) // it has rested
		}
	})
}

// However much news there is, it takes a quarter of the time, and the last of it is not missed.
func TestNewsTakesAPartOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		news := paper{printed: make(chan struct{})}
		table := Table[*thing]{News: news.next, Period: time.Hour}
		table.Start(func() {})
		defer table.Stop()
		x := &thing{table: &table, takes: 100 * time.Millisecond}
		table.Add(x)
		for range 1000 {
			news.print()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := x.looks.Load(); n < 24 || n > 28 {
			t.Errorf("looked after %d times in 10 s, 100 ms each time", n)
		}
		before := x.looks.Load()
		news.print()
		time.Sleep(10 * time.Millisecond)
		news.print() // while all are looked after
		time.Sleep(time.Second)
		if n := x.looks.Load() - before; n != 2 {
			t.Errorf("looked after %d times because of what came at once, and of what came meanwhile", n)
		}
	})
}

// A rest is no longer than a second, however long it took.
func TestNewsDoesNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		news := paper{printed: make(chan struct{})}
		table := Table[*thing]{News: news.next, Period: time.Hour}
		table.Start(func() {})
		defer table.Stop()
		x := &thing{table: &table, takes: 2 * time.Second}
		table.Add(x)
		news.print()
		time.Sleep(time.Second)
		news.print() // while all are looked after
		time.Sleep(1900 * time.Millisecond)
		if n := x.looks.Load(); n != 1 {
			t.Errorf("looked after %d times before the rest was over", n)
		}
		time.Sleep(200 * time.Millisecond)
		if n := x.looks.Load(); n != 2 {
			t.Errorf("looked after %d times a second after it was looked after", n)
		}
	})
}

// paper has the news.
type paper struct {
	mu      sync.Mutex
	printed chan struct{}
}

func (p *paper) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed
}

func (p *paper) print() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.printed)
	p.printed = make(chan struct{})
}

func TestWhatIsGoneStaysGone(t *testing.T) {
	var table Table[*thing]
	a, b, c := &thing{}, &thing{}, &thing{}
	table.Add(a)
	table.Add(b)
	table.Remove(a)
	table.Remove(c) // before it was added
	table.Add(c)
	table.Add(a)
	table.Remove(a)
	if all := table.All(); len(all) != 1 || all[0] != b || table.Len() != 1 {
		t.Fatalf("%d entries", len(all))
	}
	table.Remove(b)
	table.Remove(b)
	if table.Len() != 0 {
		t.Fatal("b is still there")
	}
}

func TestDrainGoesInWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table[*thing]
		things := make([]*thing, 100)
		for i := range things {
			things[i] = &thing{table: &table}
			table.Add(things[i])
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- table.Drain(ctx, new(atomic.Int32)) }()
		time.Sleep(5*time.Second + 100*time.Millisecond)
		if n := table.Len(); n != 45 { // 11 of 20 waves of 5 each
			t.Errorf("%d are left after half of the time", n)
		}
		if err := <-done; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("%v after %v, want the half of 20 s", err, time.Since(began))
		}
		for _, x := range things {
			if x.retry < 100*time.Millisecond || x.retry > 5*time.Second {
				t.Fatalf("asked to come back after %v", x.retry)
			}
		}
		table.Add(&thing{table: &table, stays: true})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := table.Drain(ctx, new(atomic.Int32)); err == nil {
			t.Error("drained what stays")
		}
	})
}

// Whoever takes long to arrive delays nobody else's drain, and is asked to go as soon as it is there.
func TestDrainWaitsForNobodyWhoArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table[*thing]
		here, late := &thing{table: &table}, &thing{table: &table}
		table.Add(here)
		var arriving atomic.Int32
		arriving.Store(1)
		done := make(chan error, 1)
		go func() { done <- table.Drain(t.Context(), &arriving) }()
		synctest.Wait()
		if here.retry == 0 {
			t.Error("nobody is asked while somebody arrives")
		}
		time.Sleep(time.Minute)
		table.Add(late)
		arriving.Store(0)
		if err := <-done; err != nil || late.retry == 0 || table.Len() != 0 {
			t.Errorf("%v; who came late was asked to come back after %v", err, late.retry)
		}
		arriving.Store(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := table.Drain(ctx, &arriving); err == nil {
			t.Error("drained while somebody may come")
		}
	})
}
