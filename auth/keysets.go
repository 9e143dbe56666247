package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// When KeySets are read.
const (
	DefaultRefresh = 10 * time.Minute
	// MinRefresh is the least time between two readings, whatever tokens ask for: an unknown key costs nothing more.
	MinRefresh = 30 * time.Second
	// absence is how long a key that was not there is not looked for again.
	absence = 5 * time.Minute
	// maxAbsent bounds the keys that are known not to be there.
	maxAbsent = 1024
)

// keySets are the keys of an Options' KeySets. One goroutine reads them.
type keySets struct {
	sources []*source
	every   time.Duration
	logger  *slog.Logger
	cancel  context.CancelFunc
	done    chan struct{}      // closed when the goroutine has ended
	wanted  chan chan<- error  // asks for a reading; the answer is its outcome
	woken   chan chan struct{} // asks for a reading if it is time for one; closed when it is over, or was refused

	mu     sync.Mutex
	ring   *keyring // of all sources; nil until one could be read
	whole  bool     // every source has been read once
	last   time.Time
	absent map[string]time.Time // by kid, until when it counts as absent
}

// found is the keys for one token.
type found struct {
	keys  jwt.VerificationKeySet
	named bool
}

// newKeySets reads the key sets for the first time, and starts reading them again.
func newKeySets(ctx context.Context, o Options) (*keySets, error) {
	s := &keySets{
		every: max(o.Refresh, MinRefresh), logger: o.Logger, done: make(chan struct{}),
		wanted: make(chan chan<- error), woken: make(chan chan struct{}), absent: make(map[string]time.Time),
	}
	if o.Refresh == 0 {
		s.every = DefaultRefresh
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	for _, location := range o.KeySets {
		source, err := newSource(location, o.Algorithm, o.Client)
		if err != nil {
			return nil, err
		}
		s.sources = append(s.sources, source)
	}
	if err := s.read(ctx); err != nil {
		for _, source := range s.sources {
			if source.path != "" && source.failure != nil {
				return nil, err
			}
		}
		s.logger.Warn("keys for tokens cannot be had yet", "error", err)
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.run(background)
	return s, nil
}

func (s *keySets) close() {
	s.cancel()
	<-s.done
}

// run reads the key sets again, whenever it is time or somebody asks.
func (s *keySets) run(ctx context.Context) {
	defer close(s.done)
	timer := time.NewTimer(s.next())
	defer timer.Stop()
	for {
		var answer chan<- error
		var woken chan struct{}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case answer = <-s.wanted:
		case woken = <-s.woken:
		}
		if woken == nil || time.Since(s.readAt()) >= MinRefresh {
			err := s.read(ctx)
			if err != nil && ctx.Err() == nil {
				s.logger.Warn("keys for tokens cannot be read; those of before are kept", "error", err)
			}
			if answer != nil {
				answer <- err
			}
			timer.Reset(s.next())
		}
		if woken != nil {
			close(woken)
		}
	}
}

// next returns when to read again: soon, if something could not be read.
func (s *keySets) next() time.Duration {
	for _, source := range s.sources {
		if source.failure != nil {
			return MinRefresh
		}
	}
	return s.every
}

func (s *keySets) readAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// refresh has the key sets read now.
func (s *keySets) refresh(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.wanted <- answer:
	case <-s.done:
		return errors.New("auth: the verifier is closed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-s.done:
		return errors.New("auth: the verifier is closed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// read reads every source. Where one cannot be read its keys of before stay. Only newKeySets and run call it.
func (s *keySets) read(ctx context.Context) error {
	var failures error
	var keys []Key
	whole, any := true, false
	for _, source := range s.sources {
		if err := source.read(ctx); err != nil {
			failures = errors.Join(failures, err)
		}
		keys = append(keys, source.keys...)
		whole, any = whole && source.keys != nil, any || source.keys != nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.whole = time.Now(), whole
	if any {
		if s.ring == nil || !sameKeys(s.ring.keys, keys) {
			clear(s.absent)
		}
		s.ring = &keyring{keys}
	}
	return failures
}

// sameKeys reports whether two lists name the same keys.
func sameKeys(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(a, b Key) bool { return a.ID == b.ID && a.Algorithm == b.Algorithm })
}

// find returns the keys of a token. When there is none of its name, the sets are read again first, if it is time.
func (s *keySets) find(ctx context.Context, kid, algorithm string) (found, error) {
	f, again := s.look(kid, algorithm)
	if !again {
		return f, s.available(f)
	}
	over := make(chan struct{})
	select {
	case s.woken <- over:
	case <-s.done:
		return f, s.available(f)
	case <-ctx.Done():
		return f, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	select {
	case <-over:
	case <-s.done:
	case <-ctx.Done():
		return f, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	f, _ = s.look(kid, algorithm)
	if !f.named {
		s.miss(kid)
	}
	return f, s.available(f)
}

// look returns the keys that there are, and whether to look again after a reading.
func (s *keySets) look(kid, algorithm string) (f found, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring != nil {
		f.keys, f.named = s.ring.find(kid, algorithm)
	}
	now := time.Now()
	again = !f.named && now.Sub(s.last) >= MinRefresh && !now.Before(s.absent[kid])
	return f, again
}

// miss notes that there is no key of that name.
func (s *keySets) miss(kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.absent) >= maxAbsent {
		clear(s.absent)
	}
	s.absent[kid] = time.Now().Add(absence)
}

// available returns an error if a key that was not found may be in a set that could never be read.
func (s *keySets) available(f found) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.named || s.whole {
		return nil
	}
	return fmt.Errorf("%w: the keys cannot be had", ErrUnavailable)
}
