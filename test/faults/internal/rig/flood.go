package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Flood is clients that publish as much as they are told, and heed nothing that the server says.
type Flood struct {
	streams []*stream
	group   sync.WaitGroup
	failed  chan error // buffered: the first failure of each stream
	cancel  context.CancelFunc
}

// Flow is what became of what a Flood published in some time.
type Flow struct {
	Stored, Refused int
	Took            time.Duration
	P99             time.Duration // from when a message that was stored was due until it was acknowledged
	delays          []time.Duration
}

// PerSecond returns how many were stored a second.
func (f Flow) PerSecond() float64 { return float64(f.Stored) / f.Took.Seconds() }

func (f Flow) String() string {
	return fmt.Sprintf("%.0f a second stored, p99 %v, %d refused", f.PerSecond(), f.P99.Round(time.Millisecond), f.Refused)
}

// RunFlood connects so many clients. Stop ends it.
func RunFlood(ctx context.Context, addr string, clients int) (*Flood, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &Flood{failed: make(chan error, clients), cancel: cancel}
	for i := range clients {
		raw, err := DialRaw(ctx, addr, RawOptions{Buffer: 16 << 10})
		if err != nil {
			f.Stop()
			return nil, err
		}
		if _, err := raw.Next(nil); err != nil { // welcome
			f.Stop()
			return nil, err
		}
		s := &stream{raw: raw, room: fmt.Sprint("small/flood-", i%8), answered: make(chan struct{}, 1), due: make(map[int]time.Time)}
		f.streams = append(f.streams, s)
		f.group.Go(func() {
			if err := s.read(); ctx.Err() == nil {
				f.failed <- err
			}
		})
	}
	return f, nil
}

// Stop ends all connections.
func (f *Flood) Stop() {
	f.cancel()
	for _, s := range f.streams {
		s.raw.Drop()
	}
	f.group.Wait()
}

// Keep has so many messages under way all the time: with each answer the next is published.
func (f *Flood) Keep(ctx context.Context, waiting int, during time.Duration) (Flow, error) {
	return f.run(ctx, during, func(ctx context.Context, i int, s *stream) error {
		window := waiting / len(f.streams)
		if i < waiting%len(f.streams) {
			window++
		}
		return s.keep(ctx, window)
	})
}

// Offer has so many messages a second published, whatever becomes of them.
func (f *Flood) Offer(ctx context.Context, perSecond float64, during time.Duration) (Flow, error) {
	every := time.Duration(float64(len(f.streams)) / perSecond * float64(time.Second))
	return f.run(ctx, during, func(ctx context.Context, i int, s *stream) error {
		return s.offer(ctx, every, every*time.Duration(i)/time.Duration(len(f.streams)))
	})
}

// run has all streams publish for some time.
func (f *Flood) run(ctx context.Context, during time.Duration, publish func(context.Context, int, *stream) error) (Flow, error) {
	for _, s := range f.streams {
		s.take()
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	errs := make(chan error, len(f.streams))
	for i, s := range f.streams {
		go func() { errs <- publish(limited, i, s) }()
	}
	var err error
	for range f.streams {
		err = errors.Join(err, <-errs)
	}
	sum := Flow{Took: time.Since(began)}
	for _, s := range f.streams {
		part := s.take()
		sum.Stored, sum.Refused = sum.Stored+part.Stored, sum.Refused+part.Refused
		sum.delays = append(sum.delays, part.delays...)
	}
	select {
	case failure := <-f.failed:
		return sum, errors.Join(err, failure)
	default:
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && len(sum.delays) == 0 {
		err = errors.New("nothing was stored")
	}
	if err != nil {
		return sum, err
	}
	slices.Sort(sum.delays)
	sum.P99 = sum.delays[len(sum.delays)*99/100]
	return sum, nil
}

// stream is one client of a Flood.
type stream struct {
	raw      *Raw
	room     string
	answered chan struct{} // of one

	mu   sync.Mutex
	next int
	due  map[int]time.Time // of what is not answered, by id
	flow Flow
}

// take returns what has become of what was published since the last call.
func (s *stream) take() Flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	flow := s.flow
	s.flow = Flow{}
	return flow
}

// publish publishes a message that was due at a time.
func (s *stream) publish(due time.Time) error {
	s.mu.Lock()
	s.next++
	id := s.next
	s.due[id] = due
	s.mu.Unlock()
	return s.raw.Send(OpText, fmt.Appendf(nil, `{"type":"publish","id":%d,"room":%q,"data":"a message of a usual length, for a server that has enough to do"}`, id, s.room))
}

// waiting returns how many messages are not answered.
func (s *stream) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.due)
}

// keep has so many messages under way.
func (s *stream) keep(ctx context.Context, window int) error {
	for {
		for s.waiting() < window {
			if err := s.publish(time.Now()); err != nil {
				return err
			}
		}
		select {
		case <-s.answered:
		case <-ctx.Done():
			return nil
		}
	}
}

// offer publishes a message each time that one is due. A connection that is full makes those behind it late, which
// counts.
func (s *stream) offer(ctx context.Context, every, first time.Duration) error {
	due := time.Now().Add(first)
	for {
		if Sleep(ctx, time.Until(due)) != nil {
			return nil //nolint:nilerr // it is over
		}
		if err := s.publish(due); err != nil {
			return err
		}
		due = due.Add(every)
	}
}

// read takes the answers until the connection ends.
func (s *stream) read() error {
	var buf [4 << 10]byte
	for {
		text, err := s.raw.Next(buf[:])
		if err != nil {
			return err
		}
		var a struct {
			Type, Code string
			ID         int
			RetryAfter float64 `json:"retry_after"`
		}
		if err := json.Unmarshal(text, &a); err != nil {
			return err
		}
		refused := a.Type == "error" && a.Code == "overloaded" && a.RetryAfter > 0
		if a.Type != "ok" && !refused {
			return fmt.Errorf("a publish was answered %s", text)
		}
		s.mu.Lock()
		if refused {
			s.flow.Refused++
		} else {
			s.flow.Stored++
			s.flow.delays = append(s.flow.delays, time.Since(s.due[a.ID]))
		}
		delete(s.due, a.ID)
		s.mu.Unlock()
		select {
		case s.answered <- struct{}{}:
		default:
		}
	}
}
