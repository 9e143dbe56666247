package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wireroom/wireroom/client"
	"github.com/wireroom/wireroom/protocol"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// herdOf is the size of F10: one member in ten is stalled, half of them for a short time, half for a long one.
type herdOf struct {
	members    int
	size       int           // bytes of a message
	every      time.Duration // between two messages
	turns      int           // of measuring with stalled members
	part       time.Duration // of a measurement, that has a p99 of its own
	quiet      time.Duration // how long is measured without them, before the first turn and after each
	shortStall time.Duration
	longStall  time.Duration
	slower     float64       // by how much the others' p99 may rise
	surely     time.Duration // up to which it may in any case
	grown      int64         // bytes that the server's memory may grow in any case
}

// stuckWithin is how long a member whose socket takes nothing stays; until then all that stall are there.
const stuckWithin = 30 * time.Second

// heldUp is how much longer a message may take in the slower quarter of the parts, however busy the machine is.
const heldUp = time.Second

// herdRoom is the room of F10. What it keeps is bounded, as is usual.
const herdRoom = "small/herd"

// slowReaders is F10.
func slowReaders(ctx context.Context, t *rig.Trial) error {
	h := herdOf{
		members: rig.Pick(t, 200, 10_000), size: rig.Pick(t, 4<<10, 8<<10), every: rig.Pick(t, 50*time.Millisecond, 500*time.Millisecond),
		turns: rig.Pick(t, 1, 4), part: rig.Pick(t, 500*time.Millisecond, 3*time.Second),
		quiet: rig.Pick(t, 7*time.Second, stuckWithin), shortStall: rig.Pick(t, 8*time.Second, 20*time.Second),
		longStall: rig.Pick(t, 40*time.Second, 60*time.Second), slower: 1.1, surely: rig.Pick(t, time.Second, 0),
		grown: rig.Pick[int64](t, 12<<20, 0), // of a small server 5 % is less than what a catch-up leaves to the collector
	}
	server, err := t.Serve(ctx, rig.ServerOptions{Program: rig.Node})
	if err != nil {
		return err
	}
	if err := h.fill(ctx, server); err != nil {
		return err
	}
	herd, err := rig.RunHerd(ctx, h.members, func(i int) *rig.Lean {
		l := &rig.Lean{Addr: server.Addr, Room: herdRoom}
		switch {
		case i%10 == 0: // these will stall
			l.Options.Receive = 32 << 10
		case i == 1: // reads all the time, and never catches up
			l.Options.Receive, l.Rate = 64<<10, 32<<10
		}
		return l
	})
	defer herd.Stop()
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	published := make(chan error, 1)
	go func() { published <- h.publish(ctx, server, stop) }()
	err = h.stallAndJudge(ctx, t, server, herd)
	close(stop)
	err = errors.Join(err, <-published)
	if err == nil {
		err = latestOnly(ctx, server)
	}
	return errors.Join(err, server.Panicked())
}

// fill publishes until the room keeps all that it may, so that its history does not grow any more.
func (h *herdOf) fill(ctx context.Context, server *rig.Server) error {
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for range 2 * (4 << 20) / h.size {
		if _, err := c.Publish(ctx, herdRoom, json.RawMessage(rig.Stamp(h.size))); err != nil {
			return err
		}
	}
	return nil
}

// publish publishes until stop is closed.
func (h *herdOf) publish(ctx context.Context, server *rig.Server, stop <-chan struct{}) error {
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ticker := time.NewTicker(h.every)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if _, err := c.PublishAsync(herdRoom, json.RawMessage(rig.Stamp(h.size))); err != nil {
				return err
			}
		}
	}
}

// sample is what was measured over some time.
type sample struct {
	p99    time.Duration // the lower quartile of the p99 of parts of that time: what the machine does besides counts less
	held   time.Duration // the upper quartile of them
	memory int64         // bytes of the server's process that are in memory after a collection, the most of three looks
	heap   int64         // bytes of its heap, then
	most   int64         // bytes in memory, whenever it collected last, the most of all looks
}

