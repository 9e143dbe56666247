package disk

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// virtually runs a test in virtual time, on a store in memory, and verifies what is counted at the end.
func virtually(t *testing.T, o Options, body func(*testing.T, *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.FS, o.unasked = vfs.NewMem(), true
		e := temporary(t, o)
		body(t, e)
		verifyCounts(t, e)
	})
}

// reality is what is counted, or what there is.
type reality struct {
	bytes   int64
	records int
	once    int // keys and producers
}

// verifyCounts wants that all that is counted is as much as there is, and that each room has exactly the messages that
// its state says.
func verifyCounts(t testing.TB, e *Engine) {
	t.Helper()
	s := &sweeper{Engine: e}
	for verified := false; !verified; {
		err := s.ask(func(c *committer, turn *turn) error {
			if verified = !turn.written && len(turn.changed) == 0; verified { // else the store is not what is counted
				verifyCommitter(t, c, turn)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verifyCommitter(t testing.TB, c *committer, turn *turn) {
	t.Helper()
	verifyCache(t, c)
	counted, there := reality{bytes: c.journal.bytes, records: c.records}, reality{}
	c.quota.mu.Lock()
	c.quota.expire(turn.now)
	counted.once = c.quota.all
	owned := 0
	for _, o := range c.quota.owners {
		owned += o.n
	}
	c.quota.mu.Unlock()
	if owned != counted.once {
		t.Errorf("the owners have %d, all together %d", owned, counted.once)
	}
	err := errors.Join(
		eachKey(c.store.db, turn.now, func(string, int64) { there.once++ }),
		eachProducer(c.store.db, []byte{producerSpace}, []byte{producerSpace + 1}, func([]byte, *producer) bool { there.once++; return true }),
		eachRecord(c.store.db, []byte{recordSpace}, func([]byte, engine.Record) bool { there.records++; return true }),
	)
	if err != nil {
		t.Error(err)
	}
	for room, s := range statesIn(t, c.store.db) {
		there.bytes += s.bytes()
		verifyRoom(t, c.store.db, room, &s)
	}
	if counted != there {
		t.Errorf("counted %+v, there are %+v", counted, there)
	}
}

// verifyCache wants the rooms in memory to weigh what is counted.
func verifyCache(t testing.TB, c *committer) {
	t.Helper()
	weight := 0
	for _, r := range c.rooms.byName {
		weight += r.weight
		events := 0
		if r.latest != nil {
			events = len(r.latest.byEvent)
		}
		if want := 1 + len(r.producers) + events; r.weight != want {
			t.Errorf("room %q has the weight %d, want %d", r.name, r.weight, want)
		}
	}
	if weight != c.rooms.weight || len(c.rooms.byName) != c.rooms.order.Len() {
		t.Errorf("the rooms weigh %d, counted %d; %d and %d of them", weight, c.rooms.weight, len(c.rooms.byName), c.rooms.order.Len())
	}
}

// statesOf returns the states of all rooms, as they are synced.
func statesOf(t testing.TB, e *Engine) map[string]state {
	t.Helper()
	v, err := e.view()
	if err != nil {
		t.Fatal(err)
	}
	defer e.views.release(v)
	return statesIn(t, v.snapshot)
}

func statesIn(t testing.TB, src pebble.Reader) map[string]state {
	t.Helper()
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: []byte{roomSpace}, UpperBound: []byte{roomSpace + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = iter.Close() }()
	states := make(map[string]state)
	for valid := iter.First(); valid; valid = iter.Next() {
		name, _, _ := cutText(iter.Key()[1:])
		s, err := decodeState(iter.Key(), iter.Value())
		if err != nil {
			t.Error(err)
		}
		states[name] = s
	}
	return states
}

// verifyRoom wants a room to have the messages between its floor and its head, and no others.
func verifyRoom(t testing.TB, src pebble.Reader, room string, s *state) {
	t.Helper()
	prefix := roomPrefix(nil, messageSpace, room)
	iter, err := src.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = iter.Close() }()
	at, total := s.floor, s.floorTotal
	for valid := iter.First(); valid; valid = iter.Next() {
		m, found, err := decodeMessage(room, s.head.Epoch, iter.Key(), iter.Value())
		if err != nil || found.before() != at || found.totalBefore() != total || found.size != uint64(m.Size()) {
			t.Errorf("room %q has %+v after %v and %d bytes: %v", room, found, at, total, err)
		}
		at, total = found.position, found.total
	}
	if at != s.head || total != s.total {
		t.Errorf("the messages of room %q end at %v with %d bytes; %+v", room, at, total, s)
	}
	var latest uint64
	err = eachLatest(src, room, s, 0, func(m *protocol.Message) { latest += uint64(m.Size()) })
	if err != nil || latest != s.latestBytes {
		t.Errorf("the newest messages of room %q are of %d bytes, counted %d: %v", room, latest, s.latestBytes, err)
	}
	if s.due == 0 {
		t.Errorf("room %q is never looked at", room)
	}
}

func TestWhatLeftTheLogIsDeleted(t *testing.T) {
	virtually(t, small(nil), func(t *testing.T, e *Engine) {
		for i, keep := range []engine.Retention{{Messages: 10}, {Messages: 100_000, Bytes: 3000}, {Messages: 1000, Bytes: 300, Latest: true}} {
			room := fmt.Sprint("room", i)
			for range 20 {
				storesMany(t, e, room, "x", 100, keep)
			}
		}
		if n := keysOf(t, e, messageSpace); n > 1200 {
			t.Errorf("%d messages of 6,000 are in the store, of 3 rooms that keep 10 or so", n)
		}
		verifyCounts(t, e)
		if n := keysOf(t, e, latestSpace); n != 1 {
			t.Errorf("%d newest messages of one event are in the store", n)
		}
		for i := range 3 {
			storesMany(t, e, fmt.Sprint("room", i), "x", 1, engine.Retention{})
		}
		if n := keysOf(t, e, messageSpace) + keysOf(t, e, latestSpace); n != 0 {
			t.Errorf("%d messages are in the store, though nothing is kept any more", n)
		}
	})
}

func TestOldMessagesAreDeleted(t *testing.T) {
	virtually(t, small(nil), func(t *testing.T, e *Engine) {
		keep := engine.Retention{Messages: 1000, Age: time.Hour}
		storesMany(t, e, "room", "x", 100, keep)
		time.Sleep(30 * time.Minute)
		storesMany(t, e, "room", "x", 100, keep)
		time.Sleep(40 * time.Minute)
		if n := keysOf(t, e, messageSpace); n != 100 {
			t.Errorf("%d messages are in the store, 100 of them for less than an hour", n)
		}
		verifyCounts(t, e)
		time.Sleep(time.Hour)
		if n := keysOf(t, e, messageSpace); n != 0 {
			t.Errorf("%d messages are in the store after their time", n)
		}
		storesMany(t, e, "short", "x", 100, engine.Retention{Messages: 1000, Age: time.Hour})
		storesMany(t, e, "short", "x", 1, engine.Retention{Messages: 1000, Age: time.Minute})
		time.Sleep(2 * time.Minute)
		if n := keysOf(t, e, messageSpace); n != 0 {
			t.Errorf("%d messages are in the store after their time, which was made shorter", n)
		}
	})
}

func TestForgottenRoomLeavesNothing(t *testing.T) {
	virtually(t, Small(nil), func(t *testing.T, e *Engine) {
		keep := engine.Retention{Messages: 10, Age: 3 * 24 * time.Hour}
		var last engine.Receipt
		for seq := range uint64(300) {
			p := produced("room", "p", seq+1)
			p.Retention = keep
			last = stores(t, e, p)
		}
		_ = e.Subscribe(t.Context(), "watched")
		storesMany(t, e, "watched", "x", 3, engine.Retention{})
		storesMany(t, e, "idle", "x", 3, engine.Retention{})
		time.Sleep(engine.RoomLife + 2*time.Hour)
		if page := read(t, e, "room", engine.Query{Since: last.Position}); page.Refused != "" {
			t.Errorf("the room was forgotten before its messages: %v", page.Refused)
		}
		if got := len(statesOf(t, e)); got != 2 {
			t.Errorf("%d rooms are kept, want the one with messages and the one that is watched", got)
		}
		time.Sleep(2*24*time.Hour + engine.RoomSlack + time.Hour)
		if page := read(t, e, "room", engine.Query{Since: last.Position}); page.Refused != protocol.ReasonEpoch {
			t.Errorf("the room is proven by %+v", page)
		}
		e.Unsubscribe("watched")
		time.Sleep(2 * time.Hour)
		for _, space := range []byte{messageSpace, latestSpace, producerSpace, stampSpace, roomSpace, dueSpace} {
			if n := keysOf(t, e, space); n > 0 {
				t.Errorf("%d keys are left of %c", n, space)
			}
		}
		_, err := publish(t, e, produced("room", "p", 301))
		refusal(t, err, engine.ErrOutOfOrder)
		stores(t, e, produced("room", "p", 1))
	})
}

func TestKeysAreDeletedAfterTheirWindow(t *testing.T) {
	virtually(t, small(nil), func(t *testing.T, e *Engine) {
		for i := range 50 {
			stores(t, e, keyed("room", fmt.Sprint(i)))
			time.Sleep(20 * time.Second)
		}
		if n := keysOf(t, e, keySpace); n > 32 { // of two windows of 5 minutes
			t.Errorf("%d keys are in the store", n)
		}
		time.Sleep(2*engine.KeyWindow + time.Minute)
		if n := keysOf(t, e, keySpace); n > 0 {
			t.Errorf("%d keys are in the store after their window", n)
		}
	})
}

// A producer lives as long as its room keeps a message; for no longer than the window when there are many.
func TestSilentProducersAreDeleted(t *testing.T) {
	virtually(t, small(nil), func(t *testing.T, e *Engine) {
		for room, keep := range map[string]engine.Retention{
			"nothing": {}, "hour": {Messages: 10, Age: time.Hour}, "ever": {Messages: 10},
		} {
			p := produced(room, "p", 1)
			p.Retention = keep
			stores(t, e, p)
		}
		left := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			if n := keysOf(t, e, producerSpace); n != want || keysOf(t, e, stampSpace) != n {
				t.Fatalf("%d producers are left with %d stamps, want %d", n, keysOf(t, e, stampSpace), want)
			}
		}
		left(engine.KeyWindow, 3)
		left(3*time.Minute, 2)
		isKnown := func(room string) {
			t.Helper()
			if r, err := publish(t, e, produced(room, "p", 1)); err != nil || !r.Duplicate {
				t.Fatalf("%q: %+v, %v", room, r, err)
			}
		}
		left(50*time.Minute, 2)
		isKnown("hour") // which counts as publishing
		left(50*time.Minute, 2)
		left(12*time.Minute, 1)
		e.quota.mu.Lock()
		e.quota.maxOwner = 1
		e.quota.mu.Unlock()
		left(time.Minute, 0)
	})
}

func TestExpiredRecordsAreDeleted(t *testing.T) {
	virtually(t, small(nil), func(t *testing.T, e *Engine) {
		for i := range 200 {
			r := engine.Record{Kind: "kick", Key: fmt.Sprint(i), Expires: time.Now().Add(time.Duration(i) * time.Second)}
			if err := e.PutRecord(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Second)
		if n := keysOf(t, e, recordSpace); n < 99 || n > 130 {
			t.Errorf("%d records are in the store, 99 of them live", n)
		}
		verifyCounts(t, e)
		time.Sleep(200 * time.Second)
		if n := keysOf(t, e, recordSpace); n > 0 {
			t.Errorf("%d records are in the store", n)
		}
	})
}

// The journal is as long as it must be to find a missing batch, and notes the time when nothing else does.
func TestJournalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(vfs.NewMem())
		o.unasked = true
		e := opened(t, o)
		for range 20 {
			for range 100 {
				stores(t, e, say("room", "x"))
			}
			time.Sleep(time.Minute)
		}
		if n := keysOf(t, e, journalSpace); n < 200 || n > 500 {
			t.Errorf("the journal has %d records, want 200 and more", n)
		}
		time.Sleep(24 * time.Hour)
		closed(t, e)
		e = New(o)
		e.clock.wall = func() int64 { return time.Now().Add(-12 * time.Hour).UnixMilli() }
		if err := e.Open(t.Context(), &fed{}); err != nil {
			t.Fatal(err)
		}
		defer closed(t, e)
		if _, now := e.clock.now(); time.Since(time.UnixMilli(now)) > 11*time.Minute {
			t.Errorf("time fell by %v", time.Since(time.UnixMilli(now)))
		}
	})
}

// What is remembered to recognise duplicates is bounded, also after a restart.
func TestQuotaOutlivesTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		open := func() *Engine {
			e := New(small(fs))
			e.quota.init(10, 15)
			if err := e.Open(t.Context(), &fed{}); err != nil {
				t.Fatal(err)
			}
			return e
		}
		e := open()
		for i := range 6 {
			stores(t, e, keyed("room", fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		for i := range 4 {
			stores(t, e, produced("room", fmt.Sprint(i), 1))
		}
		for i := range 2 {
			_, err := publish(t, e, keyed("room", "more"))
			refusal(t, err, engine.ErrTooManyKeys)
			_, err = publish(t, e, produced("room", "more", 1))
			refusal(t, err, engine.ErrTooManyKeys)
			stores(t, e, by("bob", produced("other room", fmt.Sprint(i), 1)))
			verifyCounts(t, e)
			closed(t, e)
			e = open()
		}
		for i := range 3 {
			stores(t, e, by("carol", keyed("room", fmt.Sprint(i))))
		}
		_, err := publish(t, e, by("dave", keyed("room", "more")))
		refusal(t, err, engine.ErrTooManyKeys) // all together have 15
		time.Sleep(engine.KeyWindow - 3*time.Second)
		stores(t, e, keyed("room", "more")) // the first three are over
		closed(t, e)
	})
}

// by makes a publication another owner's.
func by(owner string, p *engine.Publication) *engine.Publication {
	p.Owner = owner
	return p
}

// What is kept of all rooms is bounded: the rooms published to longest ago lose their messages.
func TestOldestRoomsLoseTheirMessagesWhenTooMuchIsKept(t *testing.T) {
	o := small(nil)
	o.MaxBytes = 100_000
	virtually(t, o, func(t *testing.T, e *Engine) {
		message := func(room int) *engine.Publication {
			p := incompressible(fmt.Sprint("room", room), 700)
			p.Message.From.User = "" // with which it has about 900 bytes
			return p
		}
		for i := range 90 {
			stores(t, e, message(i/10))
			time.Sleep(time.Second)
		}
		for i := range 400 {
			stores(t, e, message(9+i/10))
			time.Sleep(time.Second)
		}
		states := statesOf(t, e)
		for i := range 49 {
			s := states[fmt.Sprint("room", i)]
			switch kept := s.head.Offset - s.floor.Offset; {
			case s.head.Offset != 10:
				t.Errorf("room %d was forgotten", i)
			case i < 38 && kept != 0, i == 48 && kept != 10:
				t.Errorf("room %d of 49 keeps %d messages", i, kept)
			}
		}
		verifyCounts(t, e)
	})
	virtually(t, o, func(t *testing.T, e *Engine) { // all at once: there is no time to make space
		var full error
		for i := 0; full == nil && i < 1000; i++ {
			_, full = publish(t, e, incompressible("room", 700))
		}
		refusal(t, full, engine.ErrStorageFull)
		p := say("room", "x")
		p.Retention = engine.Retention{}
		synctest.Wait()
		stores(t, e, p) // of which nothing is kept
		if _, err := publish(t, e, incompressible("new", 200_000)); !errors.Is(err, engine.ErrStorageFull) {
			t.Errorf("a message larger than the bound: %v", err)
		}
	})
}
