package client

import (
	"math/rand/v2"
	"time"
)

// backoff counts failures and says how long to wait after each.
type backoff struct {
	rule     Backoff
	failures int            // since the last stable connection
	random   func() float64 // in [0, 1)
}

// newBackoff returns a backoff that follows rule.
func newBackoff(rule Backoff) *backoff {
	return &backoff{rule: rule, random: rand.Float64}
}

// lasted tells how long a connection was open.
func (b *backoff) lasted(open time.Duration) {
	if open >= b.rule.Stable {
		b.failures = 0
	}
}

// next counts one failure and returns how long to wait, or false when the client is to give up.
func (b *backoff) next() (wait time.Duration, again bool) {
	n := b.failures
	b.failures++
	if b.rule.Attempts > 0 && b.failures >= b.rule.Attempts {
		return 0, false
	}
	if b.rule.Delay != nil {
		return max(0, b.rule.Delay(n)), true
	}
	return fullJitter(b.rule.Base, b.rule.Max, n, b.random()), true
}

// fullJitter returns the part random, in [0, 1), of min(most, base * 2^n). That the whole of the wait is random, and
// not only some of it, keeps clients that were cut off together from coming back together.
func fullJitter(base, most time.Duration, n int, random float64) time.Duration {
	limit := most
	if base < most>>n {
		limit = base << n
	}
	if mutNoJitter {
		return limit
	}
	return time.Duration(random * float64(limit))
}