// measure measures what members that read get, while all that stall are there, and what the server needs.
func (h *herdOf) measure(ctx context.Context, server *rig.Server, healthy []*rig.Lean, during time.Duration) (s sample, err error) {
	const early = 2                            // none catches up yet
	middle := int(h.shortStall*3/4/h.part) - 1 // all of them stall still
	parts, began := int(during/h.part), time.Now()
	var p99 []time.Duration
	for i := range parts {
		if err := rig.Sleep(ctx, h.part); err != nil {
			return s, err
		}
		usage, err := server.Usage()
		if err != nil {
			return s, err
		}
		s.most = max(s.most, usage.Memory)
		if i == early || i == middle || i == parts-1 {
			heap, err := server.Counter(ctx, "heap")
			if err != nil {
				return s, err
			}
			if usage, err = server.Usage(); err != nil {
				return s, err
			}
			s.heap, s.memory = max(s.heap, heap), max(s.memory, usage.Memory)
		}
		d, err := delays(ctx, healthy)
		if err != nil {
			return s, err
		}
		if len(p99) == 0 || time.Since(began) < stuckWithin+h.part/2 {
			p99 = append(p99, d)
		}
	}
	slices.Sort(p99)
	s.p99, s.held = p99[len(p99)/4], p99[len(p99)*3/4]
	return s, nil
}

// delays returns the p99 of what was delivered since it was asked last. On a machine that has too much to do that can be
// nothing for longer than a part: the next message is waited for.
func delays(ctx context.Context, healthy []*rig.Lean) (p99 time.Duration, err error) {
	waited := rig.Wait(ctx, "a message is delivered", time.Minute, func() bool {
		p99, err = rig.Delays(healthy, 0.99)
		return err == nil
	})
	return p99, waited
}

// stallAndJudge measures without and with stalled members, and says what became of all.
func (h *herdOf) stallAndJudge(ctx context.Context, t *rig.Trial, server *rig.Server, herd *rig.Herd) error {
	var healthy, stalled []*rig.Lean
	for i, m := range herd.Members {
		switch {
		case i%10 == 0:
			stalled = append(stalled, m)
		case i != 1:
			healthy = append(healthy, m)
		}
	}
	briefly, long := stalled[:len(stalled)/2], stalled[len(stalled)/2:]
	if err := rig.Sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	if _, err := rig.Delays(healthy, 1); err != nil { // of the beginning
		return err
	}
	without, with, err := h.turnsOf(ctx, t, server, herd, sides{healthy, briefly, long})
	if err != nil {
		return err
	}
	err = errors.Join(h.judgeStalled(t, briefly, long, herd.Members[1]), h.compare(t, without, with))
	for _, m := range healthy {
		if s, _ := m.Stats(); s.Joins != 1 || s.Gaps+s.Silent+s.Closed > 0 {
			return errors.Join(err, fmt.Errorf("a member that was never stalled: %+v", s))
		}
	}
	return err
}

