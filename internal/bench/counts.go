package bench

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"
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
	Unsent    int64 // publications that were due and that this program could not send; they are not among those published

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
		&c.Expired, &c.Late, &c.Unsent, &c.Delivered, &c.Duplicated, &c.Reordered, &c.Skipped, &c.Foreign, &c.Unproven, &c.BytesIn,
	}
}

// failed counts something that went wrong, as this program says it or as the server does: of that there is not more
// than a bound, and nothing that a terminal would take for an order.
func (c *Counts) failed(what string) {
	if c.Errors == nil {
		c.Errors = make(map[string]int64)
	}
	what = plain(what)
	if len(c.Errors) >= maxErrors && c.Errors[what] == 0 {
		what = otherErrors
	}
	c.Errors[what]++
}

const (
	maxErrors   = 64  // kinds that are counted apart
	maxError    = 200 // bytes of one
	otherErrors = "other"
)

// plain returns a text as it is, or quoted if it has more than what can be printed.
func plain(text string) string {
	text = text[:min(len(text), maxError)]
	strange := func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }
	if strings.ContainsFunc(text, strange) {
		return strconv.Quote(text)
	}
	return text
}

func (c *Counts) clone() Counts {
	copied := *c
	copied.Errors = maps.Clone(c.Errors)
	return copied
}
