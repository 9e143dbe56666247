package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTakesABurstThenTheRate(t *testing.T) {
	var b Bucket
	rate := Rate{PerSecond: 10, Burst: 5}
	now := int64(time.Hour)
	for i := range 5 {
		if wait := b.Take(now, 1, rate); wait != 0 {
			t.Fatalf("event %d of the burst has to wait %v", i, wait)
		}
	}
	if wait := b.Take(now, 1, rate); wait != 100*time.Millisecond {
		t.Fatalf("after the burst: wait %v, want 100ms", wait)
	}
	now += int64(100 * time.Millisecond)
	if wait := b.Take(now, 1, rate); wait != 0 {
		t.Fatalf("after the wait: wait %v more", wait)
	}
	if wait := b.Take(now, 1, rate); wait == 0 {
		t.Fatal("a second event was had for one wait")
	}
}

func TestRefusedEventsCostNothing(t *testing.T) {
	var b Bucket
	rate := Rate{PerSecond: 1, Burst: 2}
	now := int64(1)
	b.Take(now, 2, rate)
	for range 100 {
		b.Take(now, 1, rate)
	}
	if wait := b.Take(now+int64(time.Second), 1, rate); wait != 0 {
		t.Fatalf("refused events made it wait %v longer", wait)
	}
}

func TestNeverMoreThanTheBurstAtOnce(t *testing.T) {
	var b Bucket
	rate := Rate{PerSecond: 10, Burst: 3}
	now := int64(1000 * time.Hour) // idle for very long
	taken := 0
	for b.Take(now, 1, rate) == 0 {
		taken++
	}
	if taken != 3 {
		t.Fatalf("took %d at once, want 3", taken)
	}
}

func TestMoreThanTheBurstInOneTakeWaitsForAnEmptyBucket(t *testing.T) {
	var b Bucket
	rate := Rate{PerSecond: 10, Burst: 2}
	if wait := b.Take(1, 5, rate); wait != 0 {
		t.Fatalf("a large take from a full bucket waits %v", wait)
	}
	if wait := b.Take(1, 1, rate); wait == 0 {
		t.Fatal("nothing was owed after a large take")
	}
}

func TestZeroRateIsNoLimit(t *testing.T) {
	var b Bucket
	for range 1000 {
		if wait := b.Take(1, 1, Rate{}); wait != 0 {
			t.Fatalf("wait %v without a limit", wait)
		}
	}
}

func TestTakesAtOnceAreCountedOnce(t *testing.T) {
	var b Bucket
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if b.Take(1, 1, Rate{PerSecond: 1, Burst: 100}) == 0 {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() != 100 {
		t.Fatalf("took %d of a burst of 100", taken.Load())
	}
}
