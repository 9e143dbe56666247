package client

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// publication is a message that was given to Publish and is not settled.
type publication struct {
	request  protocol.Request // all of it but id, producer and seq
	size     int              // what it counts in the outbox
	deadline time.Time

	// The client's mu guards what follows, until done is closed.
	producer  string // with seq its number, given when it is first written; empty: none
	seq       uint64
	first     bool  // nothing of its lane was unsettled in front of it when it was last written
	onWay     bool  // no answer to the newest attempt yet
	writes    int   // how often it was written
	uncertain bool  // an attempt may have succeeded unseen
	last      error // of the newest attempt
	settled   bool
	published protocol.Published
	err       error
	done      chan struct{}
}

// keyed reports whether the application's key makes p unique, and not a number.
func (p *publication) keyed() bool { return p.request.Has.Has(protocol.HasKey) }

// lane holds the publications to one room, which the server must store in their order. Several are on their way at
// once. When one is refused, all behind it are, as their numbers do not follow; the lane then waits until each is
// answered and begins again from the first that is not settled (go-back-N).
//
// A number never stands for two messages: a message keeps its number as long as an attempt may have succeeded, and a
// new number is given only where the server has said that nothing was stored under the old one. So it does not
// matter when the bytes of an old connection reach the server late.
type lane struct {
	room     string
	producer string
	seq      uint64 // the newest number given
	queue    []*publication
	sent     int // queue[:sent] were written
	inFlight int // of those
	rewind   bool
	hold     time.Time // nothing is written before
	tries    int       // refusals in a row
}

// newProducer returns a name for a series of numbers: 128 random bits.
func newProducer() string { return rand.Text() }

// next returns the publication to be written now, or nil. wait is the time before which there is none for sure; zero
// when something else must happen first.
func (l *lane) next(now time.Time) (p *publication, wait time.Time) {
	if l.rewind && l.inFlight == 0 {
		l.rewind, l.sent = false, 0
	}
	if l.rewind || l.sent == len(l.queue) {
		return nil, time.Time{}
	}
	if now.Before(l.hold) {
		return nil, l.hold
	}
	p = l.queue[l.sent]
	if l.inFlight > 0 && !l.follows(p, l.queue[l.sent-1]) {
		return nil, time.Time{}
	}
	return p, time.Time{}
}

// follows reports whether the server cannot store p when it refuses last, which is on its way: their numbers must be
// of one series.
func (l *lane) follows(p, last *publication) bool {
	series := p.producer
	if series == "" {
		series = l.producer
	}
	return !p.keyed() && !last.keyed() && last.producer == series
}

// number gives p its number, if it has none and needs one.
func (l *lane) number(p *publication) {
	if p.keyed() || p.producer != "" {
		return
	}
	l.seq++
	p.producer, p.seq = l.producer, l.seq
}

// written takes note that p, the result of next, is on its way.
func (l *lane) written(p *publication) {
	p.first, p.onWay = l.sent == 0, true
	p.writes++
	l.sent++
	l.inFlight++
}

// landed takes note that p is not on its way any more.
func (l *lane) landed(p *publication) {
	if p.onWay {
		p.onWay = false
		l.inFlight--
	}
}

// remove takes p, which is not on its way, out of the lane.
func (l *lane) remove(p *publication) {
	i := slices.Index(l.queue, p)
	switch {
	case i < 0:
		return
	case i == 0: // the usual one: nothing is moved for it
		l.queue[0] = nil
		l.queue = l.queue[1:]
	default:
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	if i < l.sent {
		l.sent--
	}
}

// abandon takes p out of the lane without waiting for an answer.
func (l *lane) abandon(p *publication) {
	p.uncertain = p.uncertain || p.onWay
	l.landed(p)
	l.remove(p)
}

// drop takes p out of the lane after the server has refused it for good, or the client has. The messages behind it have
// numbers that can follow on nothing now.
func (l *lane) drop(p *publication) {
	behind := l.behind(p)
	l.remove(p)
	switch {
	case p.keyed() || p.producer != l.producer:
	case p.writes <= 1 && p.seq == l.seq:
		l.seq-- // the number is free again
	default:
		l.producer, l.seq = newProducer(), 0
		if p.writes <= 1 {
			unnumber(behind)
		}
	}
}

// outOfOrder takes the news that nothing was stored under p's number, because the one before is missing.
func (l *lane) outOfOrder(p *publication) {
	if !p.first || p.producer == "" {
		return // it was refused for one in front of it
	}
	if p.producer == l.producer {
		l.producer, l.seq = newProducer(), 0
	}
	unnumber(append(l.behind(p), p))
}

// behind returns the publications whose numbers follow p's.
func (l *lane) behind(p *publication) (all []*publication) {
	for _, q := range l.queue {
		if q.producer == p.producer && q.producer != "" && q.seq > p.seq {
			all = append(all, q)
		}
	}
	return all
}

// unnumber takes the numbers of publications back under which nothing was stored.
func unnumber(all []*publication) {
	for _, p := range all {
		p.producer, p.seq, p.uncertain = "", 0, false
	}
}

// disconnected makes the lane begin again with the next connection.
func (l *lane) disconnected() {
	for _, p := range l.queue {
		p.uncertain = p.uncertain || p.onWay
		p.onWay = false
	}
	l.sent, l.inFlight, l.rewind = 0, 0, false
	l.hold, l.tries = time.Time{}, 0
}
