// Package limit bounds how often something may happen, in as little memory as there is.
package limit

import (
	"sync/atomic"
	"time"
)

// Rate is so many events a second, and how many may come at once. A PerSecond of 0 is no limit.
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
// had it takes nothing and returns after how long they will be; otherwise it returns 0.
func (b *Bucket) Take(now int64, n int, r Rate) time.Duration {
	if r.PerSecond <= 0 || n <= 0 {
		return 0
	}
	gap := float64(time.Second) / r.PerSecond
	burst := int64(gap * float64(max(r.Burst, n)))
	cost := int64(gap * float64(n))
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
