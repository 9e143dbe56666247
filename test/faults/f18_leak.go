package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// What F18 compares, between the end of the first part and the end.
const (
	mayGrow  = 0.02      // of each
	heapMay  = 128 << 10 // of the heap, if that is more: it is small
	countMay = 2         // of goroutines and descriptors, likewise
)

// settledWithin is how long it may take until nothing is there: rooms linger for 10 s, graces take 5 s.
const settledWithin = 40 * time.Second

// leak is F18: clients come and go, in rooms and with users that are new each time, and nothing stays of them.
func leak(ctx context.Context, t *rig.Trial) error {
	server, err := t.Serve(ctx, rig.ServerOptions{Program: rig.Node})
	if err != nil {
		return err
	}
	churn := func(during time.Duration) (stays, error) {
		if err := churnFor(ctx, t, server, during); err != nil {
			return stays{}, err
		}
		return settled(ctx, server)
	}
	warm := rig.Pick(t, 10*time.Second, 10*time.Minute)
	first, err := churn(warm)
	if err != nil {
		return err
	}
	last, err := churn(rig.Pick(t, 15*time.Second, 50*time.Minute))
	if err != nil {
		return err
	}
	t.Say("at first %+v, in the end %+v", first, last)
	t.Figure("heap_ratio", ratio(float64(last.heap), float64(first.heap)))
	t.Figure("goroutines", last.goroutines)
	t.Figure("descriptors", last.descriptors)
	t.Figure("subscribed_rooms", last.subscribed)
	return errors.Join(first.compare(last), server.Panicked())
}

// stays is what stays when everybody has left.
type stays struct{ heap, goroutines, descriptors, subscribed int64 }

// settled waits until nobody is there any more and returns what stays.
func settled(ctx context.Context, server *rig.Server) (s stays, err error) {
	late := rig.Wait(ctx, "all rooms are closed", settledWithin, func() bool {
		s.subscribed, err = server.Counter(ctx, "subscribed")
		return err != nil || s.subscribed == 0
	})
	if late != nil {
		return s, fmt.Errorf("%w: %d rooms are still subscribed", late, s.subscribed)
	}
	// From here on: before, the rooms were there.
	for name, value := range map[string]*int64{"heap": &s.heap, "goroutines": &s.goroutines} {
		var failed error
		*value, failed = server.Counter(ctx, name)
		err = errors.Join(err, failed)
	}
	usage, failed := server.Usage()
	s.descriptors = int64(usage.Descriptors)
	return s, errors.Join(err, failed)
}

// compare returns an error if something has grown.
func (s stays) compare(last stays) error {
	grown := func(name string, first, last int64, may int64) error {
		if more := last - first; more > may && float64(more) > mayGrow*float64(first) {
			return fmt.Errorf("%s have grown from %d to %d", name, first, last)
		}
		return nil
	}
	return errors.Join(
		grown("bytes of heap", s.heap, last.heap, heapMay),
		grown("goroutines", s.goroutines, last.goroutines, countMay),
		grown("descriptors", s.descriptors, last.descriptors, countMay),
	)
}

// churnFor has clients come and go for a while.
func churnFor(ctx context.Context, t *rig.Trial, server *rig.Server, during time.Duration) error {
	end := time.Now().Add(during)
	errs := make(chan error, 16)
	var clients sync.WaitGroup
	for i := range cap(errs) {
		random := t.Random(uint64(i))
		clients.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := visit(ctx, server, random); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	clients.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

// visit connects, joins rooms, publishes, and leaves in one of several ways.
func visit(ctx context.Context, server *rig.Server, random *rand.Rand) error {
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{})
	if err != nil {
		return err
	}
	defer raw.Drop()
	rooms := 1 + random.IntN(5)
	for i := range rooms {
		room := fmt.Sprintf("visit-%d", random.IntN(2000))
		if err := raw.Send(rig.OpText, fmt.Appendf(nil, `{"type":"join","id":%d,"room":%q}`, i, room)); err != nil {
			return err
		}
		if err := raw.Send(rig.OpText, fmt.Appendf(nil, `{"type":"publish","room":%q,"data":1,"ephemeral":true}`, room)); err != nil {
			return err
		}
	}
	for range rooms { // some of what comes
		if _, err := raw.Next(nil); err != nil {
			return err
		}
	}
	switch random.IntN(3) {
	case 0: // says goodbye
		if err := raw.Send(rig.OpClose, []byte{0x03, 0xe8}); err != nil {
			return err
		}
		for {
			if _, err := raw.Next(nil); err != nil {
				return nil
			}
		}
	case 1: // half a frame
		_, _ = raw.Conn.Write([]byte{0x81, 0xfe, 0x10})
	}
	return nil
}
