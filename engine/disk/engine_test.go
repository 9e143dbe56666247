package disk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"go.uber.org/goleak"
)

// What the engine knows outlives it.
func TestReopeningKeepsEverything(t *testing.T) {
	fs := vfs.NewMem()
	e := opened(t, small(fs))
	unwritten := read(t, e, "unwritten", engine.Query{}).Head
	var positions []protocol.Position
	for i := range 5 {
		positions = append(positions, stores(t, e, say("log", fmt.Sprint(i))).Position)
	}
	trimmed := storesMany(t, e, "trimmed", "", 400, engine.Retention{Messages: 3, Latest: true}).Position
	key := stores(t, e, keyed("log", "key"))
	var producer []engine.Receipt
	for seq := range uint64(300) {
		producer = append(producer, stores(t, e, produced("producers", "p", seq+1)))
	}
	kick := engine.Record{Kind: "kick", Key: "alice", Value: "\x00why", Expires: time.Now().Add(time.Hour)}
	if err := e.PutRecord(context.Background(), kick); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		closed(t, e)
		e = opened(t, small(fs))
		if got := read(t, e, "unwritten", engine.Query{}).Head; got != unwritten {
			t.Errorf("a room in which nothing was stored begins at %v, and before at %v", got, unwritten)
		}
		for i, p := range positions {
			page := read(t, e, "log", engine.Query{Since: p, Limit: 10})
			if page.Refused != "" || page.Count != 5-i || page.Start != p {
				t.Errorf("since message %d: %+v", i, page)
			}
		}
		says(t, e, "trimmed", "397", "398", "399")
		if page := read(t, e, "trimmed", engine.Query{Latest: true}); page.Head != trimmed || len(page.Messages) != 1 || page.Messages[0].Position != trimmed {
			t.Errorf("the newest per event: %+v", page)
		}
		isDuplicate(t, e, keyed("log", "key"), key)
		isDuplicate(t, e, produced("producers", "p", 300), producer[299])
		isDuplicate(t, e, produced("producers", "p", 45), producer[44])
		isDuplicate(t, e, produced("producers", "p", 44), engine.Receipt{})
		_, err := publish(t, e, produced("producers", "p", 302))
		refusal(t, err, engine.ErrOutOfOrder)
		records, err := e.ListRecords(context.Background())
		if err != nil || len(records) != 1 || records[0].Value != kick.Value || !records[0].Expires.Equal(kick.Expires) {
			t.Errorf("the records are %+v, %v", records, err)
		}
	}
	next := stores(t, e, produced("producers", "p", 301))
	if want := producer[299].Position; next.Position.Epoch != want.Epoch || next.Position.Offset != want.Offset+1 {
		t.Errorf("%v follows %v", next.Position, want)
	}
	closed(t, e)
}

// held is a file system whose logs are not synced until it is told.
type held struct {
	*faults
	syncing chan struct{} // gets one for each sync that has begun
	proceed chan struct{} // lets one go on
}

func newHeld(below vfs.FS) *held {
	return &held{faults: newFaults(below), syncing: make(chan struct{}, 100), proceed: make(chan struct{})}
}

func (h *held) hold() {
	h.set(func() {
		h.sync = func(name string) error {
			if strings.HasSuffix(name, ".log") {
				h.syncing <- struct{}{}
				<-h.proceed
			}
			return nil
		}
	})
}

// Before the sync has ended a message is in no way there: not acknowledged, not fed, not read; and its duplicate waits
// with it.
func TestNothingIsSeenBeforeItIsSynced(t *testing.T) {
	fs := newHeld(vfs.NewMem())
	feed := &fed{}
	e := New(small(fs))
	if err := e.Open(context.Background(), feed); err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	_ = e.Subscribe(context.Background(), "room")
	before := stores(t, e, say("room", "before")).Position
	fs.hold()
	blocker := start(e, say("other", "first"))
	<-fs.syncing
	p := keyed("room", "k")
	p.Retention = engine.Retention{Messages: 1, Latest: true}
	original, duplicate := start(e, p), start(e, keyed("room", "k"))
	numbered, again := start(e, produced("room2", "p", 1)), start(e, produced("room2", "p", 1))
	fs.proceed <- struct{}{} // the first turn is over, and the second has all of these
	if o := <-blocker; o.err != nil {
		t.Fatal(o.err)
	}
	<-fs.syncing
	for name, waiting := range map[string]<-chan outcomeOf{"original": original, "duplicate": duplicate, "numbered": numbered, "again": again} {
		select {
		case o := <-waiting:
			t.Fatalf("the %s was answered before the sync: %+v", name, o)
		default:
		}
	}
	page := read(t, e, "room", engine.Query{Last: 10, Limit: 10})
	if page.Head != before || len(page.Messages) != 1 || len(read(t, e, "room", engine.Query{Latest: true}).Messages) > 0 {
		t.Fatalf("what is not synced can be read: %+v", page)
	}
	if n := feed.count(); n != 1 {
		t.Fatalf("%d messages were fed before they were synced", n-1)
	}
	close(fs.proceed)
	first, second := <-original, <-duplicate
	if first.err != nil || first.receipt.Duplicate || second.err != nil || !second.receipt.Duplicate || second.receipt.Position != first.receipt.Position {
		t.Fatalf("the original got %+v, the duplicate %+v", first, second)
	}
	first, second = <-numbered, <-again
	if first.err != nil || first.receipt.Duplicate || second.err != nil || !second.receipt.Duplicate || second.receipt.Position != first.receipt.Position {
		t.Fatalf("the original got %+v, the duplicate %+v", first, second)
	}
}

