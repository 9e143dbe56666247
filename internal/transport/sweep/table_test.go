package sweep

import (
	"context"
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
	retry time.Duration
	stays bool // however often it is drained
}

func (x *thing) Place() *Place               { return &x.place }
func (x *thing) LookAfter(uint32, time.Time) { x.looks.Add(1) }

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
		go func() { done <- table.Drain(ctx) }()
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
		if err := table.Drain(ctx); err == nil {
			t.Error("drained what stays")
		}
	})
}
