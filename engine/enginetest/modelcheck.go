package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"pgregory.net/rapid"
)

var modelTests = []test{{name: "model/BehavesLikeTheModel", run: behavesLikeTheModel}}

// comparison runs an engine's room and its model side by side.
type comparison struct {
	*fixture
	rapid      *rapid.T
	room       string // short
	model      *model
	subscribed bool
	fed        []string // texts that must have been fed
	published  int
	seen       map[string]time.Time // when a producer published last
}

func behavesLikeTheModel(f *fixture) {
	checks := 0
	// The wrapper hides testing.T's deadline, which must not be asked for in a bubble.
	rapid.Check(struct{ rapid.TB }{f.TB}, func(t *rapid.T) {
		checks++
		own := *f
		own.TB = t
		c := &comparison{fixture: &own, rapid: t, room: fmt.Sprint("room", checks), seen: make(map[string]time.Time)}
		c.model = newModel(c.head(c.room))
		actions := map[string]func(*rapid.T){
			"publish": c.publishOne, "publish more": c.publishOne, "ephemeral": c.passOne, "read": c.readOne, "read more": c.readOne,
			"subscribe": c.toggle, "": c.check,
		}
		if f.options.VirtualTime {
			actions["sleep"] = c.sleep
		}
		t.Repeat(actions)
		if c.subscribed {
			c.engine.Unsubscribe(c.name(c.room))
		}
		c.settle()
		c.check(t)
	})
}

// sleep lets time pass, never so that something ends at the very moment of another action.
func (c *comparison) sleep(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{61 * time.Second, 187 * time.Second, 601 * time.Second}).Draw(t, "for"))
}

// retention draws what the room keeps from now on.
func (c *comparison) retention(t *rapid.T) engine.Retention {
	keep := engine.Retention{
		Messages: rapid.SampledFrom([]int{10, 0, 1, 3, 1000}).Draw(t, "keep messages"),
		Bytes:    rapid.SampledFrom([]int64{0, 0, 500, 1500}).Draw(t, "keep bytes"),
		Latest:   rapid.Bool().Draw(t, "keep latest"),
	}
	if c.options.VirtualTime {
		keep.Age = rapid.SampledFrom([]time.Duration{0, 0, 4 * time.Minute}).Draw(t, "keep age")
	}
	return keep
}

// next draws a publication.
func (c *comparison) next(t *rapid.T) (p *engine.Publication, text string) {
	c.published++
	text = fmt.Sprint(c.published) + strings.Repeat(".", rapid.IntRange(0, 300).Draw(t, "size"))
	p = c.publication(c.room, text)
	p.Message.Event = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "event")
	return p, text
}

func (c *comparison) publishOne(t *rapid.T) {
	p, text := c.next(t)
	p.Retention = c.retention(t)
	switch rapid.SampledFrom([]string{"plain", "key", "producer"}).Draw(t, "once") {
	case "key":
		p.Owner = c.name(rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "owner"))
		p.Message.Key = rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(t, "key")
	case "producer":
		c.number(t, p)
	}
	known, refused := c.model.known(p)
	got, err := c.start(p).wait()
	switch head := c.model.head(); {
	case refused != nil || err != nil:
		if refused == nil || !errors.Is(err, refused) {
			t.Fatalf("publish %q: %v, want %v", text, err, refused)
		}
		return
	case known != nil:
		if got != *known {
			t.Fatalf("publish %q: %+v, want %+v", text, got, *known)
		}
		return
	case got.Duplicate || got.Position.Epoch != head.Epoch || got.Position.Offset <= head.Offset || !c.options.SparseOffsets && got.Position.Offset != head.Offset+1:
		t.Fatalf("publish %q: %+v, want it stored after %v", text, got, head)
	}
	c.model.store(p, got, text)
	if c.subscribed {
		c.fed = append(c.fed, text)
	}
}

