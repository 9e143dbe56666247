package client

import "time"

// Times of liveness. The server pings every ping interval, give or take a tenth, so that a longer silence is odd.
const (
	standardPing  = 25 * time.Second // where the server does not tell its interval
	answerSilence = 15 * time.Second // after which a missing answer is odd
	probeSilence  = 10 * time.Second // after a ping of our own, before the connection counts as dead
)

// liveness notices a connection that is silent: after a time in which the server should have been heard it is
// pinged, and if nothing comes after that either, the connection is dead. Anything that is heard counts as life.
type liveness struct {
	interval time.Duration // of the server's pings
	heard    time.Time
	asked    time.Time // of the first request since; zero: none
	probed   time.Time // our own ping; zero: none since
}

// newLiveness returns the liveness of a connection that was made now.
func newLiveness(now time.Time) liveness { return liveness{interval: standardPing, heard: now} }

// hear takes note that something came.
func (l *liveness) hear(now time.Time) { l.heard, l.asked, l.probed = now, time.Time{}, time.Time{} }

// ask takes note that a request was written, which is to be answered.
func (l *liveness) ask(now time.Time) {
	if l.asked.IsZero() {
		l.asked = now
	}
}

// due returns when check is to be called.
func (l *liveness) due() time.Time {
	if !l.probed.IsZero() {
		return l.probed.Add(probeSilence)
	}
	due := l.heard.Add(l.interval + l.interval*3/20)
	if !l.asked.IsZero() {
		due = earlier(due, l.asked.Add(answerSilence))
	}
	return due
}

// check says whether it is time for a ping of our own, or whether the connection is dead.
func (l *liveness) check(now time.Time) (probe, dead bool) {
	switch {
	case now.Before(l.due()):
		return false, false
	case !l.probed.IsZero():
		return false, true
	}
	l.probed = now
	return true, false
}
