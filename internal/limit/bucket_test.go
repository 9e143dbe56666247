package limit

import (
	"math"
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

func TestTheLowestRatesDoNotOverflow(t *testing.T) {
	for _, perSecond := range []float64{1e-7, 1e-8, 1e-9, 1e-12, 1e-300, 5e-324} {
		for _, burst := range []int{1, 3, 120, 1 << 40} {
			var b Bucket
			rate := Rate{PerSecond: perSecond, Burst: burst}
			now := int64(100 * 365 * 24 * time.Hour)
			for i := range min(burst, 3) {
				if wait := b.Take(now, 1, rate); wait != 0 {
					t.Fatalf("%v, burst %d: event %d waits %v", perSecond, burst, i, wait)
				}
			}
			if burst > 3 {
				continue
			}
			wait := b.Take(now, 1, rate)
			if want := min(1e9/perSecond, mostSpan/float64(burst)); float64(wait) < want*0.99 || float64(wait) > want*1.01 {
				t.Fatalf("%v, burst %d: wait %d after the burst, want %v", perSecond, burst, wait, want)
			}
		}
	}
}

func TestNoNumberIsNoLimit(t *testing.T) {
	var b Bucket
	for _, perSecond := range []float64{math.NaN(), math.Inf(-1), math.Inf(1), -1} {
		for range 10 {
			if wait := b.Take(1, 1, Rate{PerSecond: perSecond, Burst: 1}); wait != 0 {
				t.Fatalf("%v a second: wait %v", perSecond, wait)
			}
		}
	}
}

func TestWaitTakesNothingAndGiveGivesBack(t *testing.T) {
	var b Bucket
	rate := Rate{PerSecond: 1, Burst: 1}
	for range 3 {
		if wait := b.Wait(1, 1, rate); wait != 0 {
			t.Fatalf("wait %v for the first", wait)
		}
	}
	if !b.Full(1) {
		t.Fatal("something is missing from a full bucket")
	}
	b.Take(1, 1, rate)
	if wait := b.Wait(1, 1, rate); wait != time.Second || b.Full(1) {
		t.Fatalf("wait %v for the second, full %v", wait, b.Full(1))
	}
	b.Give(1, rate)
	if wait := b.Take(1, 1, rate); wait != 0 {
		t.Fatalf("wait %v for what was given back", wait)
	}
}
