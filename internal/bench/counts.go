package bench

import (
	"maps"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Counts are what happened since the start, but for the first two, which are what holds now.
type Counts struct {
	Open   int64 // connections
	Joined int64 // clients that are where they are to be

	Connected int64 // connections that were made
	Failed    int64 // that could not be made
	Lost      int64 // that ended without having been asked to
	Returned  int64 // clients that came back after the storm

	Published int64
	Refused   int64 // publishes that were answered with an error
	Replies   int64
	Expired   int64 // publications that took too long to be everywhere
	Late      int64 // publications that this program sent more than 10 ms after they were due

	Delivered  int64 // messages, each counted once a client
	Duplicated int64
	Reordered  int64
	Skipped    int64 // messages after which a later one came first, whether they came after all or not
	Foreign    int64 // messages that are not of this test
	Unproven   int64 // times that a client was told that it missed messages

	BytesIn int64
	Errors  map[string]int64 // by what went wrong
}

// add adds the counts of another worker.
func (c *Counts) add(o *Counts) {
	ours, theirs := c.numbers(), o.numbers()
	for i := range ours {
		*ours[i] += *theirs[i]
	}
	if c.Errors == nil {
		c.Errors = make(map[string]int64)
	}
	for what, n := range o.Errors {
		c.Errors[what] += n
	}
}

func (c *Counts) numbers() []*int64 {
	return []*int64{
		&c.Open, &c.Joined, &c.Connected, &c.Failed, &c.Lost, &c.Returned, &c.Published, &c.Refused, &c.Replies,
		&c.Expired, &c.Late, &c.Delivered, &c.Duplicated, &c.Reordered, &c.Skipped, &c.Foreign, &c.Unproven, &c.BytesIn,
	}
}

// failed counts something that went wrong.
func (c *Counts) failed(what string) {
	if c.Errors == nil {
		c.Errors = make(map[string]int64)
	}
	if len(c.Errors) < maxErrors || c.Errors[what] > 0 {
		c.Errors[what]++
	}
}

const maxErrors = 64 // kinds

func (c *Counts) clone() Counts {
	copied := *c
	copied.Errors = maps.Clone(c.Errors)
	return copied
}

// Kinds of what is timed.
const (
	timeDelivery = iota // from when a publication was due to each member's copy
	timeReply           // from when a request was due to its reply
	timeConnect         // from dialing to being joined
	timeReturn          // from the cut of the storm to being joined again
	timeStalled         // like timeDelivery, for clients that had stopped reading
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

// timesOf is the reverse of take.
func timesOf(encoded [][]byte) (t times, err error) {
	for kind, e := range encoded {
		if len(e) == 0 || kind >= timeKinds {
			continue
		}
		if t[kind], err = hdrhistogram.Decode(e); err != nil {
			return t, err
		}
	}
	return t, nil
}