// compare compares what was measured without and with stalled members. What a process has in memory depends most on when
// it collected last, so that it is compared after a collection: with what it was right before they stalled. What it keeps
// of those who were dropped must not add up: its heap is compared with what it was before the first of them stalled.
func (h *herdOf) compare(t *rig.Trial, without, with []sample) (err error) {
	calm, slowed, r := inTurns(without, with)
	worst, heap := 0, int64(0) // the turn with the largest ratio
	for i, s := range with {
		if more(s, without[i]) > more(with[worst], without[worst]) {
			worst = i
		}
		heap = max(heap, s.heap)
		if s.held > without[i].held+heldUp {
			err = errors.Join(err, fmt.Errorf("stalled members held the others up: %v in the slower parts, %v without", s.held, without[i].held))
		}
	}
	before, after := without[worst].memory, with[worst].memory
	t.Figure("members", h.members)
	t.Figure("turns", h.turns)
	t.Figure("p99_ms_without", ratio(calm.Seconds()*1000, 1))
	t.Figure("p99_ratio", ratio(r, 1))
	t.Figure("memory_mib_without", ratio(float64(before), 1<<20))
	t.Figure("memory_ratio", ratio(float64(after), float64(before)))
	t.Figure("heap_more_kib", (heap-without[0].heap)>>10)
	if r > h.slower && slowed > h.surely {
		err = errors.Join(err, fmt.Errorf("stalled members made the others' p99 %.2f times as long: %v, %v without", r, slowed, calm))
	}
	if r := more(with[worst], without[worst]); r > 1.05 && after-before > h.grown {
		err = errors.Join(err, fmt.Errorf("stalled members made the server use %.2f times the memory: %d MiB, %d without", r, after>>20, before>>20))
	}
	if before := without[0].heap; float64(heap)/float64(before) > 1.05 && heap-before > 2<<20 {
		err = errors.Join(err, fmt.Errorf("stalled members made the server's heap grow from %d KiB to %d", before>>10, heap>>10))
	}
	return err
}

// more returns how much more memory was used, as a ratio.
func more(with, without sample) float64 { return float64(with.memory) / float64(without.memory) }

// sides are the members by what they do.
type sides struct{ healthy, briefly, long []*rig.Lean }

// turnsOf measures without and with stalled members, in turns: what else the machine does changes with time.
func (h *herdOf) turnsOf(ctx context.Context, t *rig.Trial, server *rig.Server, herd *rig.Herd, m sides) (without, with []sample, err error) {
	measure := func(into *[]sample, what string, during time.Duration) error {
		s, err := h.measure(ctx, server, m.healthy, during)
		*into = append(*into, s)
		t.Say("%s stalled members: p99 %v, %.1f MiB in memory at most, after a collection %.1f, a heap of %.1f",
			what, s.p99.Round(10*time.Microsecond), float64(s.most)/(1<<20), float64(s.memory)/(1<<20), float64(s.heap)/(1<<20))
		return err
	}
	if err := measure(&without, "without", h.quiet); err != nil {
		return nil, nil, err
	}
	for range h.turns {
		wakeBriefly, wakeLong := stall(m.briefly), stall(m.long)
		time.AfterFunc(h.shortStall, wakeBriefly)
		err := measure(&with, "with", h.longStall)
		wakeLong()
		if err = errors.Join(err, settle(ctx, herd)); err != nil {
			return nil, nil, err
		}
		if _, err := rig.Delays(m.healthy, 1); err != nil { // of the time in between
			return nil, nil, err
		}
		if err := measure(&without, "without", h.quiet); err != nil {
			return nil, nil, err
		}
	}
	return without, with, nil
}

// inTurns compares the p99 with stalled members with the mean of those before and after. It returns the medians of what
// it is without and with them, and that of the ratios of the turns: what the machine does besides changes slower.
func inTurns(without, with []sample) (calm, slowed time.Duration, by float64) {
	var calms, slows []time.Duration
	var ratios []float64
	for i, s := range with {
		around := (without[i].p99 + without[i+1].p99) / 2
		calms, slows, ratios = append(calms, around), append(slows, s.p99), append(ratios, float64(s.p99)/float64(around))
	}
	return median(calms), median(slows), median(ratios)
}

