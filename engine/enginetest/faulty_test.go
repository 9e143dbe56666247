package enginetest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/engine/memory"
	"github.com/wireroom/wireroom/protocol"
)

// breach breaks one promise. A nil func is the good engine's method.
type breach struct {
	publish     func(*faulty, *engine.Publication, func(engine.Receipt, error))
	read        func(*faulty, string, engine.Query) (engine.Page, error)
	heads       func(*faulty, []string, []protocol.Position)
	deliver     func(*faulty, *protocol.Message)
	subscribe   func(*faulty, string)
	unsubscribe func(*faulty, string)
	put         func(*faulty, engine.Record) error
	close       func(*faulty) error
	durability  string
}

// faulty is the engine in memory with a breach.
type faulty struct {
	*memory.Engine
	breach
	feed engine.Feed
	mu   sync.Mutex
	memo map[string]any // what the breach remembers
}

func (e *faulty) Open(ctx context.Context, feed engine.Feed) error {
	e.feed, e.memo = feed, make(map[string]any)
	return e.Engine.Open(ctx, e)
}

// Deliver, Flush and Interrupted make it the feed of the good engine.
func (e *faulty) Deliver(m *protocol.Message) {
	if e.deliver == nil {
		e.feed.Deliver(m)
		return
	}
	e.deliver(e, m)
}

func (e *faulty) Flush()       { e.feed.Flush() }
func (e *faulty) Interrupted() { e.feed.Interrupted() }

func (e *faulty) Publish(_ context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	if e.publish == nil {
		e.good(p, done)
		return
	}
	e.publish(e, p, done)
}

// good publishes with the good engine.
func (e *faulty) good(p *engine.Publication, done func(engine.Receipt, error)) {
	e.Engine.Publish(context.Background(), p, done)
}

// now publishes with the good engine and returns the outcome.
func (e *faulty) now(p *engine.Publication) (r engine.Receipt, err error) {
	e.good(p, func(got engine.Receipt, failed error) { r, err = got, failed })
	return r, err
}

func (e *faulty) Read(_ context.Context, room string, q engine.Query) (engine.Page, error) {
	if e.read == nil {
		return e.page(room, q)
	}
	return e.read(e, room, q)
}

func (e *faulty) Heads(ctx context.Context, rooms []string) ([]protocol.Position, error) {
	heads, err := e.Engine.Heads(ctx, rooms)
	if err == nil && e.heads != nil {
		e.heads(e, rooms, heads)
	}
	return heads, err
}

// page reads from the good engine.
func (e *faulty) page(room string, q engine.Query) (engine.Page, error) {
	return e.Engine.Read(context.Background(), room, q)
}

func (e *faulty) Subscribe(ctx context.Context, room string) error {
	if e.subscribe != nil {
		e.subscribe(e, room)
	}
	return e.Engine.Subscribe(ctx, room)
}

func (e *faulty) Unsubscribe(room string) {
	if e.unsubscribe == nil {
		e.Engine.Unsubscribe(room)
		return
	}
	e.unsubscribe(e, room)
}

func (e *faulty) PutRecord(ctx context.Context, r engine.Record) error {
	if e.put == nil {
		return e.Engine.PutRecord(ctx, r)
	}
	return e.put(e, r)
}

func (e *faulty) Close(ctx context.Context) error {
	if e.close == nil {
		return e.Engine.Close(ctx)
	}
	return e.close(e)
}

func (e *faulty) Durability() string {
	if e.durability == "" {
		return e.Engine.Durability()
	}
	return e.durability
}

// remember returns what is remembered under key, and remembers v where there is nothing yet.
func remember[T any](e *faulty, key string, v T) (T, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known, ok := e.memo[key]; ok {
		return known.(T), true
	}
	e.memo[key] = v
	return v, false
}

// replace remembers v under key and returns what was there.
func replace[T any](e *faulty, key string, v T) (before T) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before, _ = e.memo[key].(T)
	e.memo[key] = v
	return before
}

// theFault names the fault that a process of TestCatches runs the suite with.
const theFault = "ENGINETEST_FAULT"

// TestFaulty is the suite on a faulty engine. It is run by TestCatches only.
func TestFaulty(t *testing.T) {
	name := os.Getenv(theFault)
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	if i < 0 {
		t.Skip("TestCatches runs it")
	}
	Run(t, Options{VirtualTime: true}, func(*testing.T) engine.Engine {
		return &faulty{Engine: memory.New(memory.Options{}), breach: faults[i].breach}
	})
}

// Each fault fails the tests that promise its absence: a process of its own each, since the tests must fail.
func TestCatches(t *testing.T) {
	caught := make(map[string]bool)
	for _, fault := range faults {
		for _, name := range fault.fails {
			caught[name] = true
			t.Run(fault.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				output, err := runFaulty(t, fault.name, name)
				if err == nil || !strings.Contains(output, "--- FAIL: TestFaulty/"+name) {
					t.Fatalf("%s passes on an engine that %s: %v\n%s", name, fault.name, err, output)
				}
			})
		}
	}
	for _, tests := range suite() {
		for _, test := range tests {
			if !caught[test.name] {
				t.Errorf("no fault is known that fails %s", test.name)
			}
		}
	}
}

// runFaulty runs one test of the suite on a faulty engine.
func runFaulty(t *testing.T, fault, name string) (string, error) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestFaulty$/^"+strings.ReplaceAll(name, "/", "$/^")+"$", "-rapid.nofailfile", "-test.timeout=60s")
	command.Env = append(os.Environ(), theFault+"="+fault)
	output, err := command.CombinedOutput()
	return string(output), err
}
