// Package limit bounds how often something may happen, in as little memory as there is.
package limit

import (
	"sync/atomic"
	"time"
)

// Rate is so many events a second, and how many may come at once. A PerSecond that is not more than 0 is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Bucket is the state of one limited thing: the generic cell rate algorithm in one number (ITU-T I.371, annex A), the
// time at which it will have recovered. The zero value is a full bucket. Its methods may be called at once.
type Bucket struct {
	recovered atomic.Int64 // nanoseconds on the caller's clock
}

// Take takes n events at the time now, in nanoseconds of a clock that does not go backwards. If they are not to be
// had it takes nothing and returns after how long they will be; otherwise it returns 0. More than the burst are to be
// had from a full bucket only.
func (b *Bucket) Take(now int64, n int, r Rate) time.Duration {
	cost, burst := r.spans(n)
	if cost == 0 {
		return 0
	}
	for {
		old := b.recovered.Load()
		at := max(old, now) + cost
		if late := at - burst - now; late > 0 {
			return time.Duration(late)
		}
		if b.recovered.CompareAndSwap(old, at) {
			return 0
		}
	}
}

// Wait returns what Take would, and takes nothing.
func (b *Bucket) Wait(now int64, n int, r Rate) time.Duration {
	cost, burst := r.spans(n)
	if cost == 0 {
		return 0
	}
	return max(0, time.Duration(max(b.recovered.Load(), now)+cost-burst-now))
}

// Give gives n events back that were taken at the same rate.
func (b *Bucket) Give(n int, r Rate) {
	cost, _ := r.spans(n)
	b.recovered.Add(-cost)
}

// Used returns which part of what may come at once is missing at the time now, from 0 to 1; 0 where there is no limit.
func (b *Bucket) Used(now int64, r Rate) float64 {
	_, burst := r.spans(1)
	if burst == 0 {
		return 0
	}
	return min(1, float64(max(0, b.recovered.Load()-now))/float64(burst))
}

// Raise has everything come back no sooner than after outstanding.
func (b *Bucket) Raise(now int64, outstanding time.Duration) {
	for at := now + int64(outstanding); ; {
		if old := b.recovered.Load(); old >= at || b.recovered.CompareAndSwap(old, at) {
			return
		}
	}
}

// Full reports whether nothing is missing at the time now.
func (b *Bucket) Full(now int64) bool { return b.recovered.Load() <= now }

// mostSpan bounds how long a bucket takes to fill, about 73 years: twice that and a clock fit in an int64.
const mostSpan = 1 << 61

// spans returns how long n events take to come back, and how long all that may come at once do. A cost of 0 is no
// limit. At a rate so low that the bucket would take longer than mostSpan to fill, it takes mostSpan.
func (r Rate) spans(n int) (cost, burst int64) {
	if !(r.PerSecond > 0) || n <= 0 { // NaN is no limit either
		return 0, 0
	}
	most := float64(max(r.Burst, n))
	gap := min(float64(time.Second)/r.PerSecond, mostSpan/most)
	return int64(gap * float64(n)), int64(gap * most)
}
