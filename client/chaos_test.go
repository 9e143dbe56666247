package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

// content is what the tests of this file publish.
type content struct {
	Publisher, Number int
	Forbidden         bool `json:",omitempty"`
}

// sent is a publish and what the client said of it.
type sent struct {
	content
	published protocol.Published
	err       error
}

// publishAll publishes from several publishers, each with several messages on their way, and returns what became of
// each.
func publishAll(t *testing.T, c *Client, random *rand.Rand, publishers, messages int) []sent {
	t.Helper()
	all := make([]sent, publishers*messages)
	var tasks sync.WaitGroup
	for publisher := range publishers {
		pauses := make([]time.Duration, messages)
		forbidden := make([]bool, messages)
		for i := range pauses {
			pauses[i] = time.Duration(random.IntN(30)) * time.Millisecond * time.Duration(random.IntN(2))
			forbidden[i] = random.IntN(20) == 0
		}
		tasks.Go(func() {
			for i := range messages {
				time.Sleep(pauses[i])
				s := &all[publisher*messages+i]
				s.content = content{publisher, i, forbidden[i]}
				pending, err := c.PublishAsync("general", s.content)
				if err != nil {
					t.Errorf("the outbox is full: %v", err)
					return
				}
				tasks.Go(func() { s.published, s.err = pending.Result(context.Background()) })
			}
		})
	}
	tasks.Wait()
	return all
}

// checkLog compares what the client said of its publishes with the log.
func checkLog(t *testing.T, log []string, all []sent) {
	t.Helper()
	stored := make(map[content]int)
	newest := make(map[int]int)
	for i, text := range log {
		var c content
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if stored[c] > 0 {
			t.Errorf("%+v is stored twice, at %d and %d", c, stored[c], i+1)
		}
		stored[c] = i + 1
		if before, ok := newest[c.Publisher]; ok && c.Number < before {
			t.Errorf("%+v is stored behind number %d", c, before)
		}
		newest[c.Publisher] = c.Number
	}
	for _, s := range all {
		at := stored[s.content]
		switch {
		case s.err == nil && at != int(s.published.Position.Offset):
			t.Errorf("%+v: the client says %v, the log %d", s.content, s.published.Position, at)
		case s.err != nil && at != 0 && !errors.Is(s.err, ErrUncertain):
			t.Errorf("%+v: the client says %v, the log %d", s.content, s.err, at)
		case s.err != nil && !s.Forbidden:
			t.Errorf("%+v: %v", s.content, s.err)
		}
	}
}

// follow reads the room until a number of messages were read, at the reader's pace.
func follow(t *testing.T, c *Client, pace func() time.Duration, count int) (log []string) {
	t.Helper()
	r, err := c.Join(t.Context(), "general", JoinOptions{Last: 1000})
	if err != nil {
		t.Error(err)
		return nil
	}
	offset := uint64(0)
	for m, err := range r.Messages(t.Context()) {
		if err != nil {
			t.Errorf("after %d messages: %v", len(log), err)
			return log
		}
		if m.Position.Offset != offset+1 {
			t.Errorf("position %d follows %d", m.Position.Offset, offset)
		}
		offset = m.Position.Offset
		log = append(log, string(m.Data))
		if len(log) == count {
			return log
		}
		time.Sleep(pace())
	}
	return log
}

// TestPublishesOnceAndInOrderWhateverFails lets everything fail that may: connections are cut, old ones are heard of
// late, publishes are refused or their outcome is not known.
func TestPublishesOnceAndInOrderWhateverFails(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, seed, faults{refuse: 0.02, unsure: 0.02, late: 0.01, cut: 0.01})
				go m.serve()
				c := mustDial(t, m.listener, Options{NoInbox: true, Backoff: Backoff{Max: time.Second}})
				all := publishAll(t, c, rand.New(rand.NewPCG(seed, 1)), 3, 300)
				time.Sleep(10 * time.Second) // what is late arrives
				_ = c.Close()
				close(m.listener.conns)
				m.tasks.Wait()
				checkLog(t, m.rooms["general"].log, all)
			})
		})
	}
}

// TestReadsEachPositionOnceAndInOrder has readers of all paces, with small queues, over cut connections.
func TestReadsEachPositionOnceAndInOrder(t *testing.T) {
	const messages = 1500
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, seed, faults{cut: 0.003})
				go m.serve()
				random := rand.New(rand.NewPCG(seed, 2))
				logs := make([][]string, 4)
				clients := make([]*Client, len(logs))
				var readers sync.WaitGroup
				for i := range logs {
					c := mustDial(t, m.listener, Options{NoInbox: true, RoomBuffer: 8 << i})
					clients[i] = c
					pace := func() time.Duration {
						m.mu.Lock()
						defer m.mu.Unlock()
						return time.Duration(random.IntN(1+i*10)) * time.Millisecond
					}
					readers.Go(func() { logs[i] = follow(t, c, pace, messages) })
				}
				c := mustDial(t, m.listener, Options{NoInbox: true, MaxOutbox: 2 * messages})
				for i := range messages {
					if i%100 == 50 {
						m.cutAll()
						time.Sleep(time.Duration(i) * time.Millisecond)
					}
					if _, err := c.PublishAsync("general", i); err != nil {
						t.Fatal(err)
					}
				}
				readers.Wait()
				_ = c.Close()
				for _, c := range clients {
					_ = c.Close()
				}
				close(m.listener.conns)
				m.tasks.Wait()
				for i, log := range logs {
					if fmt.Sprint(log) != fmt.Sprint(m.rooms["general"].log) {
						t.Errorf("reader %d read something else than the log", i)
					}
				}
			})
		})
	}
}
