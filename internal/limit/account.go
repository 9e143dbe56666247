package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Account is what one party, such as a user or an address, has used of its limits: eight bytes for each. The zero
// value has used nothing. Its methods may be called at once.
type Account struct {
	Connects Bucket // connections begun
	Messages Bucket
	Volume   Bucket // whatever else there is much of: the owner says what
	offences Bucket // connections that had to be closed for what they did; overfull while the party is blocked
	tab      atomic.Pointer[Tab]
}

// Offend takes note of an offence; when there are more than r allows, the party is blocked for some time. It reports
// whether that was so. A time of 0 blocks nobody.
func (a *Account) Offend(now int64, r Rate, block time.Duration) bool {
	if block <= 0 || a.offences.Take(now, 1, r) == 0 {
		return false
	}
	_, burst := r.spans(1)
	a.offences.recovered.Store(now + burst + int64(block))
	return true
}

// Blocked returns for how long the party is blocked yet, 0 if it is not. r is the rate that Offend was given.
func (a *Account) Blocked(now int64, r Rate) time.Duration {
	_, burst := r.spans(1)
	return time.Duration(max(0, a.offences.recovered.Load()-burst-now))
}

// clear reports whether nothing would be lost with a.
func (a *Account) clear(now int64) bool {
	return a.Connects.Full(now) && a.Messages.Full(now) && a.Volume.Full(now) && a.offences.Full(now)
}

// Table has the accounts of parties by key. An account is there while somebody holds it, and after that as long as it
// says anything: of those that nobody holds, so many at the most, of which the first released go first. The zero value
// keeps none of them. Its methods may be called at once; now is the clock of the accounts.
type Table[K comparable] struct {
	Idle int // how many accounts are kept that nobody holds

	mu      sync.Mutex
	entries map[K]*Entry
	held    int       // entries that somebody holds
	waiting []idle[K] // released and kept; some were taken again meanwhile
}

// Entry is an account in a Table, whose lock guards what is not the account. It does not know its key, of which there
// is a copy in the table and one at whoever holds the entry.
type Entry struct {
	Account
	uses   int32
	queued bool // it stands in waiting
}

// idle is an entry that was released.
type idle[K comparable] struct {
	key   K
	entry *Entry
}

// Hold returns the account of a party, and how many hold it now. Release follows.
func (t *Table[K]) Hold(key K) (e *Entry, uses int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e = t.entry(key)
	if e.uses++; e.uses == 1 {
		t.held++
	}
	return e, int(e.uses)
}

// entry returns the account of a party, which is made if there is none. The table is locked.
func (t *Table[K]) entry(key K) *Entry {
	e := t.entries[key]
	if e == nil {
		if t.entries == nil {
			t.entries = make(map[K]*Entry)
		}
		e = new(Entry)
		t.entries[key] = e
	}
	return e
}

// Charge calls spend with the account of a party, which is not held for that. spend must not call the table.
func (t *Table[K]) Charge(key K, now int64, spend func(a *Account)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(key)
	spend(&e.Account)
	if e.uses == 0 {
		t.rest(key, e, now)
	}
}

// Release gives up what Hold returned for key.
func (t *Table[K]) Release(key K, e *Entry, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.uses--; e.uses > 0 {
		return
	}
	t.held--
	t.rest(key, e, now)
}

// rest keeps an account that nobody holds as long as it says anything. The table is locked.
func (t *Table[K]) rest(key K, e *Entry, now int64) {
	switch {
	case e.queued:
	case e.clear(now):
		delete(t.entries, key)
	default:
		e.queued = true
		t.waiting = append(t.waiting, idle[K]{key, e})
	}
	t.tidy(now)
}

// tidy looks at two of those that wait, one more than came. The table is locked.
func (t *Table[K]) tidy(now int64) {
	for range min(2, len(t.waiting)) {
		key, e := t.waiting[0].key, t.waiting[0].entry
		if e.uses == 0 && !e.clear(now) && len(t.waiting) <= t.Idle {
			return
		}
		t.waiting[0] = idle[K]{}
		t.waiting = t.waiting[1:]
		e.queued = false
		if e.uses == 0 {
			delete(t.entries, key)
		}
	}
}

// Peek calls look with the account of a party, if there is one. look must not call the table.
func (t *Table[K]) Peek(key K, look func(a *Account, uses int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[key]; e != nil {
		look(&e.Account, int(e.uses))
	}
}

// Len returns how many accounts somebody holds, and how many there are.
func (t *Table[K]) Len() (held, all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held, len(t.entries)
}

// Holds reports whether somebody holds the account of a party.
func (t *Table[K]) Holds(key K) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	return e != nil && e.uses > 0
}

// Held returns the parties whose account somebody holds, in no order.
func (t *Table[K]) Held() []K {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := make([]K, 0, t.held)
	for key, e := range t.entries {
		if e.uses > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}