// What comes while a sync is under way is synced together, by the next one.
func TestWhatWaitsIsSyncedAtOnce(t *testing.T) {
	fs := newFaults(vfs.NewMem())
	e := temporary(t, Roomy(fs))
	var syncs atomic.Int64
	begun, goOn := make(chan struct{}), make(chan struct{})
	fs.set(func() {
		fs.sync = func(name string) error {
			if path.Ext(name) == ".log" && syncs.Add(1) == 1 {
				close(begun)
				<-goOn
			}
			return nil
		}
	})
	waiting := []<-chan outcomeOf{start(e, say("room", "first"))}
	<-begun
	for i := range 64 {
		waiting = append(waiting, start(e, say(fmt.Sprint("room", i%8), fmt.Sprint(i))))
	}
	close(goOn)
	for _, w := range waiting {
		if o := <-w; o.err != nil {
			t.Fatal(o.err)
		}
	}
	if n := syncs.Load(); n != 2 {
		t.Errorf("one message and 64 behind it were synced %d times, want 2", n)
	}
}

// At the feed a message can be read; at the acknowledgement it has been fed and flushed.
func TestVisibleThenFedThenAcknowledged(t *testing.T) {
	e := New(small(vfs.NewMem()))
	feed := &fed{}
	feed.on = func(m *protocol.Message) {
		page, err := e.Read(context.Background(), m.Room, engine.Query{Since: m.Position, Limit: 1})
		if err != nil || page.Refused != "" {
			t.Errorf("%v was fed, and cannot be read: %+v, %v", m.Position, page, err)
		}
	}
	if err := e.Open(context.Background(), feed); err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	_ = e.Subscribe(context.Background(), "room")
	var acked sync.WaitGroup
	for i := range 200 {
		acked.Add(1)
		e.Publish(context.Background(), say("room", fmt.Sprint(i)), func(r engine.Receipt, err error) {
			defer acked.Done()
			feed.mu.Lock()
			defer feed.mu.Unlock()
			fed := slices.ContainsFunc(feed.messages, func(m *protocol.Message) bool { return m.Position == r.Position })
			if err != nil || !fed || feed.flushes == 0 {
				t.Errorf("message %d was acknowledged with %d flushes; fed: %v, %v", i, feed.flushes, fed, err)
			}
		})
	}
	acked.Wait()
	if feed.flushes > 200 || len(feed.messages) != 200 {
		t.Errorf("%d messages were fed with %d flushes", len(feed.messages), feed.flushes)
	}
}

