package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// where is the directory of the stores in memory.
const where = "store"

var keepAll = engine.Retention{Messages: 1_000_000}

// fed is a feed that remembers.
type fed struct {
	mu       sync.Mutex
	messages []*protocol.Message
	flushes  int
	on       func(*protocol.Message) // called with each
}

func (f *fed) Deliver(m *protocol.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, m)
	if f.on != nil {
		f.on(m)
	}
}

func (f *fed) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes++
}

func (f *fed) Interrupted() {}

func (f *fed) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.messages)
}

// small returns options of an engine in memory whose logs and caches are so small that everything is gone through.
func small(fs vfs.FS) Options {
	return Options{Dir: where, FS: fs, Logger: slog.New(slog.DiscardHandler), Reserve: -1, memTable: 64 << 10, weight: 3, batches: 200}
}

// Small is small, for tests from outside that last for days.
func Small(fs vfs.FS) Options {
	o := small(fs)
	o.sweeping, o.unasked = time.Hour, true
	return o
}

// Roomy is Small with caches of some size.
func Roomy(fs vfs.FS) Options {
	o := Small(fs)
	o.memTable, o.weight, o.batches = 4<<20, 0, 0
	return o
}

// Long reports whether tests take as long as they like: with WIREROOM_LONG=1 (make test-long).
func Long() bool { return os.Getenv("WIREROOM_LONG") != "" }

// often returns how often a test repeats something: every day, and when tests are long.
func often(everyday, long int) int {
	if Long() {
		return long
	}
	return everyday
}

// opened returns an open engine. The test closes it.
func opened(t testing.TB, o Options) *Engine {
	t.Helper()
	e := New(o)
	if err := e.Open(context.Background(), &fed{}); err != nil {
		t.Fatal(err)
	}
	return e
}

// closed closes an engine.
func closed(t testing.TB, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// temporary returns an open engine that ends with the test.
func temporary(t testing.TB, o Options) *Engine {
	t.Helper()
	e := opened(t, o)
	t.Cleanup(func() { closed(t, e) })
	return e
}

// say returns a publication of a text, of which everything is kept.
func say(room, text string) *engine.Publication {
	data, _ := json.Marshal(text)
	return &engine.Publication{
		Message:   &protocol.Message{Room: room, From: protocol.Sender{User: "alice"}, Data: data},
		Owner:     "alice",
		Retention: keepAll,
	}
}

// keyed returns a publication with a key.
func keyed(room, key string) *engine.Publication {
	p := say(room, key)
	p.Message.Key = key
	return p
}

// produced returns a publication with a producer's sequence.
func produced(room, producer string, seq uint64) *engine.Publication {
	p := say(room, fmt.Sprint(producer, seq))
	p.Producer, p.Seq = producer, seq
	return p
}

// outcomeOf is what a publication was answered.
type outcomeOf struct {
	receipt engine.Receipt
	err     error
}

// start publishes and does not wait.
func start(e *Engine, p *engine.Publication) <-chan outcomeOf {
	answer := make(chan outcomeOf, 2)
	e.Publish(context.Background(), p, func(r engine.Receipt, err error) { answer <- outcomeOf{r, err} })
	return answer
}

// publish publishes and waits for the answer.
func publish(t testing.TB, e *Engine, p *engine.Publication) (engine.Receipt, error) {
	t.Helper()
	select {
	case o := <-start(e, p):
		return o.receipt, o.err
	case <-time.After(patience):
		t.Fatal("a publication was not answered")
		return engine.Receipt{}, nil
	}
}

// stores publishes what must be stored.
func stores(t testing.TB, e *Engine, p *engine.Publication) engine.Receipt {
	t.Helper()
	r, err := publish(t, e, p)
	if err != nil || r.Duplicate {
		t.Fatalf("publish %s: %+v, %v; want it stored", p.Message.Data, r, err)
	}
	return r
}

// storesMany publishes n messages of a text with a number each, at once.
func storesMany(t testing.TB, e *Engine, room, text string, n int, keep engine.Retention) (last engine.Receipt) {
	t.Helper()
	waiting := make([]<-chan outcomeOf, n)
	for i := range waiting {
		p := say(room, fmt.Sprint(text, i))
		p.Retention = keep
		waiting[i] = start(e, p)
	}
	for _, w := range waiting {
		o := <-w
		if o.err != nil {
			t.Fatal(o.err)
		}
		last = o.receipt
	}
	return last
}

// isDuplicate publishes what was stored before.
func isDuplicate(t testing.TB, e *Engine, p *engine.Publication, first engine.Receipt) {
	t.Helper()
	first.Duplicate = true
	if r, err := publish(t, e, p); err != nil || r != first {
		t.Fatalf("publish %s again: %+v, %v; want %+v", p.Message.Data, r, err, first)
	}
}

// read reads, and wants no error.
func read(t testing.TB, e *Engine, room string, q engine.Query) engine.Page {
	t.Helper()
	page, err := e.Read(context.Background(), room, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

var whole10k = engine.Query{Last: 10_000, Limit: 10_000}

// texts returns what messages say.
func texts(messages []*protocol.Message) []string {
	says := make([]string, len(messages))
	for i, m := range messages {
		_ = json.Unmarshal(m.Data, &says[i])
	}
	return says
}

// says wants a room to have these messages.
func says(t testing.TB, e *Engine, room string, want ...string) {
	t.Helper()
	if got := texts(read(t, e, room, whole10k).Messages); !slices.Equal(got, want) {
		t.Fatalf("room %q says %q, want %q", room, got, want)
	}
}

// keysOf counts the keys in a space of the store, as it is synced.
func keysOf(t testing.TB, e *Engine, space byte) (n int) {
	t.Helper()
	v, err := e.views.acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer e.views.release(v)
	iter, err := v.snapshot.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for valid := iter.SeekGE([]byte{space}); valid && iter.Key()[0] == space; valid = iter.Next() {
		n++
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// refusal wants an error to be one of those.
func refusal(t testing.TB, err error, of ...error) {
	t.Helper()
	if err == nil || !slices.ContainsFunc(of, func(want error) bool { return errors.Is(err, want) }) {
		t.Fatalf("got %v, want one of %v", err, of)
	}
}
