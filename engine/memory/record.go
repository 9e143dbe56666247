package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireroom/wireroom/engine"
)

// maxRecords bounds the live records.
const maxRecords = 1_000_000

// records keeps records until they expire, by the wall clock.
type records struct {
	max  int
	mu   sync.Mutex
	live map[recordName]engine.Record // nil once the engine is closed
}

type recordName struct{ kind, key string }

func (s *records) init(max int) {
	s.max = max
	s.live = make(map[recordName]engine.Record)
}

func (s *records) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = nil
}

// expire lets go what has expired at the given time.
func (s *records) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.live {
		if !r.Expires.After(now) {
			delete(s.live, name)
		}
	}
}

// put stores r, or removes it if it has expired at the given time.
func (s *records) put(r engine.Record, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := recordName{kind: r.Kind, key: r.Key}
	_, known := s.live[name]
	switch {
	case s.live == nil:
		return engine.ErrClosed
	case !r.Expires.After(now):
		delete(s.live, name)
	case !known && len(s.live) >= s.max:
		return engine.ErrStorageFull
	default:
		r.Expires = r.Expires.Round(0) // the wall clock decides, not the monotonic one
		s.live[name] = r
	}
	return nil
}

// PutRecord implements engine.Records. At most 1,000,000 records are kept; a further one is refused with
// engine.ErrStorageFull.
func (e *Engine) PutRecord(_ context.Context, r engine.Record) error {
	if err := e.records.put(r, time.Now()); err != nil {
		return fmt.Errorf("memory: record %s %q: %w", r.Kind, r.Key, err)
	}
	return nil
}

// ListRecords implements engine.Records.
func (e *Engine) ListRecords(context.Context) ([]engine.Record, error) {
	e.records.expire(time.Now())
	e.records.mu.Lock()
	defer e.records.mu.Unlock()
	if e.records.live == nil {
		return nil, fmt.Errorf("memory: records: %w", engine.ErrClosed)
	}
	list := make([]engine.Record, 0, len(e.records.live))
	for _, r := range e.records.live {
		list = append(list, r)
	}
	return list, nil
}