// number gives p a producer and a sequence, mostly the next one. A producer that was silent for too long may have been
// forgotten: another one takes its place.
func (c *comparison) number(t *rapid.T, p *engine.Publication) {
	generation := 0
	name := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "producer")
	for p.Producer = c.name(name); ; generation++ {
		seen, ok := c.seen[p.Producer]
		if !ok || time.Since(seen) < engine.KeyWindow {
			break
		}
		p.Producer = c.name(fmt.Sprint(name, generation))
	}
	last := len(c.model.producers[p.Producer])
	p.Seq = uint64(max(0, last+rapid.SampledFrom([]int{1, 1, 1, 1, 0, -1, -2, 2, 3}).Draw(t, "after the last")))
	if _, err := c.model.known(p); err == nil {
		c.seen[p.Producer] = time.Now()
	}
}

func (c *comparison) passOne(t *rapid.T) {
	p, text := c.next(t)
	p.Ephemeral = true
	if r, err := c.start(p).wait(); err != nil || !r.Position.IsZero() || r.Duplicate {
		t.Fatalf("publish %q, ephemeral: %+v, %v", text, r, err)
	}
	if c.subscribed {
		c.fed = append(c.fed, text)
	}
}

func (c *comparison) toggle(*rapid.T) {
	if c.subscribed = !c.subscribed; c.subscribed {
		c.subscribe(c.room)
		return
	}
	c.check(c.rapid) // what was fed has arrived
	c.engine.Unsubscribe(c.name(c.room))
}

// position draws one of the room, or one that another log could have.
func (c *comparison) position(t *rapid.T) protocol.Position {
	p := c.model.before(rapid.IntRange(0, len(c.model.all)).Draw(t, "after message"))
	switch rapid.SampledFrom([]string{"own", "own", "own", "forged", "other epoch", "ahead"}).Draw(t, "position") {
	case "forged":
		return forged(p)
	case "other epoch":
		return otherEpoch(p)
	case "ahead":
		p.Offset = c.model.head().Offset + 1
	}
	return p
}

func (c *comparison) readOne(t *rapid.T) {
	q := engine.Query{
		Limit:    rapid.SampledFrom([]int{1000, 0, 1, 2, 5}).Draw(t, "limit"),
		MaxBytes: rapid.SampledFrom([]int{0, 0, 1, 600, 1200}).Draw(t, "bytes"),
	}
	switch rapid.SampledFrom([]string{"head", "since", "before", "last", "latest", "latest since"}).Draw(t, "query") {
	case "since":
		q.Since = c.position(t)
	case "before":
		q.Before = c.position(t)
	case "last":
		q.Last = rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "last")
	case "latest":
		q.Latest = true
	case "latest since":
		q.Latest, q.Since = true, c.position(t)
	}
	want, got := c.model.read(q), c.read(c.room, q)
	positions := make([]protocol.Position, len(got.Messages))
	for i, m := range got.Messages {
		positions[i] = m.Position
	}
	wanted := make([]protocol.Position, len(want.messages))
	for i, m := range want.messages {
		wanted[i] = m.position
	}
	if !slices.Equal(positions, wanted) {
		t.Fatalf("read %+v: got %v, want %v", q, positions, wanted)
	}
	if q.Latest && c.options.SparseOffsets {
		want.page.Start = got.Start // what is before a message is not to be told from it alone
	}
	if want.page.Messages = got.Messages; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want.page) {
		t.Fatalf("read %+v: got %+v, want %+v", q, got, want.page)
	}
	if !q.Latest {
		c.chained(got.Messages, got.Start)
	}
}

// check compares what was fed.
func (c *comparison) check(t *rapid.T) {
	var got []string
	for _, m := range c.fixture.fed(c.room, len(c.fed)) {
		got = append(got, texts([]*protocol.Message{&m})[0])
	}
	if !slices.Equal(got, c.fed) {
		t.Fatalf("fed %q, want %q", got, c.fed)
	}
}
