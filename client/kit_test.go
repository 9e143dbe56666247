package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// inTime runs a test in virtual time.
func inTime(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

// mustDial dials a listener that welcomes by itself.
func mustDial(t *testing.T, l *listener, o Options) *Client {
	t.Helper()
	o.Dial = l.dial
	c, err := Dial(t.Context(), "ws://server/ws", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// start dials, and plays the server up to the welcome.
func start(t *testing.T, o Options) (*Client, *listener, *peer) {
	t.Helper()
	l := listen(t)
	o.NoInbox = o.NoInbox || o.Inbox == (JoinOptions{})
	dialled := later(func() (*Client, error) {
		o.Dial = l.dial
		return Dial(t.Context(), "ws://server/ws", o)
	})
	p := l.open()
	c := dialled.must(t)
	t.Cleanup(func() { p.cut(); _ = c.Close() })
	return c, l, p
}

// joined starts a client that has joined the room general at offset 10.
func startJoined(t *testing.T, o Options, j ...JoinOptions) (*Client, *Room, *listener, *peer) {
	t.Helper()
	c, l, p := start(t, o)
	join := later(func() (*Room, error) { return c.Join(t.Context(), "general", j...) })
	p.joined(p.expect("join"), 10)
	return c, join.must(t), l, p
}

// outcome is the result of a call that runs beside the test's script.
type outcome[T any] struct {
	done chan struct{}
	of   T
	err  error
}

// later calls f beside the test's script.
func later[T any](f func() (T, error)) *outcome[T] {
	o := &outcome[T]{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.of, o.err = f()
	}()
	return o
}

// must waits for the result, which must be no error.
func (o *outcome[T]) must(t *testing.T) T {
	t.Helper()
	<-o.done
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.of
}

// wait waits for the result.
func (o *outcome[T]) wait() (T, error) { <-o.done; return o.of, o.err }

// returned reports whether the call has returned, once everything has come to rest.
func (o *outcome[T]) returned() bool {
	synctest.Wait()
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// next returns the room's next event, which must be a T.
func next[T Event](t *testing.T, r *Room) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	e, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	is, ok := e.(T)
	if !ok {
		t.Fatalf("the event is %T %+v, want %T", e, e, is)
	}
	return is
}

// nothing reports an error if the room has an event.
func nothing(t *testing.T, r *Room) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if e, err := r.Next(ctx); err != context.DeadlineExceeded {
		t.Errorf("the room has %T %+v, %v", e, e, err)
	}
}
