package memory

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
	"go.uber.org/goleak"
)

// discard is a feed that counts.
type discard struct{ fed int }

func (d *discard) Deliver(*protocol.Message) { d.fed++ }
func (d *discard) Flush()                    {}
func (d *discard) Interrupted()              {}

// opened returns an open engine, which ends with the test.
func opened(t *testing.T, o Options) *Engine {
	t.Helper()
	e := New(o)
	if err := e.Open(t.Context(), &discard{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, o Options, body func(*testing.T, *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := opened(t, o)
		body(t, e)
		verify(t, e)
	})
}

var keepAll = engine.Retention{Messages: 1_000_000}

// publication returns one whose message has the size 300.
func publication(room string, keep engine.Retention) *engine.Publication {
	m := &protocol.Message{Room: room, From: protocol.Sender{User: "alice"}}
	m.Data = make([]byte, 300-m.Size())
	return &engine.Publication{Message: m, Owner: "alice", Retention: keep}
}

const size = 300 // of a message of publication

// publish publishes p and returns the outcome.
func (e *Engine) now(p *engine.Publication) (r engine.Receipt, err error) {
	e.Publish(context.Background(), p, func(got engine.Receipt, failed error) { r, err = got, failed })
	return r, err
}

// fill stores n messages in a room and returns the position of the last.
func fill(t *testing.T, e *Engine, room string, n int, keep engine.Retention) (last protocol.Position) {
	t.Helper()
	for range n {
		r, err := e.now(publication(room, keep))
		if err != nil {
			t.Fatal(err)
		}
		last = r.Position
	}
	return last
}

func read(t *testing.T, e *Engine, room string, q engine.Query) engine.Page {
	t.Helper()
	page, err := e.Read(context.Background(), room, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// length returns how many messages a room's log has.
func length(t *testing.T, e *Engine, room string) int {
	t.Helper()
	return len(read(t, e, room, engine.Query{Last: 1 << 30, Limit: 1 << 30}).Messages)
}

// known returns how many rooms the engine has a record of.
func (e *Engine) known() (n int) {
	for i := range e.shards {
		n += len(e.shards[i].list(nil))
	}
	return n
}

// totals is what is counted, or what there is.
type totals struct{ bytes, logs, idle, once, owned int64 }

// verify wants that all that is counted is as much as there is. Nothing else may use the engine.
func verify(t *testing.T, e *Engine) {
	t.Helper()
	var there totals
	for i := range e.shards {
		for _, r := range e.shards[i].list(nil) {
			verifyRoom(t, r, &there)
		}
		there.once += verifyKeys(t, &e.keys.shards[i])
		s := &e.quota.shards[i]
		s.mu.Lock()
		for owner, n := range s.owners {
			if there.owned += int64(n); n <= 0 {
				t.Errorf("owner %q has %d", owner, n)
			}
		}
		s.mu.Unlock()
	}
	once := e.quota.all.Load()
	counted := totals{bytes: e.bytes.Load(), logs: int64(e.logs.len()), idle: int64(e.idle.len()), once: once, owned: once}
	if counted != there {
		t.Errorf("counted %+v, there is %+v", counted, there)
	}
}

func verifyRoom(t *testing.T, r *room, there *totals) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var kept int64
	for j := range r.log.entries.n {
		kept += int64(r.log.entries.at(j).message.Size())
	}
	if kept != r.log.bytes {
		t.Errorf("%q: the log has %d bytes, counted are %d", r.name, kept, r.log.bytes)
	}
	for _, m := range r.latest.after(0) {
		kept += int64(m.Size())
	}
	there.bytes += kept
	there.once += int64(len(r.producers))
	if r.log.entries.n > 0 {
		there.logs++
	}
	if !r.subscribed {
		there.idle++
	}
	if listed := r.inLogs != nil; listed != (r.log.entries.n > 0) {
		t.Errorf("%q has %d messages; among the logs: %v", r.name, r.log.entries.n, listed)
	}
	if listed := r.inIdle != nil; listed == r.subscribed {
		t.Errorf("%q: subscribed %v, among the idle: %v", r.name, r.subscribed, listed)
	}
	if r.gone || !r.subscribed && r.unwritten() {
		t.Errorf("%q: gone %v, needless %v", r.name, r.gone, r.unwritten())
	}
}

// verifyKeys returns how many keys are live.
func verifyKeys(t *testing.T, s *keyShard) int64 {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) != s.queue.n {
		t.Errorf("%d live keys, %d in the queue", len(s.live), s.queue.n)
	}
	return int64(len(s.live))
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	e := New(Options{})
	if err := e.Open(t.Context(), &discard{}); err != nil {
		t.Fatal(err)
	}
	p := publication("room", keepAll)
	p.Producer, p.Seq = "p", 1
	if _, err := e.now(p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if e.bytes.Load() != 0 || e.logs.len() != 0 || e.idle.len() != 0 || e.quota.all.Load() != 0 {
		t.Error("a closed engine keeps something")
	}
	if _, err := e.now(publication("room", keepAll)); !errors.Is(err, engine.ErrClosed) || err.Error() != `memory: publish "room": engine closed` {
		t.Errorf("publish: %v", err)
	}
}

func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	e := New(Options{})
	release := make(chan struct{})
	e.sweeper.Go(func() { <-release })
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	if err := e.Close(ctx); err == nil || err.Error() != "memory: close: enough" {
		t.Errorf("close: %v", err)
	}
	close(release)
	e.sweeper.Wait()
}

// What is published costs the engine no allocation of its own, once its log has grown.
func TestPublishDoesNotAllocate(t *testing.T) {
	e := opened(t, Options{})
	if err := e.Subscribe(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	id := testing.AllocsPerRun(100, func() { protocol.NewMessageID() }) // none, but with the race detector
	for name, prepare := range map[string]func(*engine.Publication, uint64){
		"plain":      func(*engine.Publication, uint64) {},
		"ephemeral":  func(p *engine.Publication, _ uint64) { p.Ephemeral = true },
		"no history": func(p *engine.Publication, _ uint64) { p.Retention = engine.Retention{} },
		"latest":     func(p *engine.Publication, _ uint64) { p.Retention.Latest = true },
		"producer":   func(p *engine.Publication, seq uint64) { p.Producer, p.Seq = "p", seq },
	} {
		ctx, done := context.Background(), func(_ engine.Receipt, err error) {
			if err != nil {
				t.Error(err)
			}
		}
		publications := make([]*engine.Publication, 2001)
		for i := range publications {
			publications[i] = publication("room", engine.Retention{Messages: 100})
			prepare(publications[i], uint64(i+1))
		}
		next := 0
		publish := func() {
			e.Publish(ctx, publications[next], done)
			next++
		}
		for range 1000 {
			publish()
		}
		if n := testing.AllocsPerRun(1000, publish); n > id {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A jump of the wall clock moves nothing but the time that messages show, which never falls.
func TestClockJumps(t *testing.T) {
	e := opened(t, Options{})
	wall, now := int64(1_700_000_000_000), time.Duration(0)
	e.clock = func() (int64, time.Duration) { return wall, now }
	pass := func(d, jump time.Duration) {
		now += d
		wall += (d + jump).Milliseconds()
	}
	keyed := func(key string) (engine.Receipt, error) {
		p := publication("room", engine.Retention{Messages: 10, Age: time.Hour})
		p.Message.Key = key
		return e.now(p)
	}
	first, err := keyed("k")
	if err != nil {
		t.Fatal(err)
	}
	last := first.Time
	for i, jump := range []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour} {
		pass(time.Minute, jump)
		if r, err := keyed("k"); err != nil || !r.Duplicate || r.Position != first.Position {
			t.Errorf("jump %d: the key gives %+v, %v", i, r, err)
		}
		r, err := keyed(fmt.Sprint(i))
		if err != nil || r.Duplicate || r.Time < last || r.Position.Offset != uint64(i)+2 {
			t.Errorf("jump %d: %+v, %v", i, r, err)
		}
		last = r.Time
		if n := length(t, e, "room"); n != i+2 {
			t.Errorf("jump %d: %d messages are kept", i, n)
		}
	}
	pass(time.Minute+time.Second, 0)
	if r, err := keyed("k"); err != nil || r.Duplicate {
		t.Errorf("after the window: %+v, %v", r, err)
	}
	pass(time.Hour, -10*time.Hour)
	if n := length(t, e, "room"); n != 1 {
		t.Errorf("%d messages are kept beyond their age", n-1)
	}
	ephemeral := publication("room", engine.Retention{})
	ephemeral.Ephemeral = true
	if r, err := e.now(ephemeral); err != nil || r.Time < last {
		t.Errorf("ephemeral: %+v, %v", r, err)
	}
}