// An ephemeral message comes after what was published before it.
func TestEphemeralKeepsItsPlace(t *testing.T) {
	feed := &fed{}
	e := New(small(vfs.NewMem()))
	if err := e.Open(context.Background(), feed); err != nil {
		t.Fatal(err)
	}
	defer closed(t, e)
	_ = e.Subscribe(context.Background(), "room")
	var waiting []<-chan outcomeOf
	for i := range 100 {
		p := say("room", fmt.Sprint(i))
		p.Ephemeral = i%3 == 1
		waiting = append(waiting, start(e, p))
	}
	for _, w := range waiting {
		<-w
	}
	for i, text := range texts(feed.messages) {
		if text != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
}

// A publisher is never kept waiting: where too much waits already, it hears so at once.
func TestOverloadIsRefusedAtOnce(t *testing.T) {
	fs := newHeld(vfs.NewMem())
	o := small(fs)
	o.MaxQueue = 10_000
	e := opened(t, o)
	defer closed(t, e)
	fs.hold()
	var waiting []<-chan outcomeOf
	var refused error
	for n := 0; refused == nil; n++ {
		answer := start(e, say("room", fmt.Sprint(n)))
		select {
		case o := <-answer:
			refused = o.err
		default:
			waiting = append(waiting, answer)
		}
		if n > 100 {
			t.Fatal("100 messages wait, of 200 bytes and more, where 10,000 bytes may")
		}
	}
	refusal(t, refused, engine.ErrOverloaded)
	if len(waiting) < 40 {
		t.Fatalf("refused with %d messages waiting", len(waiting))
	}
	close(fs.proceed)
	for i, w := range waiting {
		if o := <-w; o.err != nil {
			t.Fatalf("message %d: %v", i, o.err)
		}
	}
}

// A message larger than the bound is taken when it is the only one.
func TestOverloadIsNotOfOneMessage(t *testing.T) {
	o := small(vfs.NewMem())
	o.MaxQueue = 10_000
	stores(t, temporary(t, o), say("room", strings.Repeat("x", 20_000)))
}

func TestDirectoryIsForOneEngine(t *testing.T) {
	for name, o := range map[string]Options{"disk": {Dir: t.TempDir()}, "memory": small(vfs.NewMem())} {
		o.Reserve = -1
		e := opened(t, o)
		err := New(o).Open(context.Background(), &fed{})
		if err == nil || !strings.Contains(err.Error(), "another engine has it open") {
			t.Errorf("%s: %v", name, err)
		}
		stores(t, e, say("room", "x"))
		closed(t, e)
		again := opened(t, o)
		says(t, again, "room", "x")
		closed(t, again)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	if err := New(Options{}).Open(context.Background(), &fed{}); err == nil {
		t.Error("opened without a directory")
	}
	fs := newFaults(vfs.NewMem())
	fs.write = func(string, []byte) (int, error) { return 0, errors.New("no") }
	e := New(small(fs))
	if err := e.Open(context.Background(), &fed{}); err == nil {
		t.Error("opened where nothing can be written")
	}
	if err := e.Close(context.Background()); err != nil {
		t.Errorf("close what is not open: %v", err)
	}
}

// Close waits until what waited is stored; when it may not wait so long, what is left is refused, and nothing is fed.
func TestCloseStoresWhatWaits(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := vfs.NewMem()
	e := opened(t, small(fs))
	var waiting []<-chan outcomeOf
	for i := range 500 {
		waiting = append(waiting, start(e, say("room", fmt.Sprint(i))))
	}
	closed(t, e)
	for i, w := range waiting {
		if o := <-w; o.err != nil {
			t.Fatalf("message %d: %v", i, o.err)
		}
	}
	closed(t, e) // again
	e = opened(t, small(fs))
	if n := len(read(t, e, "room", whole10k).Messages); n != 500 {
		t.Fatalf("%d messages are stored", n)
	}
	closed(t, e)
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	defer goleak.VerifyNone(t)
	fs := newHeld(vfs.NewMem())
	feed := &fed{}
	e := New(small(fs))
	if err := e.Open(context.Background(), feed); err != nil {
		t.Fatal(err)
	}
	_ = e.Subscribe(context.Background(), "room")
	fs.hold()
	first := start(e, say("room", "first"))
	<-fs.syncing
	second := start(e, say("room", "second"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	_, err := e.Read(context.Background(), "room", engine.Query{})
	refusal(t, err, engine.ErrClosed)
	close(fs.proceed)
	if o := <-first; o.err != nil {
		t.Errorf("what was on its way: %v", o.err)
	}
	refusal(t, (<-second).err, engine.ErrClosed)
	closed(t, e)
	if n := feed.count(); n > 0 {
		t.Errorf("%d messages were fed after Close returned", n)
	}
}

// The wall clock may jump: windows and times do not follow it.
func TestClockJumpsMoveNothing(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			fs := vfs.NewMem()
			e := New(small(fs))
			var jumped atomic.Int64
			e.clock.wall = func() int64 { return time.Now().UnixMilli() + jumped.Load() }
			if err := e.Open(t.Context(), &fed{}); err != nil {
				t.Fatal(err)
			}
			keep := engine.Retention{Messages: 10, Age: 30 * time.Minute}
			aging := say("aging", "old")
			aging.Retention = keep
			last := stores(t, e, aging)
			key := stores(t, e, keyed("room", "k"))
			jumped.Store(jump.Milliseconds())
			time.Sleep(engine.KeyWindow - time.Second)
			isDuplicate(t, e, keyed("room", "k"), key)
			says(t, e, "aging", "old")
			if r := stores(t, e, say("room", "x")); r.Time < key.Time {
				t.Errorf("the time fell from %d to %d", key.Time, r.Time)
			}
			time.Sleep(2 * time.Second)
			if r := stores(t, e, keyed("room", "k")); r.Time < last.Time {
				t.Errorf("the time fell from %d to %d", last.Time, r.Time)
			}
			time.Sleep(keep.Age)
			says(t, e, "aging")
			closed(t, e)
		})
	}
}

// After a restart time goes on from the later of the wall clock and the newest time stored.
func TestTimeDoesNotFallWithARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		e := opened(t, small(fs))
		key := stores(t, e, keyed("room", "k"))
		closed(t, e)
		e = New(small(fs))
		e.clock.wall = func() int64 { return time.Now().Add(-time.Hour).UnixMilli() }
		if err := e.Open(t.Context(), &fed{}); err != nil {
			t.Fatal(err)
		}
		isDuplicate(t, e, keyed("room", "k"), key)
		if r := stores(t, e, say("room", "x")); r.Time < key.Time {
			t.Errorf("the time fell from %d to %d", key.Time, r.Time)
		}
		time.Sleep(engine.KeyWindow + time.Second)
		stores(t, e, keyed("room", "k"))
		closed(t, e)
	})
}
