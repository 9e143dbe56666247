package bench

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Kinds of what is timed.
const (
	timeDelivery = iota // from when a publication was due to each member's copy
	timeReply           // from when a request was due to its reply
	timeConnect         // from dialing to being joined
	timeReturn          // from the cut of the storm to being joined again
	timeStalled         // deliveries and replies of those that stop reading
	timeKinds
)

var kindNames = [timeKinds]string{"delivery", "reply", "connect", "return", "stalled"}

// The range and the precision of what is timed, in nanoseconds; what is beyond counts as the bound.
const (
	leastTime   = 1_000
	mostTime    = 120_000_000_000
	timeDigits  = 3
	expireAfter = 10_000_000_000
)

// timing is what a worker has timed. What was due while it was measured is kept apart from what was due before and
// after, whenever it came.
type timing struct {
	from, to int64 // between which it is measured
	measured times // and what happens once a client, at any time
	beside   times
}

func newTiming() timing { return timing{from: math.MaxInt64, to: math.MaxInt64} }

// begin begins what is measured.
func (t *timing) begin(now int64) { t.from, t.to = now, math.MaxInt64 }

// end ends what is measured; what was due until then still counts.
func (t *timing) end(now int64) { t.to = now }

// record times something that was due at some time, until now.
func (t *timing) record(kind int, due, now int64) {
	if due >= t.from && due < t.to {
		t.measured.record(kind, now-due)
		return
	}
	t.beside.record(kind, now-due)
}

// times are what was timed, by kind.
type times [timeKinds]*hdrhistogram.Histogram

func (t *times) record(kind int, nanoseconds int64) {
	if t[kind] == nil {
		t[kind] = hdrhistogram.New(leastTime, mostTime, timeDigits)
	}
	_ = t[kind].RecordValue(min(max(nanoseconds, leastTime), mostTime)) // it is in the range
}

func (t *times) merge(o *times) {
	for kind, h := range o {
		if h == nil {
			continue
		}
		if t[kind] == nil {
			t[kind] = hdrhistogram.New(leastTime, mostTime, timeDigits)
		}
		t[kind].Merge(h)
	}
}

// take returns what was timed since the last call, in a form that travels.
func (t *times) take() [][]byte {
	encoded := make([][]byte, timeKinds)
	for kind, h := range t {
		if h == nil || h.TotalCount() == 0 {
			continue
		}
		encoded[kind], _ = h.EncodeV2() // fails for histograms of other kinds only
		h.Reset()
	}
	return encoded
}

// add adds what take returned.
func (t *times) add(encoded [][]byte) error {
	var taken times
	for kind, e := range encoded {
		if len(e) == 0 || kind >= timeKinds {
			continue
		}
		h, err := hdrhistogram.Decode(e)
		if err != nil {
			return err
		}
		taken[kind] = h
	}
	t.merge(&taken)
	return nil
}
