package limit

import (
	"sync/atomic"
	"time"
)

// Kinds is how many kinds of expenses a Tab has.
const Kinds = 3

// Tab is what a party has spent here that others who let it spend do not know of yet, and what is known of what it has with
// them. Its methods may be called at once; now is the clock of the account.
type Tab struct {
	spent     [Kinds]atomic.Int64 // nanoseconds, as a Bucket counts
	due       atomic.Bool
	settled   atomic.Bool  // it has been, at least once
	elsewhere atomic.Int64 // what it has with others
	asked     atomic.Int64 // when that was said; 0 is never
}

// Tab returns the account's tab, which is begun with the first call.
func (a *Account) Tab() *Tab {
	if t := a.tab.Load(); t != nil {
		return t
	}
	a.tab.CompareAndSwap(nil, new(Tab))
	return a.tab.Load()
}

// Opened returns the account's tab, or nil if there is none.
func (a *Account) Opened() *Tab { return a.tab.Load() }

// Spend notes n events of a kind that were taken at a rate. It reports whether so much was spent that the others should know:
// that part of what may come at once.
func (t *Tab) Spend(kind, n int, r Rate, part int64) bool {
	cost, burst := r.spans(n)
	return cost > 0 && t.spent[kind].Add(cost) >= burst/part
}

// Take returns what was spent of a kind, and how much of it may be outstanding at a rate; the tab is clean then.
func (t *Tab) Take(kind int, r Rate) (spent, most time.Duration) {
	_, burst := r.spans(1)
	return time.Duration(t.spent[kind].Swap(0)), time.Duration(2 * burst)
}

// Due has the tab be settled, and reports whether that is new.
func (t *Tab) Due() bool { return t.due.CompareAndSwap(false, true) }

// Settled notes that the tab is being settled: what is spent from now on makes it due again.
func (t *Tab) Settled() {
	t.settled.Store(true)
	t.due.Store(false)
}

// Known reports whether the tab was ever settled, so that others know something of the party.
func (t *Tab) Known() bool { return t.settled.Load() }

// Heard notes what the party has with others.
func (t *Tab) Heard(now int64, elsewhere int) {
	t.elsewhere.Store(int64(elsewhere))
	t.asked.Store(max(now, 1))
}

// Elsewhere returns what the party has with others, as was said no longer ago than that; otherwise 0.
func (t *Tab) Elsewhere(now int64, age time.Duration) int {
	if asked := t.asked.Load(); asked == 0 || now-asked > int64(age) {
		return 0
	}
	return int(t.elsewhere.Load())
}
