package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// Bounds of F12.
const (
	resumedWithin = 15 * time.Second
	peakMemory    = 1.5
	spread        = 0.1 // the part of clients that must come back in the first half of the first wait
	firstWait     = 500 * time.Millisecond
)

// returner is one member through the product's client, with its defaults.
type returner struct {
	client *client.Client
	room   *client.Room
	link   rig.Link
	at     atomic.Pointer[protocol.Position]
	gaps   atomic.Int64
	silent atomic.Int64
	mu     sync.Mutex
	cut    time.Time // when its connection broke
	dials  []time.Time
}

// reconnectStorm is F12: the connections of all members break at once, while messages are published.
func reconnectStorm(ctx context.Context, t *rig.Trial) error {
	n := rig.Pick(t, 1_000, 9_000)
	server, err := t.Serve(ctx, rig.ServerOptions{Program: rig.Node})
	if err != nil {
		return err
	}
	members := make([]*returner, n)
	defer func() { closeAll(members) }()
	if err := joinAll(ctx, server, members); err != nil {
		return err
	}
	publisher, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = publisher.Close() }()
	if _, err := publisher.Publish(ctx, "storm", 0); err != nil {
		return err
	}
	usage, err := server.Usage()
	if err != nil {
		return err
	}
	reads, err := server.Counter(ctx, "reads")
	if err != nil {
		return err
	}
	cut := time.Now()
	for _, m := range members {
		m.mu.Lock()
		m.cut = time.Now()
		m.mu.Unlock()
		m.link.Drop()
	}
	for i := range 20 { // all of them are missed by those who are away
		if _, err := publisher.Publish(ctx, "storm", i+1); err != nil {
			return err
		}
	}
	last, err := publisher.Publish(ctx, "storm", "last")
	if err != nil {
		return err
	}
	err = rig.Wait(ctx, "all members have come back and have everything", time.Minute, func() bool {
		return !slices.ContainsFunc(members, func(m *returner) bool { return *m.at.Load() != last.Position })
	})
	took := time.Since(cut)
	if err != nil {
		return err
	}
	return judgeStorm(ctx, t, server, members, storm12{took: took, before: usage, reads: reads})
}

// storm12 is what was measured of a storm.
type storm12 struct {
	took   time.Duration
	before rig.Usage
	reads  int64
}

// judgeStorm compares with the bounds.
func judgeStorm(ctx context.Context, t *rig.Trial, server *rig.Server, members []*returner, s storm12) error {
	var gaps, silent int64
	early := 0
	for _, m := range members {
		gaps, silent = gaps+m.gaps.Load(), silent+m.silent.Load()
		m.mu.Lock()
		first := slices.IndexFunc(m.dials, func(at time.Time) bool { return at.After(m.cut) })
		if first >= 0 && m.dials[first].Sub(m.cut) < firstWait/2 {
			early++
		}
		m.mu.Unlock()
	}
	after, err := server.Usage()
	if err != nil {
		return err
	}
	reads, err := server.Counter(ctx, "reads")
	if err != nil {
		return err
	}
	memory := float64(after.Peak) / float64(s.before.Memory)
	t.Say("resumed after %v, %.2f times the memory, %d reads, %d clients came back early", s.took, memory, reads-s.reads, early)
	t.Figure("members", len(members))
	t.Figure("resumed_after_ms", s.took.Milliseconds())
	t.Figure("memory_ratio", ratio(float64(after.Peak), float64(s.before.Memory)))
	t.Figure("history_reads", reads-s.reads)
	switch {
	case gaps+silent > 0:
		err = fmt.Errorf("%d gaps, %d messages missed silently", gaps, silent)
	case reads-s.reads > 1:
		err = fmt.Errorf("the log of one room was read %d times", reads-s.reads)
	case float64(early) < spread*float64(len(members)):
		err = fmt.Errorf("the clients came back together: %d of %d in the first half of the first wait", early, len(members))
	case s.took > resumedWithin:
		err = fmt.Errorf("all had resumed after %v, at most %v are allowed", s.took, resumedWithin)
	case memory > peakMemory:
		err = fmt.Errorf("the server used %.2f times the memory", memory)
	}
	return errors.Join(err, server.Panicked())
}

// joinAll has members join, some at a time.
func joinAll(ctx context.Context, server *rig.Server, members []*returner) error {
	errs := make(chan error, len(members))
	turns := make(chan struct{}, 64)
	for i := range members {
		m := &returner{}
		members[i] = m
		turns <- struct{}{}
		go func() {
			errs <- m.join(ctx, server.URL())
			<-turns
		}()
	}
	var err error
	for range members {
		err = errors.Join(err, <-errs)
	}
	return err
}

func closeAll(members []*returner) {
	var closing sync.WaitGroup
	for _, m := range members {
		if m != nil && m.client != nil {
			closing.Go(func() { _ = m.client.Close() })
		}
	}
	closing.Wait()
}

// join joins the room and begins to read.
func (m *returner) join(ctx context.Context, url string) (err error) {
	m.client, err = client.Dial(ctx, url, client.Options{
		NoInbox: true, KeepDialing: true,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			m.mu.Lock()
			m.dials = append(m.dials, time.Now())
			m.mu.Unlock()
			return m.link.Dial(ctx, network, address)
		},
	})
	if err != nil {
		return err
	}
	if m.room, err = m.client.Join(ctx, "storm"); err != nil {
		return err
	}
	at := m.room.Position()
	m.at.Store(&at)
	go func() {
		for e, err := range m.room.Events(ctx) {
			switch e := e.(type) {
			case *protocol.Message:
				if e.Position.Offset != m.at.Load().Offset+1 || !json.Valid(e.Data) {
					m.silent.Add(1)
				}
				m.at.Store(&e.Position)
			case *protocol.Gap:
				m.gaps.Add(1)
				m.at.Store(&e.Position)
			}
			if err != nil {
				return
			}
		}
	}()
	return nil
}
