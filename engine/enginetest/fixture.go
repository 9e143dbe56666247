package enginetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"pgregory.net/rapid"
)

// patience is how long a test waits for what must happen; on a good engine it never ends.
const patience = 20 * time.Second

// plenty keeps everything that a test publishes.
var plenty = engine.Retention{Messages: 1_000_000}

// fixture is an open engine and what it feeds.
type fixture struct {
	rapid.TB // of the test, or of one check of a property
	options  Options
	engine   engine.Engine
	inline   bool
	feed     *feed
	prefix   string // of the names of rooms, records and owners
}

func newFixture(t *testing.T, o Options, open func(*testing.T) engine.Engine) *fixture {
	t.Helper()
	f := &fixture{TB: t, options: o, engine: open(t), feed: newFeed(), prefix: rand.Text()[:10]}
	_, f.inline = f.engine.(engine.Inline)
	if err := f.engine.Open(t.Context(), f.feed); err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.engine.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// name returns a name that only this test has.
func (f *fixture) name(short string) string { return f.prefix + "/" + short }

// publication returns one of a small message, which everything is kept of.
func (f *fixture) publication(room, text string) *engine.Publication {
	data, _ := json.Marshal(text)
	return &engine.Publication{
		Message:   &protocol.Message{Room: f.name(room), From: protocol.Sender{User: "alice", Client: "c1", Name: "Alice"}, Data: data},
		Owner:     f.name("alice"),
		Retention: plenty,
	}
}

// pending is a publish whose outcome is not known yet.
type pending struct {
	f       *fixture
	text    string
	calls   atomic.Int32
	outcome chan outcome
}

type outcome struct {
	receipt engine.Receipt
	err     error
}

// start publishes p and does not wait. It may be called at once from many goroutines.
func (f *fixture) start(p *engine.Publication) *pending {
	w := &pending{f: f, text: string(p.Message.Data), outcome: make(chan outcome, 1)}
	f.engine.Publish(context.Background(), p, func(r engine.Receipt, err error) {
		if w.calls.Add(1) > 1 {
			f.Errorf("publish %s: done was called again", w.text)
			return
		}
		w.outcome <- outcome{receipt: r, err: err}
	})
	if f.inline && w.calls.Load() == 0 {
		f.Errorf("publish %s: inline, but done was not called before Publish returned", w.text)
	}
	return w
}

// wait returns the outcome.
func (w *pending) wait() (engine.Receipt, error) {
	select {
	case o := <-w.outcome:
		return o.receipt, o.err
	case <-time.After(patience):
		w.f.Errorf("publish %s: done was not called", w.text)
		return engine.Receipt{}, engine.ErrTimeout
	}
}

// publish publishes p, which must be stored, and returns where.
func (f *fixture) publish(p *engine.Publication) engine.Receipt {
	f.Helper()
	r, err := f.start(p).wait()
	if err != nil || r.Duplicate || r.Position.IsZero() != p.Ephemeral {
		f.Fatalf("publish %s: got %+v, %v; want it stored", p.Message.Data, r, err)
	}
	return r
}

// fill publishes n messages to a room, "0" first, and returns their positions.
func (f *fixture) fill(room string, n int, keep engine.Retention) []protocol.Position {
	f.Helper()
	positions := make([]protocol.Position, n)
	for i := range n {
		p := f.publication(room, fmt.Sprint(i))
		p.Retention = keep
		positions[i] = f.publish(p).Position
	}
	return positions
}

// refused publishes p and wants the given error, and nothing stored.
func (f *fixture) refused(p *engine.Publication, want error) {
	f.Helper()
	room := p.Message.Room
	before := f.readRoom(room, engine.Query{}).Head
	r, err := f.start(p).wait()
	if !errors.Is(err, want) {
		f.Fatalf("publish %s: got %+v, %v; want %v", p.Message.Data, r, err, want)
	}
	if after := f.readRoom(room, engine.Query{}).Head; after != before {
		f.Fatalf("publish %s: refused with %v, but the head moved from %v to %v", p.Message.Data, err, before, after)
	}
}

// duplicate publishes p and wants the receipt of the time when it was stored, and nothing stored now.
func (f *fixture) duplicate(p *engine.Publication, first engine.Receipt) {
	f.Helper()
	room := p.Message.Room
	before := f.readRoom(room, engine.Query{}).Head
	first.Duplicate = true
	if r, err := f.start(p).wait(); err != nil || r != first {
		f.Fatalf("publish %s again: got %+v, %v; want %+v", p.Message.Data, r, err, first)
	}
	if after := f.readRoom(room, engine.Query{}).Head; after != before {
		f.Fatalf("publish %s again: the head moved from %v to %v", p.Message.Data, before, after)
	}
}

// read asks for a part of a room's log.
func (f *fixture) read(room string, q engine.Query) engine.Page {
	f.Helper()
	return f.readRoom(f.name(room), q)
}

func (f *fixture) readRoom(name string, q engine.Query) engine.Page {
	f.Helper()
	page, err := f.engine.Read(context.Background(), name, q)
	if err != nil {
		f.Fatalf("read %+v: %v", q, err)
	}
	if page.Head.IsZero() {
		f.Fatalf("read %+v: the head is zero", q)
	}
	return page
}

// head returns the position of a room's newest message.
func (f *fixture) head(room string) protocol.Position {
	f.Helper()
	return f.read(room, engine.Query{}).Head
}

func (f *fixture) subscribe(room string) {
	f.Helper()
	if err := f.engine.Subscribe(context.Background(), f.name(room)); err != nil {
		f.Fatalf("subscribe: %v", err)
	}
}

// settle returns when what was published before has been fed, or never will be.
func (f *fixture) settle() {
	f.Helper()
	if f.options.VirtualTime {
		synctest.Wait()
		return
	}
	fed := f.feed.count(f.name("settle"))
	f.subscribe("settle")
	f.publish(f.publication("settle", "settle"))
	f.fed("settle", fed+1)
}

// fed waits for n messages of a room to be fed, and returns all that were.
func (f *fixture) fed(room string, n int) []protocol.Message {
	f.Helper()
	messages, ok := f.feed.wait(f.name(room), n)
	if !ok {
		f.Fatalf("%d messages of %q were fed, want %d", len(messages), room, n)
	}
	return messages
}

// follows reports whether m was stored right after prev, as far as that can be told.
func (f *fixture) follows(m *protocol.Message, prev protocol.Position) bool {
	if f.options.SparseOffsets {
		return m.Position.Epoch == prev.Epoch && m.Position.Offset > prev.Offset
	}
	return m.Position.Follows(prev, m.ID)
}

// chained wants that the messages follow each other, the first one start.
func (f *fixture) chained(messages []*protocol.Message, start protocol.Position) {
	f.Helper()
	for _, m := range messages {
		if !f.follows(m, start) {
			f.Fatalf("%s at %v does not follow %v", m.Data, m.Position, start)
		}
		start = m.Position
	}
}

// texts returns what messages say.
func texts(messages []*protocol.Message) []string {
	says := make([]string, len(messages))
	for i, m := range messages {
		_ = json.Unmarshal(m.Data, &says[i])
	}
	return says
}

// says wants that the messages say, in this order, the given texts.
func (f *fixture) says(messages []*protocol.Message, want ...string) {
	f.Helper()
	if got := texts(messages); !slices.Equal(got, want) {
		f.Fatalf("got the messages %q, want %q", got, want)
	}
}

// count returns the texts from first on up to, not including, end.
func count(first, end int) []string {
	var says []string
	for i := first; i < end; i++ {
		says = append(says, fmt.Sprint(i))
	}
	return says
}