// median returns the median of numbers, which it sorts.
func median[T time.Duration | float64](of []T) T {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// ratio returns a ratio with two digits.
func ratio(a, b float64) float64 { return float64(int(a/b*100+0.5)) / 100 }

// stall stalls members and returns what wakes them.
func stall(members []*rig.Lean) (wake func()) {
	var wakes []func()
	for _, m := range members {
		wakes = append(wakes, m.Stall())
	}
	return func() {
		for _, w := range wakes {
			w()
		}
	}
}

// settle waits until all members but the slow one have come as far as the first healthy one has by now.
func settle(ctx context.Context, herd *rig.Herd) error {
	_, target := herd.Members[2].Stats()
	var behind atomic.Int64
	return rig.Wait(ctx, "the stalled members catch up", time.Minute, func() bool {
		n := 0
		for i, m := range herd.Members {
			if _, at := m.Stats(); i != 1 && at.Offset < target.Offset {
				n++
			}
		}
		behind.Store(int64(n))
		return n == 0
	})
}

// judgeStalled says whether stalled members fared as they should.
func (h *herdOf) judgeStalled(t *rig.Trial, briefly, long []*rig.Lean, slow *rig.Lean) error {
	gaps := 0
	var dropped []error
	for i, m := range briefly {
		s, _ := m.Stats()
		if gaps += s.Gaps; s.Joins != 1 || s.Closed > 0 || s.Silent > 0 {
			dropped = append(dropped, fmt.Errorf("member %d was stalled briefly: %+v; it should catch up on the same socket", i, s))
		}
	}
	if len(dropped) > 0 {
		return fmt.Errorf("%d of %d: %w", len(dropped), len(briefly), errors.Join(dropped[:min(len(dropped), 5)]...))
	}
	for _, m := range long {
		s, _ := m.Stats()
		if gaps += s.Gaps; s.Joins < 1+h.turns || s.Closed < h.turns || s.Silent > 0 {
			return fmt.Errorf("a member that was stalled for long: %+v; it should be dropped and join again", s)
		}
	}
	if s, _ := slow.Stats(); s.Closed > 0 || s.Silent > 0 {
		return fmt.Errorf("a member that reads slowly, and all the time: %+v; it should not be dropped", s)
	}
	t.Figure("stalled_briefly", len(briefly))
	t.Figure("stalled_for_long", len(long))
	t.Figure("gaps_told", gaps)
	return nil
}

// latestOnly stalls a member of a room with the rule `latest`: it gets the newest of each event, not the backlog.
func latestOnly(ctx context.Context, server *rig.Server) error {
	const messages, events = 2000, 4
	raw, err := rig.DialRaw(ctx, server.Addr, rig.RawOptions{Receive: 4 << 10})
	if err != nil {
		return err
	}
	defer raw.Drop()
	if err := raw.Send(rig.OpText, []byte(`{"type":"join","id":1,"room":"latest/a"}`)); err != nil {
		return err
	}
	for joined := false; !joined; {
		text, err := raw.Next(nil)
		if err != nil {
			return err
		}
		e, err := protocol.ReadEnvelope(text)
		if err != nil {
			return err
		}
		joined = e.Type == protocol.TypeOK
	}
	c, err := client.Dial(ctx, server.URL(), client.Options{NoInbox: true, MaxOutbox: messages})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	pad := strings.Repeat("x", 2000)
	for n := range messages {
		data := map[string]any{"n": n, "pad": pad}
		if _, err := c.PublishAsync("latest/a", data, client.PublishOptions{Event: fmt.Sprint("event-", n%events)}); err != nil {
			return err
		}
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	got, newest := 0, make(map[string]int)
	for len(newest) < events || slices.Min([]int{newest["event-0"], newest["event-1"], newest["event-2"], newest["event-3"]}) < messages-events {
		_ = raw.Conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		text, err := raw.Next(nil)
		if err != nil {
			return fmt.Errorf("a stalled member of a latest room has %v: %w", newest, err)
		}
		var m struct {
			Type, Event string
			Data        struct{ N int }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		if m.Type == protocol.TypeMessage {
			got++
			newest[m.Event] = m.Data.N
		}
	}
	if got > messages/2 {
		return fmt.Errorf("a stalled member of a latest room got %d of %d messages: the backlog", got, messages)
	}
	return nil
}
